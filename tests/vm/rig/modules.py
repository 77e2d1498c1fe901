# SPDX-License-Identifier: GPL-2.0
"""Kernel modules on the host: which ones a set of names needs, in which order, and their plain content."""

import lzma
import subprocess
from pathlib import Path

from .errors import UsageError


class ModuleTree:
    """The folder lib/modules/<release> of one kernel, as depmod described it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._requires: dict[str, list[str]] = {}
        self._paths: dict[str, str] = {}
        listing = folder / "modules.dep"
        if not listing.is_file():
            raise UsageError(f"{listing} is missing: run `make setup`")
        for line in listing.read_text().splitlines():
            path, _, needed = line.partition(":")
            name = module_name(path)
            self._paths[name] = path
            self._requires[name] = [module_name(entry) for entry in needed.split()]
        built_in = folder / "modules.builtin"
        lines = built_in.read_text().splitlines() if built_in.is_file() else []
        self._built_in = {module_name(line) for line in lines}

    def load_order(self, names: list[str]) -> list[str]:
        """All modules that `names` need, each one behind those it needs itself; built-in ones are left out."""
        order: list[str] = []
        for name in names:
            self._visit(module_name(name), order)
        return order

    def path(self, name: str) -> str:
        """Where a module lies below the folder, for instance kernel/fs/9p/9p.ko.xz."""
        return self._paths[name]

    def content(self, name: str) -> bytes:
        """The module without the compression it is stored with: unpacking is far quicker here than in a guest."""
        return plain_content(self.folder / self._paths[name])

    def _visit(self, name: str, order: list[str]) -> None:
        if name in order or name in self._built_in:
            return
        if name not in self._paths:
            raise UsageError(f"the kernel in {self.folder} has no module {name}")
        # modules.dep lists the whole closure, the nearest first, so the last one has no needs of its own.
        for needed in reversed(self._requires[name]):
            self._visit(needed, order)
        order.append(name)


def module_name(path: str) -> str:
    """The name under which the kernel knows the module in this file."""
    base = path.rsplit("/", 1)[-1]
    return base.split(".ko", 1)[0].replace("-", "_")


def plain_name(path: str) -> str:
    """The path of a module without the suffix of a compression."""
    return path.split(".ko", 1)[0] + ".ko"


def plain_content(path: Path) -> bytes:
    """The content of a module file, decompressed when need be."""
    raw = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(raw)
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dcq"], input=raw, stdout=subprocess.PIPE, check=True).stdout
    return raw
