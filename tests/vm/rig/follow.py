# SPDX-License-Identifier: GPL-2.0
"""Follows the files that the virtual machines write while they run."""

from pathlib import Path


class Follower:
    """Gives the complete lines that were added to a file since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._rest = b""

    def lines(self) -> list[str]:
        """New lines; an unfinished one is kept back until its end is there."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._position)
                new = stream.read()
        except FileNotFoundError:
            return []
        self._position += len(new)
        *complete, self._rest = (self._rest + new).split(b"\n")
        return [line.decode(errors="replace").rstrip("\r") for line in complete]

    def rest(self) -> list[str]:
        """What is left when no more will come, with or without an end of line."""
        lines = self.lines()
        if self._rest:
            lines.append(self._rest.decode(errors="replace"))
            self._rest = b""
        return lines
