# SPDX-License-Identifier: GPL-2.0
"""What the lane makes of cargo's output, and of two sides that did not run the same."""

import unittest

from lane.cargo import differences, tests_of
from lane.results import Suite

_OUTPUT = """
running 4 tests
test access::gvt_access::splits ... ok
test access::gvt_access::refuses ... FAILED
test cfg::bars::gvt_cfg::sizing ... ok
test cfg::bars::gvt_cfg::slow ... ignored, takes an hour

failures:
    access::gvt_access::refuses

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
"""


class Output(unittest.TestCase):
    """Cargo's lines."""

    def test_suites_are_the_innermost_modules(self) -> None:
        suites = tests_of(_OUTPUT)
        self.assertEqual(suites["gvt_access"], {"splits": "PASS", "refuses": "FAIL"})
        self.assertEqual(suites["gvt_cfg"], {"sizing": "PASS", "slow": "SKIP"})
        self.assertEqual(len(suites), 2)


class Compared(unittest.TestCase):
    """Both sides."""

    def _differences(self, *tests: tuple[str, str]) -> list[str]:
        access = Suite("gvt_access", [("splits", "PASS"), ("refuses", "FAIL")])
        return differences([access, Suite("gvt_cfg", list(tests))], tests_of(_OUTPUT))

    def test_alike(self) -> None:
        self.assertEqual(self._differences(("sizing", "PASS")), [])

    def test_skipped_counts_nowhere(self) -> None:
        self.assertEqual(self._differences(("sizing", "PASS"), ("uml_only", "SKIP")), [])

    def test_a_test_too_many(self) -> None:
        found = self._differences(("sizing", "PASS"), ("slow", "PASS"))
        self.assertEqual(found, ["gvt_cfg: KUnit ran 2 tests, cargo 1; only KUnit: slow"])

    def test_as_many_but_others(self) -> None:
        found = self._differences(("masks", "PASS"))
        self.assertEqual(found, ["gvt_cfg: KUnit ran 1 tests, cargo 1; only KUnit: masks; only cargo: sizing"])

    def test_another_verdict(self) -> None:
        found = self._differences(("sizing", "FAIL"))
        self.assertEqual(found, ["gvt_cfg: KUnit ran 1 tests, cargo 1; sizing: FAIL under KUnit, PASS under cargo"])

    def test_suites_of_kernel_objects_are_the_kernels_alone(self) -> None:
        self.assertEqual(differences([Suite("gvt_kapi_kthread", [("stops", "PASS")])], {}), [])

    def test_complaint_of_the_kernel_is_no_suite(self) -> None:
        self.assertEqual(differences([Suite("(kernel)", [("BUG: x", "FAIL")])], {}), [])

    def test_a_whole_suite_missing(self) -> None:
        found = differences([], tests_of(_OUTPUT))
        self.assertEqual(len(found), 2)
        self.assertIn("KUnit ran 0 tests, cargo 2", found[0])


if __name__ == "__main__":
    unittest.main()
