# SPDX-License-Identifier: GPL-2.0
"""Tables of what a run came to, from the files that it left."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

_VERDICTS = ("PASS", "FAIL", "SKIP")


def rows_of_run(output: Path, outputs: Iterable[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Machine, thing, result: for each check that a script reported, each stage, and whatever failed the run."""
    rows: list[tuple[str, str, str]] = []
    for lane, name in outputs:
        path = output / name
        rows += rows_of_script(lane, path.read_text(errors="replace") if path.is_file() else "")
    path = output / "result.json"
    if not path.is_file():
        return [*rows, ("", "run", "FAIL it left no result")]
    result = json.loads(path.read_text())
    rows += [(lane, "script", "PASS" if code == 0 else f"FAIL exit code {code}") for lane, code in result["exits"].items()]
    for finding in result["findings"]:
        lines = [line for line in finding["lines"] if not line.startswith("----")]
        rows.append((finding["source"], "kernel log", f"FAIL {lines[0] if lines else finding['lines'][0]}"))
    rows += [("", "run", f"FAIL {failure}") for failure in result["failures"]]
    rows += [(stage["lane"], f"time: {stage['stage']}", f"{stage['seconds']:.1f} s") for stage in result["stages"]]
    return rows


def rows_of_script(lane: str, text: str) -> list[tuple[str, str, str]]:
    """The lines `PASS name`, `FAIL name reason` and `SKIP name reason` of a test program."""
    rows = []
    for line in text.splitlines():
        verdict, _, rest = line.partition(" ")
        if verdict in _VERDICTS and rest:
            name, _, remark = rest.partition(" ")
            rows.append((lane, name, f"{verdict} {remark}".strip()))
    return rows


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their longest entry."""
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
