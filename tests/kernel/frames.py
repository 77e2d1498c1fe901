# SPDX-License-Identifier: GPL-2.0
"""How much of the stack each function of an object file takes, by its disassembly."""

import re
from collections.abc import Iterable

_FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
_FRAME = re.compile(r"\bsub +\$0x([0-9a-f]+),%rsp$")


def frames(disassembly: Iterable[str]) -> dict[str, int]:
    """Bytes for each function that moves the stack pointer, from the lines of `objdump -d` for x86-64.

    A function that does it in several places, each on a way of its own, counts with the biggest.
    """
    found: dict[str, int] = {}
    function = ""
    for line in disassembly:
        line = line.rstrip()
        if start := _FUNCTION.match(line):
            function = start.group(1)
        elif step := _FRAME.search(line):
            found[function] = max(found.get(function, 0), int(step.group(1), 16))
    return found
