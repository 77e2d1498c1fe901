# SPDX-License-Identifier: GPL-2.0
"""Whether contexts on the GPU kept to the memory of one guest each, from the audit of a run."""

import json
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

# The memory of a guest: first and last frame, and since and until when it surely was that, in microseconds.
Periods = list[list[int]]


@dataclass
class Touched:
    """The page frames that one context of one engine touched, and when that was told."""

    client: str
    lrca: str
    pages: dict[int, list[int]] = field(default_factory=dict)


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
            for page in range(first, last + 1):
                pages.setdefault(page, []).append(event["us"])
    return list(found.values())


class Memory:
    """What was a guest's memory when."""

    def __init__(self, periods: Periods) -> None:
        """As the script `pages` tells."""
        self._periods = sorted(periods)
        # The highest frame of all periods up to each: a later one may begin before an earlier one ends.
        self._reach = list(accumulate((last for _, last, _, _ in self._periods), max))

    def had(self, page: int, times: list[int]) -> bool:
        """Whether a frame was the guest's at one of these times."""
        place = bisect_right(self._periods, page, key=lambda period: period[0]) - 1
        while place >= 0 and page <= self._reach[place]:
            _, last, since, until = self._periods[place]
            if page <= last and any(since <= at <= until for at in times):
                return True
            place -= 1
        return False


def judge(output: Path, guests: int) -> list[tuple[str, str, str]]:
    """Rows of machine, check, verdict: what each guest's contexts touched, and that nobody touched two guests' memory."""
    audit, memory = output / "audit.jsonl", output / "guest-pages.json"
    if not audit.is_file() or not memory.is_file():
        missing = audit if not audit.is_file() else memory
        return [("", "isolation", f"FAIL {missing.name} is missing")]
    owners = {guest: Memory(periods) for guest, periods in json.loads(memory.read_text()).items()}
    touched: dict[str, set[int]] = {guest: set() for guest in owners}
    users: dict[str, int] = dict.fromkeys(owners, 0)
    rows = []
    with audit.open() as lines:
        for context in contexts(lines):
            mine = {
                guest: hit
                for guest, owner in owners.items()
                if (hit := {page for page, times in context.pages.items() if owner.had(page, times)})
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
