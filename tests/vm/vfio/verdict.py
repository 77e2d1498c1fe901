# SPDX-License-Identifier: GPL-2.0
"""Whether what two drivers did is alike, but for what the table of reasons allows."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from .compare import Difference, Reason, differences, judge, read_lines, read_reasons

_TABLE = Path(__file__).with_name("differences.toml")
SCRIPTS = ("both", "wrap")


@dataclass(frozen=True)
class Verdict:
    """What a comparison came to."""

    compared: int
    differences: list[Difference]
    reasons: list[Reason]
    wrong: list[str]

    @property
    def passed(self) -> int:
        """How many of the compared things are alike, or differ for a reason."""
        return max(self.compared - len(self.wrong), 0)

    def text(self) -> str:
        """What is wrong, how often each reason was needed, and the counts."""
        lines = [*self.wrong, *(f"{reason.used:6} x {reason.text}" for reason in self.reasons)]
        lines.append(f"{self.compared} compared, {len(self.differences)} differences")
        lines.append(f"{self.passed} passed, {len(self.wrong)} failed")
        return "\n".join(lines)


def of_requests(scripts: Path, stock: Path, ours: Path) -> Verdict:
    """From the folder that `generate` wrote, and those in which `answer` left the answers."""
    found: list[Difference] = []
    short: list[str] = []
    compared = 0
    for name in SCRIPTS:
        script = read_lines(scripts / f"{name}.jsonl")
        answers = [read_lines(folder / f"{name}.answers") for folder in (stock, ours)]
        # The stock driver may die of the second script; nothing else ends early.
        for driver, given in zip(("stock", "ours"), answers, strict=True):
            if len(given) != len(script) and (driver, name) != ("stock", "wrap"):
                short.append(f"{driver}: {len(given)} of {len(script)} requests of {name}.jsonl were answered")
        found += differences(script, *answers)
        compared += len(script)
    return _verdict("vfio", compared, found, short)


def of_listings(stock: Path, ours: Path) -> Verdict:
    """From two files with what lspci printed."""
    listings = [path.read_text().splitlines() if path.is_file() else [] for path in (stock, ours)]
    short = [f"{path} is empty" for path, lines in zip((stock, ours), listings, strict=True) if not lines]
    return _verdict("lspci", max(map(len, listings)), list(_lines(*listings)), short)


def _lines(stock: Sequence[str], ours: Sequence[str]) -> Iterator[Difference]:
    matcher = difflib.SequenceMatcher(None, stock, ours, autojunk=False)
    for kind, begin, end, our_begin, our_end in matcher.get_opcodes():
        if kind == "equal":
            continue
        for before, after in zip_longest(stock[begin:end], ours[our_begin:our_end], fillvalue=""):
            name = (before or after).partition(":")[0].strip()
            yield Difference({"line": name}, {"text": before.strip()}, {"text": after.strip()})


def _verdict(table: str, compared: int, found: list[Difference], short: list[str]) -> Verdict:
    reasons = read_reasons(_TABLE, table)
    return Verdict(compared, found, reasons, short + judge(found, reasons))
