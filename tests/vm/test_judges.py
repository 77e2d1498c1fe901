# SPDX-License-Identifier: GPL-2.0
"""Tests of what judges the outputs of runs."""

import json
import tempfile
import unittest
from pathlib import Path

from rig import isolation, types


def pages(client: str, lrca: str, read: list[list[int]], write: list[list[int]], at: int = 50) -> str:
    return json.dumps({"us": at, "event": "pages", "client": client, "lrca": lrca, "read": read, "write": write})


class Types(unittest.TestCase):
    def test_the_table_of_the_abi(self) -> None:
        counts = {
            aperture: [instances for instances, _ in types.expected("skl", aperture).values()]
            for aperture in ("256M", "512M", "1G")
        }
        self.assertEqual(counts, {"256M": [2, 1], "512M": [6, 3, 1], "1G": [7, 5, 2, 1]})

    def test_a_made_instance_takes_its_share(self) -> None:
        left = types.expected("bdw", "512M", taken=["2"])
        self.assertEqual([instances for instances, _ in left.values()], [2, 1, 0])

    def test_names_follow_the_platform(self) -> None:
        self.assertIn("i915-GVTg_V4_8", types.expected("bdw", "256M"))
        self.assertIn("i915-GVTg_V5_8", types.expected("kbl", "256M"))


class Isolation(unittest.TestCase):
    def judge(self, *lines: str) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder)
            (output / "audit.jsonl").write_text("\n".join(lines))
            moved = [[60, 61, 0, 20], [60, 61, 40, 90], [63, 63, 0, 90]]
            owners = {"1": [[10, 19, 0, 90], *moved], "2": [[20, 29, 0, 60], [40, 49, 0, 60]]}
            (output / "guest-pages.json").write_text(json.dumps(owners))
            return [verdict.split(" ")[0] for _, _, verdict in isolation.judge(output, 2)]

    def test_each_to_its_own(self) -> None:
        first, second = pages("rcs0", "0x1000", [[5, 12]], []), pages("rcs0", "0x2000", [], [[45, 45]])
        self.assertEqual(self.judge(first, second), ["PASS", "PASS"])

    def test_a_context_in_two_guests_fails_even_over_several_lines(self) -> None:
        lines = [pages("bcs0", "0x1000", [[19, 19]], []), pages("bcs0", "0x1000", [], [[20, 20]])]
        self.assertIn("FAIL", self.judge(*lines))

    def test_what_was_a_guests_before_and_afterwards_is_the_hosts(self) -> None:
        own = [pages("rcs0", "0x1000", [[15, 15]], []), pages("rcs0", "0x2000", [[45, 45]], [])]
        for at, verdicts in ((30, ["PASS", "PASS"]), (50, ["FAIL", "PASS", "PASS"]), (95, ["PASS", "PASS"])):
            self.assertEqual(self.judge(*own, pages("rcs0", "0x2000", [[60, 60]], [], at)), verdicts)
        # The second guest ended before the first.
        self.assertEqual(self.judge(*own, pages("rcs0", "0x1000", [[20, 20]], [], 70)), ["PASS", "PASS"])

    def test_a_guest_that_did_nothing_proves_nothing(self) -> None:
        self.assertEqual(self.judge(pages("rcs0", "0x1000", [[10, 10]], [])), ["PASS", "FAIL"])

    def test_missing_files_fail(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.assertTrue(isolation.judge(Path(folder), 1)[0][2].startswith("FAIL"))


if __name__ == "__main__":
    unittest.main()
