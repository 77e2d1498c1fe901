# SPDX-License-Identifier: GPL-2.0
"""What the console of the user-mode kernel says: which part is KTAP, what the kernel complained of, how suites ended."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_INIT = re.compile(r"^Run /init as init process$", re.MULTILINE)
_COMPLAINT = re.compile(r"^(?:BUG:|WARNING:|INFO: |Kernel panic|rust_kernel: panicked|Oops)")


class LaneError(Exception):
    """Why the suites could not be run or judged, in a sentence that the user can act on."""


@dataclass
class Suite:
    """One suite: its tests by name in the order they ran, with KUnit's verdict (PASS, FAIL, SKIP, ERROR)."""

    name: str
    tests: list[tuple[str, str]] = field(default_factory=list)
    # What kunit.py found wrong with the output itself, such as tests that were announced and did not come.
    errors: int = 0

    def count(self, *verdicts: str) -> int:
        """How many tests ended with one of these verdicts."""
        return sum(verdict in verdicts for _, verdict in self.tests)

    @property
    def passed(self) -> int:
        """Tests that passed."""
        return self.count("PASS")

    @property
    def failed(self) -> int:
        """Tests that failed or crashed; at least one if only the output was wrong."""
        return self.count("FAIL", "ERROR") or (1 if self.errors else 0)

    @property
    def skipped(self) -> int:
        """Tests that were left out by a configuration."""
        return self.count("SKIP")


def judge(console: str, parser: Path, folder: Path) -> list[Suite]:
    """What became of the suites. `parser` is the kernel's own kunit.py; its report and results go into `folder`."""
    output = suites_output(console)
    ktap, report, results = folder / "suites.ktap", folder / "report.log", folder / "results.json"
    ktap.write_text(output)
    results.unlink(missing_ok=True)
    with report.open("w") as log:
        # Its exit code says whether tests failed, which the results say as well.
        command = [sys.executable, "-B", str(parser), "parse", f"--json={results}", str(ktap)]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
    if not results.exists():
        raise LaneError(f"{parser.name} parse wrote no results: see {report}")
    suites = suites_of(results.read_text())
    complained = complaints(output)
    if complained:
        suites.append(Suite("(kernel)", [(line, "FAIL") for line in complained]))
    return suites


def suites_output(console: str) -> str:
    """The part of the console that the module printed: the kernel's own executor prints a KTAP header of its own before."""
    found = _INIT.search(console)
    if not found:
        raise LaneError("the user-mode kernel did not come as far as /init")
    return console[found.end() :].lstrip("\n")


def complaints(output: str) -> list[str]:
    """Lines in which the kernel complains. They count even if every test says that it passed."""
    return [line for line in output.splitlines() if _COMPLAINT.match(line)]


def suites_of(report: str) -> list[Suite]:
    """The suites in the JSON that `kunit.py parse` writes."""
    top = json.loads(report)
    suites = [_suite(group) for group in top["sub_groups"]]
    # A suite that printed nothing but its name has no sub-group; it stands there like a test.
    suites += [Suite(case["name"] or "(no name)", [], 1) for case in top["test_cases"]]
    beyond = top["misc"]["errors"] - sum(suite.errors for suite in suites)
    return [*suites, Suite("(output)", [], beyond)] if beyond > 0 and suites else suites


def _suite(group: dict) -> Suite:
    tests = [(case["name"] or "(did not end)", case["status"]) for case in group["test_cases"]]
    for inner in group["sub_groups"]:
        tests += [(f"{inner['name']}.{name}", verdict) for name, verdict in _suite(inner).tests]
    return Suite(group["name"], tests, group["misc"]["errors"])


def table(suites: Iterable[Suite]) -> str:
    """A line for each suite, and one for each test in it that did not pass."""
    rows = [f"{'suite':<24} {'passed':>6} {'failed':>6} {'skipped':>7}"]
    for suite in suites:
        rows.append(f"{suite.name:<24} {suite.passed:>6} {suite.failed:>6} {suite.skipped:>7}")
        rows += [f"    {verdict.lower()}: {name}" for name, verdict in suite.tests if verdict in ("FAIL", "ERROR")]
    return "\n".join(rows)
