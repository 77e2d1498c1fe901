# SPDX-License-Identifier: GPL-2.0
"""Requests to the regions: BARs, OpRegion, EDID, those that do not exist, and their mappings."""

import random
from itertools import product

from .script import CONFIG, EDID, OPREGION, Script, around, edid, pattern

_MIB = 1 << 20
_BAR0_SIZE, _REGISTERS, _PTES = 16 * _MIB, 2 * _MIB, 8 * _MIB
_PVINFO = 0x78000
_APERTURE, _LOW = 512 * _MIB, 128 * _MIB
_PAGE = 4096
_WIDTHS = (1, 2, 4, 8)
_EDID_BLOB = 2048
_LINK_STATE, _EDID_SIZE = 20, 8
_SWSCI, _ASLS = 0xE8, 0xFC


def edges(script: Script) -> None:
    """First and last bytes, across the end, far behind it, of every region and of some that do not exist."""
    sizes = {0: _BAR0_SIZE, 2: _APERTURE, OPREGION: 8192, EDID: 128}
    script.block("edge")
    for region in (0, 1, 2, 3, 4, 5, 6, 8, OPREGION, EDID, 11, 12, 63, 255, 0x7FFFFF, 0x800000, 0xFFFFFF):
        size = sizes.get(region, 0)
        for offset, width in around(size, (*_WIDTHS, 3, 16)):
            script.read(region, offset, width)
        # Behind 32 bits, and to the end of what belongs to the region in the file. Whether another region follows
        # there is the kernel's business.
        for offset in (0x100000000, 0xFFFFFFF000, 0xFFFFFFFFF8):
            script.read(region, offset, 8)
        if region not in (0, 2):
            for offset, width in around(size, _WIDTHS):
                script.write(region, offset, 0, width)
        script.add("read", region=region, offset=0, length=0)
        script.add("write", region=region, offset=0, data="")


def pvinfo(script: Script) -> None:
    """The page that tells a guest that its GPU is virtual."""
    script.block("pvinfo")
    placed = {0x40: "low", 0x48: "high"}
    for offset in range(0, 0x60, 4):
        if offset in placed:
            script.read(0, _PVINFO + offset, minus=placed[offset])
        else:
            script.read(0, _PVINFO + offset)
    for offset in range(0x800, 0x880, 4):
        script.read(0, _PVINFO + offset)
    for width in (1, 2, 8):
        for offset in range(0, 0x18, width):
            script.read(0, _PVINFO + offset, width)
    for width in (3, 5, 16):
        script.read(0, _PVINFO, width)
    # What a guest may write: display ready, cursor, page directories, context. Not the page directories' notification:
    # a driver acts on that.
    for offset in (0x804, 0x830, 0x834, *range(0x838, 0x860, 4)):
        script.write(0, _PVINFO + offset, 0x12345678)
        script.read(0, _PVINFO + offset)
    # And what it may not.
    for offset in (0, 4, 8, 0xC, 0x10, 0x14, 0x40, 0x44, 0x48, 0x4C, 0x50, 0x54, 0x100, 0x7FC, 0x81C, 0x820, 0xFFC):
        script.write(0, _PVINFO + offset, 0xDEADBEEF)
        if offset not in placed:
            script.read(0, _PVINFO + offset)
    for notification in (0, 1, 6, 7, 8, 100):
        script.write(0, _PVINFO + 0x818, notification)
        script.read(0, _PVINFO + 0x818)
    script.add("reset")
    for offset in (0, 0x804, 0x830, 0x838, 0x858):
        script.read(0, _PVINFO + offset)


