# SPDX-License-Identifier: GPL-2.0
"""Tables from the results of clients."""

import json
import tomllib
from pathlib import Path

Results = dict[str, dict[str, object]]
Columns = dict[str, Results]
Causes = dict[str, dict[str, str]]
Unexplained = list[tuple[str, str]]

_BAD = ("fail", "timeout", "missing")


def read_results(path: Path) -> Results:
    """The results of one run by name of the client."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {str(line["client"]): line for line in lines}


def read_causes(path: Path) -> Causes:
    """Heading -> client -> why it fails there."""
    with path.open("rb") as file:
        return tomllib.load(file)


def _names(columns: Columns) -> list[str]:
    """All clients, in the order of the first column, then those that only others have."""
    names: list[str] = []
    for results in columns.values():
        names += [name for name in results if name not in names]
    return names


def _cell(result: dict[str, object] | None) -> str:
    if result is None:
        return "not run"
    if result["status"] == "skip":
        return f"skip ({result['reason']})"
    return f"{result['status']}, {float(str(result['seconds'])):.1f} s"


def _notes(columns: Columns, causes: Causes) -> tuple[list[str], Unexplained]:
    notes: list[str] = []
    unexplained: Unexplained = []
    for heading, results in columns.items():
        for name, result in results.items():
            if result["status"] not in _BAD:
                continue
            cause = causes.get(heading, {}).get(name)
            if cause is None:
                unexplained.append((heading, name))
                last = result.get("last")
                cause = str(last[-1]) if isinstance(last, list) and last else "no output"
            notes.append(f"{name}, {heading}: {result['reason']}. {' '.join(cause.split())}")
    return notes, unexplained


def _rows(columns: Columns) -> list[list[str]]:
    head = ["client", *columns]
    return [head, *([name, *(_cell(results.get(name)) for results in columns.values())] for name in _names(columns))]


def as_rst(columns: Columns, causes: Causes) -> tuple[str, Unexplained]:
    """A reStructuredText table with notes below, and the failures that nothing explains."""
    rows = _rows(columns)
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    notes, unexplained = _notes(columns, causes)
    text = [rule, lines[0], rule, *lines[1:], rule]
    if notes:
        text += ["", *(f"* {note}" for note in notes)]
    return "\n".join(text), unexplained


def as_markdown(columns: Columns, causes: Causes) -> tuple[str, Unexplained]:
    """The same in Markdown."""
    rows = _rows(columns)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    notes, unexplained = _notes(columns, causes)
    text = [lines[0], f"|{'---|' * len(rows[0])}", *lines[1:]]
    if notes:
        text += ["", *(f"* {note}" for note in notes)]
    return "\n".join(text), unexplained
