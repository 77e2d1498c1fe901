# SPDX-License-Identifier: GPL-2.0
"""Where everything lies: the repository, the cache, the outputs."""

import os
from dataclasses import dataclass
from pathlib import Path

from .errors import UsageError


@dataclass(frozen=True)
class Layout:
    """The folders of one checkout and its cache."""

    repository: Path
    cache: Path
    series: str

    @classmethod
    def discover(cls) -> "Layout":
        """The checkout that this file belongs to, and the cache that the environment names."""
        repository = Path(__file__).resolve().parents[3]
        default = Path.home() / ".cache" / "kvmgt"
        cache = Path(os.environ.get("KVMGT_CACHE") or default).resolve()
        return cls(repository, cache, os.environ.get("KERNEL") or "7.3")

    @property
    def here(self) -> Path:
        """The folder of the rig, with the scripts of both levels."""
        return self.repository / "tests" / "vm"

    @property
    def root(self) -> Path:
        """The Debian root."""
        return self.cache / "root"

    @property
    def images(self) -> Path:
        """Unpacked kernels and initramfs images, which can be thrown away at any time."""
        return self.cache / "images"

    @property
    def enter(self) -> list[str]:
        """The command in front of every command that runs inside the root."""
        return [str(self.repository / "tests" / "setup" / "enter")]

    @property
    def emulator(self) -> Path:
        """The emulated GPU, built by the caller."""
        target = os.environ.get("CARGO_TARGET_DIR") or self.repository / "build" / "target"
        return Path(target) / "release" / "emulated-gpu"

    @property
    def built_module(self) -> Path:
        """Our kvmgt.ko, where `make modules` puts it."""
        return self.repository / "build" / f"kmod-{self.series}" / "kvmgt.ko"

    @property
    def kernel(self) -> Path:
        """The kernel of the chosen series."""
        return self.cache / "kernel" / self.series

    @property
    def finds_mistakes(self) -> bool:
        """Whether that is the kernel with KASAN and lockdep."""
        return self.series.endswith("-debug")

    @property
    def guest_kernel(self) -> Path:
        """The kernel of the guests: where the host's finds mistakes, the one without that, which is ten times as quick."""
        return self.cache / "kernel" / self.series.removesuffix("-debug")

    def output(self, name: str) -> Path:
        """Where the run of this name leaves its logs."""
        return self.repository / "build" / "vm" / name

    def check(self) -> None:
        """Refuses to start without what set-up makes."""
        for path in (self.root / "bin" / "busybox", Path(self.enter[0])):
            if not path.exists():
                raise UsageError(f"{path} is missing: run `make setup`")
