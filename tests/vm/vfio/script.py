# SPDX-License-Identifier: GPL-2.0
"""A script of requests for `vfioraw`, put together block by block."""

import json
from collections.abc import Sequence

CONFIG, OPREGION, EDID = 7, 9, 10
GET_INFO, REGION_INFO, IRQ_INFO, SET_IRQS = (
    "DEVICE_GET_INFO",
    "DEVICE_GET_REGION_INFO",
    "DEVICE_GET_IRQ_INFO",
    "DEVICE_SET_IRQS",
)


class Script:
    """The requests so far; each has an `id` of the block it belongs to and its number there."""

    def __init__(self) -> None:
        self.requests: list[dict[str, object]] = []
        self._block = ""
        self._number = 0

    def block(self, name: str) -> None:
        """Begins a block, with the device as it is after power-on."""
        if self._block:
            self.add("reset")
        self._block, self._number = name, 0

    def add(self, op: str, **fields: object) -> None:
        """Adds a request."""
        self._number += 1
        self.requests.append({"id": f"{self._block}.{self._number}", "op": op, **fields})

    def read(self, region: int, offset: int, width: int = 4, **fields: object) -> None:
        """A read of `width` bytes; a width that no register has is read as bytes."""
        size = {"width": width} if width in (1, 2, 4, 8) else {"length": width}
        self.add("read", region=region, offset=offset, **size, **fields)

    def write(self, region: int, offset: int, value: int, width: int = 4, **fields: object) -> None:
        """A write of the `width` low bytes of a value."""
        if width in (1, 2, 4, 8):
            self.add("write", region=region, offset=offset, width=width, value=value & ((1 << 8 * width) - 1), **fields)
        else:
            self.add("write", region=region, offset=offset, data=pattern(width).hex(), **fields)

    def ioctl(self, request: str | int, *parts: dict[str, object], **fields: object) -> None:
        """An ioctl with a structure of parts."""
        self.add("ioctl", request=request, arg=list(parts), **fields)

    def pointer(self, request: str | int, address: int) -> None:
        """An ioctl whose argument is an address."""
        self.add("ioctl", request=request, arg={"pointer": address})

    def text(self) -> str:
        """The script as `vfioraw` reads it."""
        return "".join(json.dumps(request, separators=(",", ":")) + "\n" for request in self.requests)


def words(*values: int) -> dict[str, object]:
    """A part of a structure: little-endian dwords."""
    return {"hex": b"".join((value & 0xFFFFFFFF).to_bytes(4, "little") for value in values).hex()}


def zero(count: int) -> dict[str, object]:
    """A part of a structure: so many bytes of zero."""
    return {"zero": count}


def pattern(length: int) -> bytes:
    """Bytes of which neighbours differ."""
    return bytes((0x51 + 0x3B * place) & 0xFF for place in range(length))


def edid(*, width: int = 1920, height: int = 1200, extensions: int = 0, version: int = 4) -> bytearray:
    """A monitor that a virtual GPU may be given: one detailed timing, checksum right."""
    block = bytearray(128)
    block[0:8] = bytes.fromhex("00ffffffffffff00")
    block[8:18] = bytes.fromhex("20a3341201000000011d")
    block[18:20] = bytes((1, version))
    block[20:25] = bytes.fromhex("a534207806")
    block[38:54] = bytes((1, 1)) * 8
    blank_x, blank_y = 160, 35
    clock = (width + blank_x) * (height + blank_y) * 60 // 10_000
    block[54:56] = clock.to_bytes(2, "little")
    block[56:62] = bytes((width & 255, blank_x, width >> 8 << 4, height & 255, blank_y, height >> 8 << 4))
    block[62:66] = bytes((48, 32, 0x36, 0))
    block[66:72] = bytes((52, 32, 0x20, 0, 0, 0x1E))
    block[126] = extensions
    block[127] = -sum(block[:127]) & 255
    return block


def around(edge: int, widths: Sequence[int]) -> list[tuple[int, int]]:
    """Offset and width of accesses that end before, at and behind an edge, or begin there."""
    found = []
    for width in widths:
        for offset in (edge - width - 1, edge - width, edge - width + 1, edge - 1, edge, edge + 1):
            if offset >= 0 and (offset, width) not in found:
                found.append((offset, width))
    return found
