# SPDX-License-Identifier: GPL-2.0
"""What Kbuild did for each Rust crate, as its .cmd files tell: flags, environment, dependencies. They are the one truth."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

_SAVED = re.compile(r"^savedcmd_(\S+) := (.*)$", re.MULTILINE)
_ASSIGNMENT = re.compile(r"^([A-Za-z_]\w*)=(.*)$", re.DOTALL)
_COMPILERS = ("rustc", "clippy-driver")


@dataclass(frozen=True)
class Compiled:
    """One crate as it was compiled: `arguments` are the compiler's, without what it was to write and where."""

    name: str
    root: Path
    environment: dict[str, str]
    arguments: list[str]

    @property
    def externs(self) -> list[str]:
        """The crates that it sees, besides core."""
        return [after for before, after in zip(self.arguments, self.arguments[1:], strict=False) if before == "--extern"]


def crate_of(text: str) -> Compiled | None:
    """The crate that a .cmd file tells of; None if it is not of the Rust compiler."""
    saved = _SAVED.search(text)
    words = shlex.split(saved.group(2)) if saved else []
    environment = {}
    while words and (assignment := _ASSIGNMENT.match(words[0])):
        environment[assignment.group(1)] = assignment.group(2)
        words.pop(0)
    if not words or Path(words[0]).name not in _COMPILERS:
        return None
    # Behind the compiler, objtool may follow.
    words = words[1 : words.index(";")] if ";" in words else words[1:]
    arguments, root, skip = [], None, False
    for word in words:
        if skip:
            skip = False
        elif word == "--out-dir":
            skip = True
        elif word.startswith("--emit="):
            continue
        elif word.endswith(".rs") and not word.startswith("-"):
            root = Path(word)
        else:
            arguments.append(word)
    return Compiled(root.stem, root, environment, arguments) if root else None


def crates_below(output: Path) -> list[Compiled]:
    """The crates that were compiled into this folder, each after those that it sees."""
    found = (crate_of(path.read_text()) for path in sorted(output.rglob(".*.o.cmd")))
    waiting = {crate.name: crate for crate in found if crate}
    ordered: list[Compiled] = []
    while waiting:
        ready = [crate for crate in waiting.values() if not any(name in waiting for name in crate.externs)]
        if not ready:
            raise ValueError(f"crates of {output} see each other in a circle: {', '.join(waiting)}")
        for crate in ready:
            ordered.append(waiting.pop(crate.name))
    return ordered