def page_table(script: Script, numbers: random.Random) -> None:
    """The window of page table entries: the guest's view of its own, and what is around."""
    script.block("pte")
    for base, pages in (("low_pte", _LOW // _PAGE), ("high_pte", 4 * _LOW // _PAGE)):
        ends = (0, 8, 8 * pages - 16, 8 * pages - 8)
        for offset in (-16, -8, *ends, 8 * pages, 8 * pages + 8):
            place = {"region": 0, "base": base, "offset": offset}
            script.add("read", width=8, **place)
            script.add("write", width=8, value=(0x1000 * (offset & 15 or 3)) | 1, **place)
            script.add("read", width=8, **place)
            script.add("read", width=4, **place)
            script.add("read", region=0, base=base, offset=offset + 4, width=4)
        # Half by half, in both orders; then not present.
        for offset in ends:
            for first, second in ((0, 4), (4, 0)):
                for half in (first, second):
                    script.add("write", region=0, base=base, offset=offset + half, width=4, value=0x5001 if half == 0 else 0)
                    script.add("read", region=0, base=base, offset=offset, width=8)
            script.add("write", region=0, base=base, offset=offset, width=8, value=0)
            script.add("read", region=0, base=base, offset=offset, width=8)
        # Widths and alignments that no entry has.
        for offset, width in product((0, 1, 2, 3, 6, 7), (1, 2, 8, 3, 16)):
            script.read(0, offset, width, base=base)
        # Random entries, then all of them at once.
        for _ in range(16):
            offset = 8 * numbers.randrange(64)
            value = numbers.randrange(0x3000) << 12 | numbers.randrange(2)
            script.add("write", region=0, base=base, offset=offset, width=8, value=value)
            script.add("read", region=0, base=base, offset=offset, width=8)
        script.add("read", region=0, base=base, offset=0, length=512)
    script.add("reset")
    for base in ("low_pte", "high_pte"):
        script.add("read", region=0, base=base, offset=0, length=512)
    for offset, width in product((_PTES, _PTES + 8, _BAR0_SIZE - 8), (4, 8)):
        script.read(0, offset, width)
    script.block("bar0-hole")
    for offset in (_REGISTERS, 3 * _MIB, _PTES - 8):
        for width in (4, 8):
            script.read(0, offset, width)
            script.write(0, offset, 0x1234567890ABCDEF, width)
            script.read(0, offset, width)


def aperture(script: Script) -> None:
    """Reads, writes and mappings of BAR 2."""
    script.block("aperture")
    for offset, width in (*around(0, _WIDTHS), *around(_LOW, (*_WIDTHS, 16))):
        script.read(2, offset, width, base="low")
        script.write(2, offset, 0x8877665544332211, width, base="low")
        script.read(2, offset, width, base="low")
    for offset in (-_PAGE, -8, _LOW + 8, _LOW + _PAGE):
        script.read(2, offset, 8, base="low")
        script.write(2, offset, 0, 8, base="low")
    script.write(2, 0x100, 0, 256, base="low")
    script.add("read", region=2, base="low", offset=0x100, length=256)
    script.add("read", region=2, base="low", offset=0x103, length=9)
    script.block("map")
    whole = {"region": 2, "base": "low", "offset": 0, "size": _LOW}
    for name, change in {
        "first": {"size": _PAGE},
        "last": {"offset": _LOW - _PAGE, "size": _PAGE},
        "whole": {},
        "reading": {"size": _PAGE, "write": False},
        "private": {"size": _PAGE, "private": True},
        "before": {"offset": -_PAGE, "size": _PAGE},
        "across-start": {"offset": -_PAGE, "size": 2 * _PAGE},
        "behind": {"offset": _LOW, "size": _PAGE},
        "across-end": {"offset": _LOW - _PAGE, "size": 2 * _PAGE},
        "long": {"size": _LOW + _PAGE},
        "bar": {"base": "region", "size": _APERTURE},
        "huge": {"size": 1 << 40},
        "end-of-bar": {"base": "region", "offset": _APERTURE - _PAGE, "size": _PAGE},
        "beyond-bar": {"base": "region", "offset": _APERTURE, "size": _PAGE},
        "end-of-region": {"base": "region", "offset": (1 << 40) - _PAGE, "size": _PAGE},
        "empty": {"size": 0},
        "part-of-page": {"size": 100},
    }.items():
        script.add("map", mapping=name, **{**whole, **change})
    for region in (0, 1, 3, 6, CONFIG, 8, OPREGION, EDID, 11, 255):
        script.add("map", mapping=f"region-{region}", region=region, offset=0, size=_PAGE)
    # The same memory from both sides.
    for mapping, place in (("first", 0), ("last", _LOW - _PAGE), ("whole", 0x10000)):
        offset = place if mapping == "whole" else 0
        for width in _WIDTHS:
            script.add("map_write", mapping=mapping, offset=offset + 64, width=width, value=0x1122334455667788)
            script.read(2, place + 64, width, base="low")
            script.write(2, place + 128, 0x99AABBCCDDEEFF00, width, base="low")
            script.add("map_read", mapping=mapping, offset=offset + 128, width=width)
    script.add("reset")
    script.add("map_read", mapping="first", offset=0)
    for mapping in ("first", "last", "whole", "reading"):
        script.add("unmap", mapping=mapping)


def monitor(script: Script) -> None:
    """The region with the EDID: registers, block, link state."""
    script.block("edid")
    for offset in range(0, 28, 4):
        script.read(EDID, offset)
    for offset, width in product(range(0, 26), (1, 2, 4, 8)):
        script.read(EDID, offset, width)
    for offset, width in ((0, 24), (0, 16), (20, 8)):
        script.read(EDID, offset, width)
    for register in range(0, 28, 4):
        for value in (0, 1, 2, 3, 128, 0xFFFFFFFF):
            script.write(EDID, register, value)
            script.read(EDID, register)
    script.block("edid-block")
    script.add("read", region=EDID, offset=_EDID_BLOB, length=128)
    for offset, width in (*around(_EDID_BLOB, _WIDTHS), *around(_EDID_BLOB + 128, _WIDTHS), (0x10000, 4), (0x10800, 4)):
        script.read(EDID, offset, width)
        if offset != 0x10000:
            script.write(EDID, offset, 0x8877665544332211, width)
    script.add("read", region=EDID, offset=_EDID_BLOB, length=128)
    script.write(EDID, 0x10014, 2)
    script.block("edid-link")
    good = edid()
    broken = {
        "checksum": good[:127] + bytes((good[127] ^ 1,)),
        "header": bytes((1,)) + good[1:],
        "version": edid(version=9),
        "extension": edid(extensions=1),
        "empty": bytearray(128),
        "pattern": pattern(128),
    }
    for name, block in {"good": good, "small": edid(width=640, height=480), **broken, "again": good}.items():
        script.write(EDID, _LINK_STATE, 2)
        script.write(EDID, _EDID_SIZE, 128)
        script.add("write", region=EDID, offset=_EDID_BLOB, data=bytes(block).hex(), note=name)
        script.write(EDID, _LINK_STATE, 1)
        script.read(EDID, _LINK_STATE)
        script.add("read", region=EDID, offset=_EDID_BLOB, length=128)
    for size in (0, 1, 64, 127, 128, 129, 256, 0xFFFFFFFF):
        script.write(EDID, _EDID_SIZE, size)
        script.read(EDID, _EDID_SIZE)
        script.add("read", region=EDID, offset=_EDID_BLOB, length=128)
        script.add("read", region=EDID, offset=_EDID_BLOB, length=1)
        script.add("write", region=EDID, offset=_EDID_BLOB, data=bytes(good).hex())
        script.write(EDID, _LINK_STATE, 1)
        script.write(EDID, _LINK_STATE, 2)
    script.add("reset")
    for offset in range(0, 24, 4):
        script.read(EDID, offset)
    script.write(EDID, _EDID_SIZE, 128)
    script.add("read", region=EDID, offset=_EDID_BLOB, length=128)


def opregion(script: Script, numbers: random.Random) -> None:
    """The OpRegion as a region, and the requests that a guest makes through its own copy."""
    script.block("opregion")
    for offset in range(0, 8192, 256):
        script.add("read", region=OPREGION, offset=offset, length=256)
    for offset, width in product((0, 1, 0x40, 0x43, 0x1AC, 0x400, 0x401, 8184), (*_WIDTHS, 3, 16)):
        script.read(OPREGION, offset, width)
        script.write(OPREGION, offset, 0xFFFFFFFFFFFFFFFF, width)
    script.add("read", region=OPREGION, offset=0, length=8192)
    script.add("read", region=OPREGION, offset=8000, length=400)
    script.block("swsci")
    place = 0x100000
    script.write(CONFIG, _ASLS, place)
    script.read(CONFIG, _ASLS)

    def call(code: int, parameter: int, *values: int) -> None:
        script.add("memory_write", offset=place + 0x200, value=code)
        script.add("memory_write", offset=place + 0x204, value=parameter)
        for value in values:
            script.write(CONFIG, _SWSCI, value, 2)
            script.read(CONFIG, _SWSCI, 2)
        script.add("memory_read", offset=place + 0x200, length=8)

    for function, part in product(range(16), (0, 1, 2, 5)):
        call(part << 8 | function << 1 | 1, 0x11223344, 0, 0x8001)
    for _ in range(32):
        call(numbers.getrandbits(32) | 1, numbers.getrandbits(32), 0, 0x8001)
    # The selector and the rising edge.
    for values in ((0, 1), (0x8000, 0x8001, 0x8001), (0x8001, 0x8000), (0xFFFF,), (0x7FFF,)):
        call(4 << 1 | 1, 0, *values)
    for width, value in ((1, 1), (4, 0x8001), (1, 0x81)):
        script.add("memory_write", offset=place + 0x200, value=4 << 1 | 1)
        script.write(CONFIG, _SWSCI, 0, 2)
        script.write(CONFIG, _SWSCI, value, width)
        script.add("memory_read", offset=place + 0x200, length=8)
    # An OpRegion that is nowhere, crosses the end of memory, is not on a page, or wraps around.
    for address in (0x10000000, 0x4000000 - 0x200, 0x100010, 0xFFFFF000, 0xFFFFFFFF, 0):
        script.write(CONFIG, _ASLS, address)
        script.read(CONFIG, _ASLS)
        script.write(CONFIG, _SWSCI, 0, 2)
        script.write(CONFIG, _SWSCI, 0x8001, 2)
        script.read(CONFIG, _SWSCI, 2)
    for value, width in ((0x12, 1), (0x3456, 2), (0xFFFFFFFF, 4)):
        script.write(CONFIG, _ASLS + 1, value, width)
        script.read(CONFIG, _ASLS)
    script.add("reset")
    script.read(CONFIG, _ASLS)
