# SPDX-License-Identifier: GPL-2.0
"""Holds the answers of two drivers against each other, and what differs against a table of reasons."""

import gzip
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from . import sweep

Object = Mapping[str, object]

_DWORD = 4
# The kinds of reason: the C driver's fault, a hole in it, something it has not, a deliberate other choice.
_KINDS = ("BUG", "SEC", "FEATURE", "CHOICE")


@dataclass(frozen=True)
class Difference:
    """One thing in which two answers to the same request differ."""

    request: Object
    stock: Object
    ours: Object
    # Where the bytes are that differ, for a read: an offset in what `request` counts from.
    at: int | None = None

    def __str__(self) -> str:
        asked = {name: value for name, value in self.request.items() if name != "at"}
        place = "" if self.at is None else f" at {self.at:#x}"
        return f"{_compact(asked)}{place}\n    stock: {_compact(self.stock)}\n    ours:  {_compact(self.ours)}"


@dataclass
class Reason:
    """An entry of the table: which differences it explains, and why they are right."""

    text: str
    request: Object
    stock: Object
    ours: Object
    # Whether it depends on what the host was doing when the driver was loaded, so that it may not be needed.
    chance: bool = False
    used: int = field(default=0, compare=False)

    @classmethod
    def read(cls, entry: Object) -> Self:
        """Reads an entry; refuses one that says nothing or asks for what no difference has."""
        unknown = entry.keys() - {"reason", "request", "stock", "ours", "chance"}
        text = str(entry.get("reason", ""))
        if unknown or not re.match(rf"\[({'|'.join(_KINDS)})\] .*\(.+\)$", text, re.DOTALL):
            form = f"[{'|'.join(_KINDS)}] why (document and section)"
            raise ValueError(f"'{text}': a reason is `{form}`; unknown: {sorted(unknown)}")
        tables = [entry.get(name, {}) for name in ("request", "stock", "ours")]
        if not all(isinstance(table, dict) for table in tables) or not tables[0] or not (tables[1] or tables[2]):
            raise ValueError(f"'{text}': an entry needs tables `request`, and `stock` or `ours`")
        return cls(text, *tables, chance=entry.get("chance") is True)

    def explains(self, difference: Difference) -> bool:
        """Whether all patterns match."""
        request = dict(difference.request)
        if difference.at is not None:
            request["at"] = difference.at
        parts = ((self.request, request), (self.stock, difference.stock), (self.ours, difference.ours))
        return all(name in answer and matches(wanted, answer[name]) for table, answer in parts for name, wanted in table.items())


def number(value: object) -> int | None:
    """A number as scripts and answers have it: of JSON, or a string of digits with 0x."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?(0x[0-9a-fA-F]+|[0-9]+)", value):
        return int(value, 0)
    return None


def matches(wanted: object, value: object) -> bool:
    """Whether a value fits a pattern: itself, one of a list, { from, to }, { mask, value }, or { re }."""
    if isinstance(wanted, list):
        return any(matches(one, value) for one in wanted)
    if isinstance(wanted, dict):
        if wanted.keys() == {"re"}:
            text = value if isinstance(value, str) else _compact(value)
            return re.fullmatch(str(wanted["re"]), text) is not None
        amount = number(value)
        if wanted.keys() == {"from", "to"}:
            return amount is not None and wanted["from"] <= amount <= wanted["to"]
        if wanted.keys() == {"mask", "value"}:
            return amount is not None and amount & wanted["mask"] == wanted["value"]
        raise ValueError(f"{wanted}: a pattern is a value, a list of patterns, {{ from, to }}, {{ mask, value }} or {{ re }}")
    if isinstance(wanted, int) and not isinstance(wanted, bool):
        return number(value) == wanted
    return type(wanted) is type(value) and wanted == value


def differences(script: Sequence[Object], stock: Sequence[Object], ours: Sequence[Object]) -> Iterator[Difference]:
    """All of them in the order of the script; an answer that is missing differs from one that is there."""
    for place, request in enumerate(script):
        pair = [_plain(answers[place]) if place < len(answers) else {"missing": True} for answers in (stock, ours)]
        if pair[0] != pair[1]:
            for access in sweep.taken_apart(request, *pair):
                yield from _taken_apart(*access)


def _plain(answer: Object) -> dict[str, object]:
    """What of an answer is not the script's own."""
    return {name: value for name, value in answer.items() if name not in ("line", "id", "op")}


def _taken_apart(request: Object, stock: Object, ours: Object) -> Iterator[Difference]:
    """The dwords that differ, where both drivers gave as many bytes; otherwise the answers as they are."""
    found = [_bytes(answer) for answer in (stock, ours)]
    rest = [{name: value for name, value in answer.items() if name not in ("data", "value")} for answer in (stock, ours)]
    offset = number(request.get("offset"))
    if None in found or len(found[0]) != len(found[1]) or rest[0] != rest[1] or offset is None:
        yield Difference(request, stock, ours, offset)
        return
    first = offset & -_DWORD
    for start in range(first, offset + len(found[0]), _DWORD):
        low, high = max(start - offset, 0), start + _DWORD - offset
        pieces = [whole[low:high] for whole in found]
        if pieces[0] != pieces[1]:
            yield Difference(request, {"ok": True, "data": pieces[0].hex()}, {"ok": True, "data": pieces[1].hex()}, offset + low)


def _bytes(answer: Object) -> bytes | None:
    """The content that an answer carries, if it does."""
    data, value = answer.get("data"), answer.get("value")
    if isinstance(data, str):
        return bytes.fromhex(data)
    if isinstance(value, str):
        digits = value.removeprefix("0x")
        return bytes.fromhex(digits)[::-1]
    return None


def judge(found: Iterable[Difference], reasons: Sequence[Reason]) -> list[str]:
    """What is wrong: differences without a reason, reasons without a difference."""
    wrong = []
    for difference in found:
        reason = next((reason for reason in reasons if reason.explains(difference)), None)
        if reason:
            reason.used += 1
        else:
            wrong.append(f"unexplained: {difference}")
    wrong += [f"no difference needs this any more: {reason.text}" for reason in reasons if not reason.used and not reason.chance]
    return wrong


def read_reasons(path: Path, table: str) -> list[Reason]:
    """The entries of one table of the file."""
    return [Reason.read(entry) for entry in tomllib.loads(path.read_text())[table]]


def read_lines(path: Path) -> list[Object]:
    """A script or its answers; what a killed program left of its last line is dropped."""
    lines = []
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            try:
                lines.append(json.loads(line))
            except json.JSONDecodeError:
                break
    return lines


def _compact(value: object) -> str:
    text = json.dumps(value, separators=(",", ":"))
    return text if len(text) <= 400 else f"{text[:400]}..."
