# SPDX-License-Identifier: GPL-2.0
"""Whether contexts on the GPU kept to the memory of one guest each, from the audit of a run."""

import json
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

Ranges = list[list[int]]


@dataclass
class Touched:
    """The page frames that one context of one engine touched."""

    client: str
    lrca: str
    pages: set[int] = field(default_factory=set)


def contexts(audit: Iterable[str]) -> list[Touched]:
    """Every context of an engine in an audit file, with the union of what its lines say."""
    found: dict[tuple[str, str], Touched] = {}
    for line in audit:
        event = json.loads(line)
        if event["event"] != "pages" or not event["lrca"]:
            continue
        key = (event["client"], event["lrca"])
        pages = found.setdefault(key, Touched(*key)).pages
        for first, last in [*event["read"], *event["write"]]:
            pages.update(range(first, last + 1))
    return list(found.values())


def within(page: int, ranges: Ranges) -> bool:
    """Whether a frame lies in sorted ranges."""
    place = bisect_right(ranges, page, key=lambda edge: edge[0])
    return place > 0 and page <= ranges[place - 1][1]


def judge(output: Path, guests: int) -> list[tuple[str, str, str]]:
    """Rows of machine, check, verdict: what each guest's contexts touched, and that nobody touched two guests' memory."""
    audit, memory = output / "audit.jsonl", output / "guest-pages.json"
    if not audit.is_file() or not memory.is_file():
        missing = audit if not audit.is_file() else memory
        return [("", "isolation", f"FAIL {missing.name} is missing")]
    owners: dict[str, Ranges] = json.loads(memory.read_text())
    touched: dict[str, set[int]] = {guest: set() for guest in owners}
    users: dict[str, int] = dict.fromkeys(owners, 0)
    rows = []
    with audit.open() as lines:
        for context in contexts(lines):
            mine = {
                guest: hit
                for guest, ranges in owners.items()
                if (hit := {page for page in context.pages if within(page, ranges)})
            }
            for guest, hit in mine.items():
                touched[guest] |= hit
                users[guest] += 1
            if len(mine) > 1:
                amounts = ", ".join(f"{len(hit)} pages of guest {guest}" for guest, hit in mine.items())
                rows.append(("", f"isolation/{context.client}-{context.lrca}", f"FAIL touched {amounts}"))
    for guest in sorted(owners):
        verdict = "PASS" if touched[guest] else "FAIL"
        amount = f"{users[guest]} contexts touched {len(touched[guest])} of its pages"
        rows.append((f"L2-{guest}", "isolation", f"{verdict} {amount}, none of another guest"))
    if len(owners) != guests:
        rows.append(("", "isolation", f"FAIL the memory of {len(owners)} of {guests} guests is known"))
    return rows
