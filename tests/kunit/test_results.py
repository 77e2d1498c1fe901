# SPDX-License-Identifier: GPL-2.0
"""What the lane makes of consoles that a user-mode kernel really printed, from `recorded`, and of damaged ones."""

import json
import os
import tempfile
import unittest
from pathlib import Path

from lane.results import LaneError, Suite, complaints, judge, suites_of, suites_output, table

_HERE = Path(__file__).resolve().parent
_CACHE = Path(os.environ.get("KVMGT_CACHE") or Path.home() / ".cache" / "kvmgt")
_PARSER = _CACHE / "kernel" / (os.environ.get("KERNEL") or "7.3") / "tree" / "tools" / "testing" / "kunit" / "kunit.py"


def _recorded(name: str) -> str:
    return (_HERE / "recorded" / f"{name}.txt").read_text()


def _judged(console: str) -> list[Suite]:
    with tempfile.TemporaryDirectory() as folder:
        return judge(console, _PARSER, Path(folder))


def _counts(suites: list[Suite]) -> dict[str, tuple[int, int, int]]:
    return {suite.name: (suite.passed, suite.failed, suite.skipped) for suite in suites}


class Recorded(unittest.TestCase):
    """Whole consoles through the kernel's own parser."""

    def test_passed(self) -> None:
        suites = _judged(_recorded("passed"))
        self.assertEqual(_counts(suites), {"gvt_dummy": (2, 0, 0), "gvt_other": (3, 0, 1)})
        self.assertEqual([name for name, _ in suites[0].tests], ["adds", "overflow_is_refused"])

    def test_one_failed(self) -> None:
        suites = _judged(_recorded("failed"))
        self.assertEqual(_counts(suites), {"gvt_dummy": (2, 0, 0), "gvt_other": (2, 1, 1)})
        self.assertIn("fail: fails", table(suites))

    def test_crash_fails_the_tests_that_did_not_come(self) -> None:
        counts = _counts(_judged(_recorded("crashed")))
        self.assertEqual(counts["gvt_dummy"], (2, 0, 0))
        self.assertEqual(counts["gvt_other"], (1, 3, 0))
        self.assertEqual(counts["(kernel)"], (0, 3, 0))

    def test_no_test_at_all(self) -> None:
        self.assertEqual(sum(suite.passed for suite in _judged(_recorded("nothing"))), 0)

    def test_every_cut_of_a_good_console_fails_or_lacks_tests(self) -> None:
        lines = _recorded("passed").splitlines(keepends=True)
        first = lines.index("Run /init as init process\n") + 1
        last = lines.index("ok 2 gvt_other\n")
        for end in range(first, last + 1):
            with self.subTest(end=end):
                suites = _judged("".join(lines[:end]))
                passed = sum(suite.passed for suite in suites)
                failed = sum(suite.failed for suite in suites)
                self.assertTrue(failed or not passed, table(suites))

    def test_complaint_of_the_kernel_fails_though_all_tests_passed(self) -> None:
        warning = "WARNING: CPU: 0 PID: 9 at mm/slub.c:1 free_large+0x1/0x2\n"
        console = _recorded("passed").replace("# gvt_other: pass", f"{warning}# gvt_other: pass")
        suites = _judged(console)
        self.assertEqual(_counts(suites)["(kernel)"], (0, 1, 0))
        self.assertEqual(_counts(suites)["gvt_other"], (3, 0, 1))

    def test_kernel_that_does_not_reach_init(self) -> None:
        with self.assertRaisesRegex(LaneError, "/init"):
            _judged("KTAP version 1\n1..0\nKernel panic - not syncing: VFS: Unable to mount root fs\n")


class Parts(unittest.TestCase):
    """The steps one by one."""

    def test_ktap_of_the_boot_is_cut_off(self) -> None:
        console = "KTAP version 1\n1..0\nRun /init as init process\nKTAP version 1\n1..1\n"
        self.assertEqual(suites_output(console), "KTAP version 1\n1..1\n")

    def test_complaints(self) -> None:
        output = "BUG: x\n    # warns: WARNING: this is a test's own text\nINFO: task hung\nrust_kernel: panicked at a.rs:1\n"
        self.assertEqual(len(complaints(output)), 3)

    def test_suite_without_tests_is_an_error(self) -> None:
        report = {"sub_groups": [], "test_cases": [{"name": "gvt_cfg", "status": "ERROR"}], "misc": {"errors": 1}}
        self.assertEqual(_counts(suites_of(json.dumps(report))), {"gvt_cfg": (0, 1, 0)})

    def test_errors_beside_the_suites_are_not_lost(self) -> None:
        test = {"name": "a", "status": "PASS"}
        group = {"name": "gvt_cfg", "sub_groups": [], "test_cases": [test], "misc": {"errors": 0}}
        report = {"sub_groups": [group], "test_cases": [], "misc": {"errors": 2}}
        self.assertEqual(_counts(suites_of(json.dumps(report))), {"gvt_cfg": (1, 0, 0), "(output)": (0, 1, 0)})


if __name__ == "__main__":
    unittest.main()
