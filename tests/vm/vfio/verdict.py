# SPDX-License-Identifier: GPL-2.0
"""Whether what two drivers did is alike, but for what the table of reasons allows."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from . import sweep
from .compare import Difference, Reason, differences, judge, matches, read_lines, read_reasons
from .registers import facts

_TABLE = Path(__file__).with_name("differences.toml")
_REGISTERS = Path(__file__).with_name("registers.toml")
SCRIPTS = ("both", "wrap")
_DWORD = 4


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


def of_registers(platform: str, scripts: Path, answers: Path) -> Verdict:
    """From the folder that `generate` wrote, and that in which `in-turn` left the answers of both drivers."""
    compared, found, short = _of_both(f"registers-{platform}", platform, scripts, answers)
    reasons = _reasons("registers", platform)
    return Verdict(compared, found, reasons, short + judge(found, reasons))


def of_probe(platform: str, scripts: Path, answers: Path) -> Verdict:
    """The same of a trace. It need not have all that registers can differ in, but must have what is about traces."""
    compared, found, short = _of_both(f"probe-{platform}", platform, scripts, answers)
    own, others = _reasons("probe", platform), _reasons("registers", platform)
    rest = [difference for difference in found if not any(reason.explains(difference) for reason in others)]
    return Verdict(compared, found, own, short + judge(rest, own))


def _reasons(table: str, platform: str) -> list[Reason]:
    reasons = read_reasons(_REGISTERS, table)
    return [reason for reason in reasons if matches(reason.request.get("platform", platform), platform)]


def _of_both(name: str, platform: str, scripts: Path, answers: Path) -> tuple[int, list[Difference], list[str]]:
    """How many accesses were compared, what differs, and who did not answer all."""
    script = read_lines(scripts / f"{name}.jsonl")
    given = [read_lines(answers / driver / f"{name}.answers.gz") for driver in ("stock", "ours")]
    short = [
        f"{driver}: {len(lines)} of {len(script)} requests of {name}.jsonl were answered"
        for driver, lines in zip(("stock", "ours"), given, strict=True)
        if len(lines) != len(script)
    ]
    known = facts(platform)
    found = _with_history([_with_facts(difference, platform, known) for difference in differences(script, *given)])
    return sum(map(sweep.size, script)), found, short


def _with_facts(difference: Difference, platform: str, known: dict[int, dict[str, object]]) -> Difference:
    """The difference, with what reasons can ask of the register: which it is, and its bits, however many were read."""
    block = str(difference.request["id"]).partition(".")[0].partition("-")[0]
    more: dict[str, object] = {"platform": platform, "block": block, "wrote": difference.request.get("wrote", "")}
    answers = [dict(difference.stock), dict(difference.ours)]
    if difference.at is not None and "base" not in difference.request:
        register = difference.at & -4
        more |= {"register": register, **known.get(register, {})}
        for answer in answers:
            if "data" in answer:
                answer["bits"] = int.from_bytes(bytes.fromhex(str(answer["data"])), "little") << 8 * (difference.at - register)
    return Difference({**difference.request, **more}, *answers, difference.at)


def _with_history(found: Sequence[Difference]) -> list[Difference]:
    """The differences, with whether each is one that the register had from the start, and only in bits that cannot be written."""
    start = {
        difference.request["register"]: difference
        for difference in found
        if difference.request["block"] == "start" and "register" in difference.request
    }
    result = []
    for difference in found:
        request = dict(difference.request)
        stock, ours = (answer.get("bits") for answer in (difference.stock, difference.ours))
        before = start.get(request.get("register")) if request["block"] != "start" else None
        if isinstance(stock, int) and isinstance(ours, int):
            mask = ((1 << 4 * len(str(difference.stock["data"]))) - 1) << 8 * (difference.at % _DWORD)
            request["only_fixed_bits"] = not (stock ^ ours) & ~int(request.get("read_only", 0))
            if before and isinstance(before.stock.get("bits"), int):
                request["as_at_start"] = all(
                    answer["bits"] & mask == now & mask for answer, now in ((before.stock, stock), (before.ours, ours))
                )
        elif before:
            request["as_at_start"] = (before.stock, before.ours) == (difference.stock, difference.ours)
        result.append(Difference(request, difference.stock, difference.ours, difference.at))
    return result


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
