# SPDX-License-Identifier: GPL-2.0
"""Takes the answers to a sweep apart: one request and one answer for each access that two drivers answer differently."""

import re
from collections.abc import Iterator, Mapping

Object = Mapping[str, object]

# An access: what, width, base of the place, place, base that is subtracted from what is read, value with its base.
_STEP = re.compile(r"([rw])(\d)(?:\+(?:(\w+):)?([0-9a-f]+))?(?:-(\w+))?(?:=((?:\w+:)?[0-9a-f]+))?")
_DONE = "-"


def size(request: Object) -> int:
    """How many accesses a request is."""
    return len(request["offsets"] if "offsets" in request else [0]) * len(request["steps"].split()) if _is(request) else 1


def _is(request: Object) -> bool:
    return request.get("op") == "sweep"


def taken_apart(request: Object, stock: Object, ours: Object) -> Iterator[tuple[Object, Object, Object]]:
    """Accesses with the answers of both, where they differ. What is no sweep that both have done stays as it is."""
    if not _is(request) or not stock.get("ok") or not ours.get("ok"):
        yield request, stock, ours
        return
    steps = request["steps"].split()
    for offset, *rows in zip(request.get("offsets", [0]), stock["values"], ours["values"], strict=True):
        if rows[0] == rows[1]:
            continue
        wrote: dict[object, str] = {}
        for step, *words in zip(steps, *(row.split() for row in rows), strict=True):
            if step.startswith("w"):
                wrote[_place(step)] = step
            if words[0] != words[1]:
                yield _access(request, step, offset, wrote.get(_place(step), "")), _answer(words[0]), _answer(words[1])


def _place(step: str) -> object:
    """What is written together, or in parts: eight bytes."""
    found = _STEP.fullmatch(step)
    return (found[3], int(found[4] or "0", 16) // 8) if found else step


def _access(request: Object, step: str, offset: int, wrote: str) -> Object:
    found = _STEP.fullmatch(step)
    access = {"id": request["id"], "region": request["region"], "step": step, "wrote": wrote}
    if not found:
        return access | {"op": step}
    kind, width, base, place, minus, _ = found.groups()
    access |= {"op": "read" if kind == "r" else "write", "offset": offset + int(place or "0", 16), "width": int(width)}
    return access | ({"base": base} if base else {}) | ({"minus": minus} if minus else {})


def _answer(word: str) -> Object:
    if word == _DONE:
        return {"ok": True}
    if word.startswith("E"):
        return {"ok": False, "errno": word}
    return {"ok": True, "value": f"0x{word}"}
