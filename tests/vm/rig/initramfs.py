# SPDX-License-Identifier: GPL-2.0
"""The initramfs images of both levels: a part that is kept in the cache, and a small part made for each run."""

import hashlib
import json
import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from .cpio import Archive
from .kernel import Kernel, store
from .modules import plain_name
from .paths import Layout

# What the root file system of L1 needs comes first: the init script loads it before anything else.
L1_EARLY = ["virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay"]
L1_MODULES = ["i915", "kvm_amd", "vfio", "vfio_iommu_type1", "mdev", "kvmgt"]
L2_EARLY = ["virtio_pci", "virtio_console"]
L2_GPU = ["i915"]
L2_ROOT = ["9pnet_virtio", "9p", "overlay"]

# Where `make install` puts our module: modprobe prefers this folder to the kernel's own.
OURS = "updates/kvmgt.ko"

_KEEP = 24
_DEPMOD_INPUTS = ("modules.order", "modules.builtin", "modules.builtin.modinfo")


@dataclass
class Extra:
    """What one run adds to an image: settings, a script and pushed files."""

    settings: dict[str, str] = field(default_factory=dict)
    script: Path | None = None
    push: Path | None = None
    files: dict[str, bytes] = field(default_factory=dict)

    def archive(self) -> bytes:
        """The archive that the kernel unpacks over the cached image."""
        archive = Archive()
        lines = "".join(f"{name}={_quoted(value)}\n" for name, value in self.settings.items())
        archive.file("rig/settings", lines.encode())
        if self.script:
            archive.file("rig/script", self.script.read_bytes(), 0o755)
        for name, content in self.files.items():
            archive.file(name, content)
        archive.directory("push")
        if self.push:
            archive.tree(self.push, "push")
        return archive.finish()


class Images:
    """Makes the cached part of the images of one kernel."""

    def __init__(self, layout: Layout, kernel: Kernel) -> None:
        self._layout = layout
        self._kernel = kernel
        self._busybox = layout.root / "bin" / "busybox"

    def l1(self, ours: Path | None) -> Path:
        """Busybox, the modules of L1 (found by the modprobe of its root too), our kvmgt.ko among them, and its init script."""
        added = {OURS: ours.read_bytes()} if ours else {}
        return self._build("l1", {"early": L1_EARLY, "all": L1_EARLY + L1_MODULES}, added, depmod=True)

    @property
    def stock_kvmgt(self) -> str:
        """Where the stock kvmgt.ko lies in L1."""
        return self._in_machine(plain_name(self._kernel.modules.path("kvmgt")))

    @property
    def our_kvmgt(self) -> str:
        """Where ours lies in L1, if it is there."""
        return self._in_machine(OURS)

    def l2(self, whole_root: bool) -> Path:
        """Busybox, i915 with what it depends on, and the init script of a guest."""
        sets = {"early": L2_EARLY, "gpu": L2_GPU}
        if whole_root:
            sets["root"] = L2_ROOT
        return self._build("l2", sets, {}, depmod=False)

    def _in_machine(self, path: str) -> str:
        return f"/lib/modules/{self._kernel.release}/{path}"

    def _build(self, level: str, sets: dict[str, list[str]], added: dict[str, bytes], depmod: bool) -> Path:
        modules = self._kernel.modules
        orders = {name: modules.load_order(names) for name, names in sets.items()}
        wanted = list(dict.fromkeys(module for order in orders.values() for module in order))
        scripts = sorted((self._layout.here / level).iterdir())
        key = hashlib.sha256(json.dumps([level, self._kernel.release, orders, depmod]).encode())
        for path in [Path(__file__), self._busybox, *scripts, *(modules.folder / modules.path(m) for m in wanted)]:
            key.update(hashlib.file_digest(path.open("rb"), "sha256").digest())
        for path, content in added.items():
            key.update(path.encode() + hashlib.sha256(content).digest())
        target = self._layout.images / f"{level}-{key.hexdigest()[:20]}.cpio"
        if target.exists():
            os.utime(target)
            return target

        archive = Archive()
        for name in ("proc", "sys", "dev", "tmp", "run", "mnt", "out", "push", "root"):
            archive.directory(name)
        archive.character_device("dev/console", 5, 1)
        archive.character_device("dev/null", 1, 3)
        self._add_busybox(archive)
        for script in scripts:
            archive.file("init" if script.name == "init" else f"rig/{script.name}", script.read_bytes(), 0o755)
        base = self._in_machine("").strip("/")
        contents = {plain_name(modules.path(module)): modules.content(module) for module in wanted} | added
        for path, content in contents.items():
            archive.file(f"{base}/{path}", content)
        for name, order in orders.items():
            lines = "".join(f"/{base}/{plain_name(modules.path(module))}\n" for module in order)
            archive.file(f"rig/load.{name}", lines.encode())
        if depmod:
            for name, content in self._indexes(contents).items():
                archive.file(f"{base}/{name}", content)
        store(target, archive.finish())
        self._prune()
        return target

    def _add_busybox(self, archive: Archive) -> None:
        archive.file("bin/busybox", self._busybox.read_bytes(), 0o755)
        listing = subprocess.run([self._busybox, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
        for applet in listing.split():
            if applet != "busybox":
                archive.symlink(f"bin/{applet}", "busybox")
        archive.symlink("sbin", "bin")

    def _indexes(self, contents: dict[str, bytes]) -> dict[str, bytes]:
        """The tables that modprobe reads, made by depmod for just these modules."""
        with tempfile.TemporaryDirectory(prefix="kvmgt-depmod-") as scratch:
            release = self._kernel.release
            folder = Path(scratch) / "lib" / "modules" / release
            for path, content in contents.items():
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            for name in _DEPMOD_INPUTS:
                source = self._kernel.modules.folder / name
                if source.is_file():
                    (folder / name).write_bytes(source.read_bytes())
            command = [*self._layout.enter, "depmod", "-b", scratch, release]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
            return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    def _prune(self) -> None:
        """Keeps the images that were used last; the others can be made again."""
        images = sorted(self._layout.images.glob("l[12]-*.cpio"), key=lambda path: path.stat().st_mtime)
        for path in images[:-_KEEP]:
            path.unlink(missing_ok=True)


def _quoted(value: str) -> str:
    """A value as a shell reads it back."""
    return "'" + value.replace("'", "'\\''") + "'"
