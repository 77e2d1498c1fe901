# SPDX-License-Identifier: GPL-2.0
"""The kernel of the virtual machines: where set-up left it, and its unpacked form.

A kernel image unpacks itself when it starts, which takes seconds on an emulated processor, twice in every run.
QEMU can also start the unpacked ELF file through the PVH entry point that Debian's kernels have, so the
host unpacks it once.
"""

import bz2
import gzip
import hashlib
import lzma
import os
import struct
import subprocess
from pathlib import Path

from .errors import UsageError
from .modules import ModuleTree

# Offsets in the header of a kernel image (the kernel's Documentation/arch/x86/boot.rst).
_SETUP_SECTS = 0x1F1
_MAGIC = 0x202
_VERSION = 0x206
_PAYLOAD = 0x248


class Kernel:
    """One kernel of the cache: its release, its image and its modules."""

    def __init__(self, folder: Path) -> None:
        release = folder / "release"
        self.image = folder / "vmlinuz"
        if not release.is_file() or not self.image.is_file():
            raise UsageError(f"no kernel in {folder}: run `make setup`")
        self.release = release.read_text().strip()
        self.modules = ModuleTree(folder / "modules" / "lib" / "modules" / self.release)

    def boot_file(self, images: Path) -> Path:
        """The unpacked kernel, made in `images` when it is not there yet."""
        raw = self.image.read_bytes()
        target = images / f"vmlinux-{hashlib.sha256(raw).hexdigest()[:16]}"
        if not target.exists():
            store(target, unpack_image(raw))
        return target


def unpack_image(raw: bytes) -> bytes:
    """Takes the ELF file out of a kernel image."""
    if raw[_MAGIC : _MAGIC + 4] != b"HdrS" or struct.unpack_from("<H", raw, _VERSION)[0] < 0x208:
        raise UsageError("the kernel image is not an x86 image with a payload of boot protocol 2.08 or later")
    sectors = raw[_SETUP_SECTS] or 4
    offset, length = struct.unpack_from("<II", raw, _PAYLOAD)
    start = (sectors + 1) * 512 + offset
    elf = _decompress(raw[start : start + length])
    if elf[:4] != b"\x7fELF":
        raise UsageError("the payload of the kernel image is not an ELF file")
    return elf


def store(target: Path, content: bytes) -> None:
    """Writes a file of the cache so that nobody ever sees half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    part.write_bytes(content)
    os.replace(part, target)


def _decompress(payload: bytes) -> bytes:
    # Each payload ends with its unpacked length in four bytes, of which a decompressor must not see anything; with
    # gzip those are its own.
    if payload[:6] == b"\xfd7zXZ\0":
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(payload)
    if payload[:4] == b"\x28\xb5\x2f\xfd":
        command = ["zstd", "-dcq"]
        return subprocess.run(command, input=payload[:-4], stdout=subprocess.PIPE, check=True).stdout
    if payload[:2] == b"\x1f\x8b":
        return gzip.decompress(payload)
    if payload[:3] == b"BZh":
        return bz2.decompress(payload[:-4])
    if payload[:4] == b"\x7fELF":
        return payload
    raise UsageError("the kernel image is compressed in a way that the rig cannot unpack")
