# SPDX-License-Identifier: GPL-2.0
"""Tests of what judges attacks."""

import unittest

from escape.arena import HOST_REGISTERS
from escape.host import title
from escape.judge import CONTAINED, FATAL, Limits, Observed
from escape.report import Result, markdown, results
from escape.themes import ATTACKS
from rig.dmesg import Finding

_OOPS = "Oops: 0000 [#1] SMP"
_WARNING = "WARNING: gvt/mmio.c:129 at intel_vgpu_emulate_mmio_read"


class Judge(unittest.TestCase):
    def verdict(self, **seen: object) -> str:
        return Observed(**seen).verdict()[0]

    def test_nothing_seen_is_contained(self) -> None:
        self.assertEqual(Observed().verdict(), (CONTAINED, ""))

    def test_each_way_out_is_one(self) -> None:
        ways = {"violations": 1, "foreign": [0x1234], "stray": 1, "intact": False, "registers": ["0x2080"], "escaped": "it read"}
        for field, value in ways.items():
            with self.subTest(field):
                verdict, why = Observed(**{field: value}).verdict()
                self.assertEqual(verdict, "escaped")
                self.assertTrue(why)

    def test_a_kernel_that_dies_is_worse(self) -> None:
        self.assertEqual(self.verdict(findings=[_WARNING, _OOPS], violations=3), "oops")
        self.assertIn("3 accesses", Observed(findings=[_OOPS], violations=3).verdict()[1])

    def test_an_escape_is_worse_than_a_warning(self) -> None:
        self.assertEqual(self.verdict(findings=[_WARNING], foreign=[1]), "escaped")
        self.assertEqual(self.verdict(findings=[_WARNING]), "WARN")

    def test_a_warning_is_known_by_its_place(self) -> None:
        said = Finding("L1", ("---[ cut here ]---", "i915: drm_WARN_ON(port < 0)", _WARNING, "Call Trace:"))
        self.assertEqual(title(said), _WARNING)
        self.assertEqual(title(Finding("L1", (_OOPS, "Call Trace:"))), _OOPS)
        self.assertEqual(self.verdict(findings=["Call Trace:"]), "WARN")

    def test_what_hangs_others(self) -> None:
        self.assertEqual(self.verdict(gone="the VMM hangs"), "hung")
        self.assertEqual(self.verdict(bystander=False), "hung")
        self.assertEqual(self.verdict(recovers=False), "stuck")

    def test_limits(self) -> None:
        limits = Limits(seconds=2.0, kib=100, lines=10)
        self.assertEqual(self.verdict(limits=limits, seconds=2.0, kib=100, lines=10), CONTAINED)
        self.assertEqual(self.verdict(limits=limits, lines=11), "log flood")
        self.assertEqual(self.verdict(limits=limits, seconds=2.1), "slow")
        self.assertEqual(self.verdict(limits=limits, kib=101), "memory")

    def test_what_breaks_the_machine_ends_it(self) -> None:
        self.assertIn(self.verdict(findings=[_OOPS]), FATAL)
        self.assertIn(self.verdict(gone="the VMM was killed"), FATAL)
        self.assertNotIn(self.verdict(violations=1), FATAL)


class Report(unittest.TestCase):
    def test_an_attack_without_an_end_killed_the_machine(self) -> None:
        begun = '{"begin": "a"}\n{"name": "a", "verdict": "contained", "why": "", "seconds": 1.0}\n{"begin": "b"}\n'
        found = results(begun)
        self.assertEqual(found["a"], Result("contained", "", 1.0))
        self.assertEqual(found["b"].verdict, "died")

    def test_both_drivers_are_told_of(self) -> None:
        lanes = {
            "ours": {attack.name: Result("contained") for attack in ATTACKS},
            "stock": {attack.name: Result("escaped", "a|b") for attack in ATTACKS},
        }
        text = markdown(ATTACKS, lanes)
        self.assertIn("| contained | escaped: a\\|b |", text)
        self.assertIn(f"ours: {len(ATTACKS)} of {len(ATTACKS)} contained.", text)
        self.assertIn(f"stock: 0 of {len(ATTACKS)} contained.", text)


class Attacks(unittest.TestCase):
    def test_names_are_unique(self) -> None:
        names = [attack.name for attack in ATTACKS]
        self.assertEqual(len(names), len(set(names)))

    def test_each_has_a_reason(self) -> None:
        for attack in ATTACKS:
            self.assertRegex(attack.spec, r"^(12\.1-\d+|5\.[123](-\d)?)$")
            self.assertTrue(attack.tries)

    def test_each_defect_that_can_be_tried_is(self) -> None:
        # 25 is a file of the host's, which no guest has anything to do with.
        tried = {attack.spec for attack in ATTACKS}
        missing = [number for number in range(1, 27) if number != 25 and f"12.1-{number}" not in tried]
        self.assertEqual(missing, [])

    def test_registers_of_the_host_are_distinct(self) -> None:
        self.assertEqual(len(HOST_REGISTERS), len(set(HOST_REGISTERS)))


if __name__ == "__main__":
    unittest.main()
