# SPDX-License-Identifier: GPL-2.0
"""Requests to the PCI configuration space."""

import random

from .script import CONFIG, EDID, OPREGION, Script, around

_SIZE = 4096
_SWSCI, _ASLS = 0xE8, 0xFC
_PATTERNS = (0xFFFFFFFF, 0, 0x5A5A5A5A, 0xA5A5A5A5)


def reading(script: Script) -> None:
    """All of it, in every width at every alignment."""
    script.block("config-read")
    script.add("read", region=CONFIG, offset=0, length=_SIZE)
    for offset in range(256):
        script.read(CONFIG, offset, 1)
    for width in (2, 4, 8):
        for offset in range(64):
            script.read(CONFIG, offset, width)
    for width in (3, 5, 7, 16):
        for offset in range(8):
            script.read(CONFIG, offset, width)
    for offset, width in around(_SIZE, (1, 2, 4, 8, 16)):
        script.read(CONFIG, offset, width)
    for offset in (0x1FFC, 0x10000, 0x10010, 0x7FFFFFFC, 0xFFFFF000 - 4):
        script.read(CONFIG, offset)


def writing(script: Script, numbers: random.Random) -> None:
    """Patterns into each dword, one bit after the other into the header, parts of dwords everywhere."""
    script.block("config-write")
    for offset in (*range(0, 0x100, 4), 0x100, 0x104, 0x108, 0x200, 0x204, 0x300, 0x304, 0x400, 0x800, 0xFF8, 0xFFC):
        if offset in (_SWSCI, _ASLS):
            continue  # the OpRegion's block has them
        for value in _PATTERNS:
            script.write(CONFIG, offset, value)
            script.read(CONFIG, offset)
    script.add("read", region=CONFIG, offset=0, length=_SIZE)
    script.block("config-bits")
    for offset in range(0, 0x40, 4):
        for bit in range(32):
            script.write(CONFIG, offset, 1 << bit)
            script.read(CONFIG, offset)
    # Behind the header whole ranges at once: the kernel takes them apart.
    script.block("config-ranges")
    for value in (0xFFFFFFFF, 0, *(1 << bit for bit in range(32))):
        for begin, end in ((0x40, _SWSCI), (_SWSCI + 4, _ASLS), (_ASLS + 4, _SIZE)):
            script.add("write", region=CONFIG, offset=begin, data=value.to_bytes(4, "little").hex() * ((end - begin) // 4))
        script.add("read", region=CONFIG, offset=0, length=_SIZE)
    for width in (1, 2):
        script.block(f"config-parts-{width}")
        for offset in range(0x40):
            for value in (0xFFFF, 0, 0xA5A5):
                script.write(CONFIG, offset, value, width)
                script.add("read", region=CONFIG, offset=offset & ~3, length=8)
    script.block("config-unaligned")
    for width in (3, 4, 5, 8):
        for offset in range(0x40):
            script.write(CONFIG, offset, 0x8877665544332211, width)
            script.add("read", region=CONFIG, offset=offset & ~3, length=12)
    script.block("config-edge")
    for offset, width in around(_SIZE, (1, 2, 4, 8)):
        script.write(CONFIG, offset, 0x8877665544332211, width)
        script.add("read", region=CONFIG, offset=_SIZE - 16, length=16)
    script.block("config-random")
    for _ in range(256):
        offset = numbers.randrange(0xE0)
        script.write(CONFIG, offset, numbers.getrandbits(64), numbers.choice((1, 2, 4, 8)))
        script.add("read", region=CONFIG, offset=offset & ~3, length=12)
    script.add("read", region=CONFIG, offset=0, length=_SIZE)
    script.block("config-reset")
    script.add("read", region=CONFIG, offset=0, length=_SIZE)


def bars(script: Script) -> None:
    """Sizes and addresses of the BARs as firmware and kernels ask for them, and in parts."""
    script.block("bars")
    for offset in (*range(0x10, 0x28, 4), 0x30):
        script.write(CONFIG, offset, 0xFFFFFFFF)
        script.read(CONFIG, offset)
        for value in (0xF0000000, 0xF0000004, 0xE1234567, 0xFFFFFFFE, 0xFFFFF800, 0xFFFFF801, 0):
            script.write(CONFIG, offset, value)
            script.add("read", region=CONFIG, offset=0x10, length=36)
    script.block("bars-parts")
    for offset in (0x10, 0x14, 0x18, 0x1C):
        for place in range(4):
            script.write(CONFIG, offset + place, 0xFF, 1)
            script.read(CONFIG, offset)
        for place in (0, 2):
            script.write(CONFIG, offset + place, 0xFFFF, 2)
            script.read(CONFIG, offset)
    script.write(CONFIG, 0x10, 0xFFFFFFFFFFFFFFFF, 8)
    script.read(CONFIG, 0x10, 8)
    script.write(CONFIG, 0x10, 0x00000004F0000000, 8)
    script.read(CONFIG, 0x10, 8)
    script.block("command")
    for value in (0, 1, 2, 3, 4, 7, 0x400, 0x406, 0xFFFF, 0):
        script.write(CONFIG, 4, value, 2)
        script.read(CONFIG, 4)
        # Neither of these depends on what the command register enables: a VMM asks for itself.
        script.read(0, 0x78000, 8)
        script.add("read", region=2, base="low", offset=0)
    for value in (0x7, 0x407, 0xF9000007, 0xFFFF0000):
        script.write(CONFIG, 4, value)
        script.read(CONFIG, 4)
    # Power states, in the capability that the host's GPU has at 0xd0.
    for state in (3, 0, 1, 2, 3):
        script.write(CONFIG, 0xD4, state, 2)
        script.read(CONFIG, 0xD4)
    script.add("reset")
    script.read(CONFIG, 0xD4)


# Positions whose low 32 bits wrap around when the width is added, and the widths.
_WRAPPING = ((0xFFFFFFFC, 4), (0xFFFFFFFF, 1), (0x1FFFFFFFC, 4), (0xFFFFFFFFFC, 4), (0xFFFFFFF8, 8))


def beyond(script: Script) -> None:
    """Reads that wrap around.

    The stock driver reads kernel memory for these (gvt-spec 12, field.md 5.2), so they are a script of their own.
    """
    script.block("wrap")
    for offset, width in _WRAPPING:
        script.read(CONFIG, offset, width)


def writing_beyond(script: Script) -> None:
    """Writes that wrap around, with the answers that they must get: no other driver is to be asked that."""
    script.block("wrap-write")
    script.add("read", region=CONFIG, offset=0, length=_SIZE)
    for region in (0, 2, CONFIG, OPREGION, EDID):
        for offset, width in _WRAPPING:
            script.write(region, offset, 0x8877665544332211, width, expect={"errno": "EFAULT"})
            script.read(region, offset, width, expect={"errno": "EFAULT"})
    for offset, value in ((0, "0x19128086"), (0x10, "0x00000004"), (0xFC, "0x00000000")):
        script.read(CONFIG, offset, expect={"value": value})
