# SPDX-License-Identifier: GPL-2.0
"""How clients are judged and tables are made, without a GPU."""

import json
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from clientlib import CLIENTS, Client, Environment, judge, run
from clienttable import as_markdown, as_rst, read_results


class Running(unittest.TestCase):
    def setUp(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.environment = Environment(1, Path(self._folder.name), os.environ["PATH"], connected=False)

    def shell(self, script: str, **more: object) -> Client:
        return Client("x", ("sh", "-c", script), **more)  # type: ignore[arg-type]

    def test_a_good_program_passes(self) -> None:
        result = run(self.shell("echo one; echo two >&2", shows="one"), self.environment)
        self.assertEqual((result.status, result.exit, result.last), ("pass", 0, ["one", "two"]))

    def test_a_program_without_end_is_ended(self) -> None:
        result = run(self.shell("exec sleep 100", limit=0.1), self.environment)
        self.assertEqual((result.status, result.exit), ("timeout", None))
        self.assertLess(result.seconds, 50)

    def test_a_key_ends_a_program_that_waits(self) -> None:
        result = run(self.shell("echo ready; read line && echo key", key=True, shows="ready"), self.environment)
        self.assertEqual((result.status, result.last), ("pass", ["ready", "key"]))

    def test_a_key_that_nothing_calls_for_does_not_come(self) -> None:
        result = run(self.shell("read line; exec sleep 100", key=True, shows="ready", limit=0.3), self.environment)
        self.assertEqual(result.status, "timeout")

    def test_what_is_not_there_is_said(self) -> None:
        self.assertEqual(run(Client("x", ("no-such-program",)), self.environment).status, "missing")
        self.assertEqual(run(self.shell("true", monitor=True), self.environment).status, "skip")
        guest = Environment(2, self.environment.output, self.environment.path, connected=True)
        self.assertEqual(run(self.shell("true", not_in_guest="too slow"), guest).reason, "too slow")
        self.assertEqual(run(self.shell("true", not_in_guest="too slow"), self.environment).status, "pass")

    def test_reasons(self) -> None:
        client = Client("x", ("x",), shows="good", forbids="bad")
        self.assertEqual(judge(client, 0, "good"), "")
        for code, output, reason in (
            (1, "good", "exit code 1"),
            (-6, "good", "ended by signal 6"),
            (0, "", "does not have"),
            (0, "good and bad", "has 'bad'"),
        ):
            self.assertIn(reason, judge(client, code, output))

    def test_names_are_unique(self) -> None:
        self.assertEqual(len({client.name for client in CLIENTS}), len(CLIENTS))


class Tables(unittest.TestCase):
    def setUp(self) -> None:
        good = {"client": "a", "status": "pass", "reason": "", "seconds": 1.25, "last": ["x"]}
        bad = {"client": "b", "status": "fail", "reason": "exit code 1", "seconds": 2, "last": ["lost"]}
        self.columns = {"L1": {"a": good, "b": bad}, "L2": {"a": good}}

    def test_rst(self) -> None:
        text, unexplained = as_rst(self.columns, {"L1": {"b": "It needs\n  more."}})
        self.assertEqual(unexplained, [])
        lines = text.splitlines()
        self.assertEqual(lines[1].split(), ["client", "L1", "L2"])
        self.assertIn("pass, 1.2 s", lines[3])
        self.assertIn("not run", lines[4])
        self.assertEqual(lines[-1], "* b, L1: exit code 1. It needs more.")

    def test_a_failure_without_cause_is_reported(self) -> None:
        text, unexplained = as_markdown(self.columns, {})
        self.assertEqual(unexplained, [("L1", "b")])
        self.assertIn("| a | pass, 1.2 s | pass, 1.2 s |", text)
        self.assertIn("lost", text)

    def test_results_are_read(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clients.jsonl"
            path.write_text(json.dumps(self.columns["L1"]["a"]) + "\n\n", encoding="utf-8")
            self.assertEqual(read_results(path), {"a": self.columns["L1"]["a"]})


if __name__ == "__main__":
    unittest.main()
