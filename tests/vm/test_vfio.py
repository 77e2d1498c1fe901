# SPDX-License-Identifier: GPL-2.0
"""The requests that both drivers get, and the comparison of what they answer."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import ClassVar

from vfio import compare, verdict
from vfio.compare import Difference, Reason, differences, judge, matches
from vfio.script import Script, edid

_HERE = Path(__file__).resolve().parent / "vfio"


def reason(**tables: object) -> Reason:
    return Reason.read({"reason": "[BUG] it was wrong (gvt-spec 1)", **tables})


class Generator(unittest.TestCase):
    def test_two_runs_write_the_same(self) -> None:
        texts = []
        for _ in range(2):
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run([sys.executable, _HERE / "generate", folder], check=True, stdout=subprocess.DEVNULL)
                texts.append([(Path(folder) / f"{name}.jsonl").read_text() for name in ("both", "wrap", "ours")])
        self.assertEqual(*texts)
        requests = [json.loads(line) for line in texts[0][0].splitlines()]
        self.assertGreater(len(requests), 5000)
        self.assertEqual(len({request["id"] for request in requests}), len(requests))
        # All of the ways into a device are tried.
        self.assertLessEqual({"read", "write", "map", "set_irqs", "ioctl", "reset", "open"}, {r["op"] for r in requests})

    def test_blocks_begin_after_a_reset(self) -> None:
        script = Script()
        script.block("a")
        script.read(7, 0)
        script.block("b")
        script.write(7, 1, 0x12345, 2)
        script.write(7, 0, 1, 3)
        self.assertEqual(
            [(request["id"], request["op"]) for request in script.requests],
            [("a.1", "read"), ("a.2", "reset"), ("b.1", "write"), ("b.2", "write")],
        )
        self.assertEqual(script.requests[2]["value"], 0x2345)
        self.assertEqual(len(bytes.fromhex(script.requests[3]["data"])), 3)

    def test_the_monitor_is_one(self) -> None:
        block = edid()
        self.assertEqual((len(block), sum(block) % 256, bytes(block[:8]).hex()), (128, 0, "00ffffffffffff00"))


class Differences(unittest.TestCase):
    request: ClassVar = {"id": "x.1", "op": "read", "region": 7, "offset": "0x10", "length": 8}

    def found(self, stock: dict[str, object], ours: dict[str, object]) -> list[Difference]:
        return list(differences([self.request], [stock], [ours]))

    def test_equal_answers_have_none(self) -> None:
        self.assertEqual(self.found({"line": 1, "ok": True, "data": "00"}, {"line": 2, "ok": True, "data": "00"}), [])

    def test_bytes_are_compared_dword_by_dword(self) -> None:
        found = self.found({"ok": True, "data": "0011223344556677"}, {"ok": True, "data": "0011223344556670"})
        self.assertEqual([(d.at, d.stock["data"], d.ours["data"]) for d in found], [(0x14, "44556677", "44556670")])
        # A value has the same bytes as data has; what is not aligned is cut at dwords of the region.
        request = {"id": "x", "op": "read", "offset": 3, "width": 4}
        pair = [{"ok": True, "value": "0x44332211"}], [{"ok": True, "value": "0x44332299"}]
        self.assertEqual([(d.at, d.stock["data"]) for d in differences([request], *pair)], [(3, "11")])

    def test_other_answers_are_compared_as_a_whole(self) -> None:
        for ours in ({"ok": False, "errno": "EFAULT"}, {"ok": True, "data": "00", "bytes": 1}):
            found = self.found({"ok": True, "data": "0011"}, ours)
            self.assertEqual([(d.at, d.ours) for d in found], [(0x10, ours)])

    def test_an_answer_that_is_missing_differs(self) -> None:
        found = list(differences([self.request, self.request], [{"ok": True}], [{"ok": True}, {"ok": True}]))
        self.assertEqual([d.stock for d in found], [{"missing": True}])

    def test_a_line_that_was_not_finished_is_no_answer(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "answers"
            path.write_text('# remark\n{"ok":true}\n{"ok":tr')
            self.assertEqual(compare.read_lines(path), [{"ok": True}])


class Reasons(unittest.TestCase):
    difference = Difference(
        {"id": "bars.3", "op": "read", "region": 7, "offset": 16},
        {"ok": True, "data": "000000fd"},
        {"ok": True, "data": "00000000"},
        0x12,
    )

    def test_patterns(self) -> None:
        for wanted, value, fits in (
            (16, "0x10", True),
            ("0x10", "0x10", True),
            (1, True, False),
            (True, True, True),
            ([1, 2], 2, True),
            ([1, 2], 3, False),
            ({"from": 1, "to": 3}, "0x3", True),
            ({"from": 1, "to": 3}, 4, False),
            ({"from": 1, "to": 3}, "x", False),
            ({"mask": 3, "value": 1}, 5, True),
            ({"mask": 3, "value": 1}, 6, False),
            ({"re": "a.c"}, "abc", True),
            ({"re": "a.c"}, "abcd", False),
            ({"re": r"\[null\]"}, [None], True),
        ):
            self.assertEqual(matches(wanted, value), fits, f"{wanted} {value}")
        with self.assertRaisesRegex(ValueError, "a pattern is"):
            matches({"between": 1}, 1)

    def test_all_patterns_of_an_entry_must_match(self) -> None:
        request = {"op": "read", "at": {"from": 0x10, "to": 0x13}}
        self.assertTrue(reason(request=request, stock={"data": {"re": ".*fd"}}).explains(self.difference))
        self.assertFalse(reason(request=request, ours={"data": {"re": ".*fd"}}).explains(self.difference))
        self.assertFalse(reason(request={"op": "write"}, ours={"ok": True}).explains(self.difference))
        self.assertFalse(reason(request={"op": "read"}, ours={"errno": "EFAULT"}).explains(self.difference))

    def test_what_is_not_explained_is_wrong(self) -> None:
        wrong = judge([self.difference], [])
        self.assertIn("unexplained", wrong[0])
        self.assertIn("at 0x12", wrong[0])

    def test_what_explains_nothing_is_wrong(self) -> None:
        used, stale = reason(request={"op": "read"}, ours={"ok": True}), reason(request={"op": "reset"}, ours={"ok": True})
        wrong = judge([self.difference, self.difference], [used, stale])
        self.assertEqual((len(wrong), used.used, stale.used), (1, 2, 0))
        self.assertIn("no difference needs this", wrong[0])

    def test_what_depends_on_chance_may_explain_nothing(self) -> None:
        entry = {"reason": "[SEC] a hole (field 5)", "request": {"op": "reset"}, "ours": {"ok": True}, "chance": True}
        self.assertEqual(judge([], [Reason.read(entry)]), [])

    def test_an_entry_must_say_why_and_what(self) -> None:
        good = {"reason": "[SEC] a hole (field 5)", "request": {"op": "read"}, "ours": {"ok": True}}
        Reason.read(good)
        for change in (
            {"reason": "a hole (field 5)"},
            {"reason": "[SEC] a hole"},
            {"request": {}},
            {"ours": {}},
            {"theirs": {}},
        ):
            with self.assertRaises(ValueError):
                Reason.read(good | change)

    def test_the_table_can_be_read(self) -> None:
        for table in ("vfio", "lspci"):
            self.assertTrue(compare.read_reasons(_HERE / "differences.toml", table))


class Verdicts(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def folders(self, **answers: tuple[int, int]) -> list[Path]:
        """Scripts of two requests each, and so many answers of each driver as `both` and `wrap` say."""
        places = [self.folder / name for name in ("scripts", "stock", "ours")]
        for place in places:
            place.mkdir()
        for name in verdict.SCRIPTS:
            (places[0] / f"{name}.jsonl").write_text('{"id":"x","op":"reset"}\n' * 2)
            for place, count in zip(places[1:], answers[name], strict=True):
                (place / f"{name}.answers").write_text('{"ok":true}\n' * count)
        return places

    def complaints(self, found: verdict.Verdict) -> list[str]:
        return [text for text in found.wrong if "no difference needs" not in text]

    def test_only_the_stock_driver_may_end_early_and_only_in_what_kills_it(self) -> None:
        found = verdict.of_requests(*self.folders(both=(2, 1), wrap=(2, 2)))
        self.assertEqual(found.compared, 4)
        self.assertIn("ours: 1 of 2 requests of both.jsonl", self.complaints(found)[0])

    def test_answers_that_are_alike_pass(self) -> None:
        self.assertEqual(self.complaints(verdict.of_requests(*self.folders(both=(2, 2), wrap=(2, 2)))), [])

    def test_listings(self) -> None:
        stock, ours = self.folder / "stock", self.folder / "ours"
        stock.write_text("a\n\tControl: I/O+ Mem+ BusMaster- SERR+ DisINTx+\n00: 86 80 12 19 03 05 10\nb\n")
        ours.write_text("a\n\tControl: I/O+ Mem+ BusMaster- SERR+ DisINTx-\n00: 86 80 12 19 03 01 10\nb\n")
        self.assertEqual(verdict.of_listings(stock, ours).wrong, [])
        ours.write_text("a\n\tControl: I/O- Mem+ BusMaster- SERR+ DisINTx-\n00: 86 80 12 19 03 01 10\nb\nc\n")
        complaints = self.complaints(verdict.of_listings(stock, ours))
        self.assertEqual(len(complaints), 2)
        self.assertIn("I/O-", complaints[0])
        self.assertIn('{"text":"c"}', complaints[1])
        self.assertIn("is empty", self.complaints(verdict.of_listings(stock, self.folder / "none"))[0])


if __name__ == "__main__":
    unittest.main()
