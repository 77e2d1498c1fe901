# SPDX-License-Identifier: GPL-2.0
"""A writer for the archive format that the kernel unpacks as an initramfs.

The format is "newc": each member is a header of hexadecimal numbers, the name and the content, both padded
to four bytes. Owner and time are always 0, so that the same content gives the same bytes.
"""

import os
import stat
from pathlib import Path, PurePosixPath

_TRAILER = "TRAILER!!!"


class Archive:
    """Collects members in memory; parents of a member are added by themselves."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._directories: set[str] = set()
        self._inode = 0

    def directory(self, name: str, mode: int = 0o755) -> None:
        """Adds a directory once, however often it is asked for."""
        name = _relative(name)
        if not name or name in self._directories:
            return
        self._parents(name)
        self._directories.add(name)
        self._member(name, stat.S_IFDIR | mode, b"")

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Adds a regular file."""
        name = _relative(name)
        self._parents(name)
        self._member(name, stat.S_IFREG | mode, content)

    def symlink(self, name: str, target: str) -> None:
        """Adds a symbolic link."""
        name = _relative(name)
        self._parents(name)
        self._member(name, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, name: str, major: int, minor: int) -> None:
        """Adds a character device node."""
        name = _relative(name)
        self._parents(name)
        self._member(name, stat.S_IFCHR | 0o600, b"", (major, minor))

    def tree(self, source: Path, name: str) -> None:
        """Adds a directory of the host with all that it holds, as `name`."""
        self.directory(name)
        for folder, directories, files in os.walk(source):
            directories.sort()
            inside = PurePosixPath(name) / Path(folder).relative_to(source)
            for entry in sorted(directories + files):
                path = Path(folder) / entry
                member = str(inside / entry)
                if path.is_symlink():
                    self.symlink(member, os.readlink(path))
                elif path.is_dir():
                    self.directory(member)
                elif path.is_file():
                    mode = 0o755 if os.access(path, os.X_OK) else 0o644
                    self.file(member, path.read_bytes(), mode)

    def finish(self) -> bytes:
        """Ends the archive and gives its bytes."""
        self._member(_TRAILER, 0, b"")
        blob = b"".join(self._parts)
        # Archives are put one behind the other, and the kernel looks for the next one at a multiple of 4 bytes;
        # 512 is what every other writer of the format pads to.
        return blob + bytes(-len(blob) % 512)

    def _parents(self, name: str) -> None:
        parent = str(PurePosixPath(name).parent)
        if parent != ".":
            self.directory(parent)

    def _member(self, name: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)) -> None:
        self._inode += 1
        encoded = name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (self._inode, mode, 0, 0, links, 0, len(content), 0, 0, *device, len(encoded), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        head = header + encoded
        self._parts += [head, bytes(-len(head) % 4), content, bytes(-len(content) % 4)]


def _relative(name: str) -> str:
    """The name as the archive wants it: without a slash in front."""
    return str(PurePosixPath("/") / name)[1:]
