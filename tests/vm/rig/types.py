# SPDX-License-Identifier: GPL-2.0
"""The types of virtual GPUs that a kvmgt must offer: the arithmetic of the driver's ABI, done independently."""

from collections.abc import Iterable
from dataclasses import dataclass

_MIB = 1 << 20
# What the host keeps for itself.
_HOST_LOW, _HOST_HIGH, _HOST_FENCES = 128, 384, 4
_FENCES = 32
# Broadwell's types are version 4, all later ones 5.
_VERSION = {"bdw": 4}


@dataclass(frozen=True)
class Type:
    """One type: MiB of aperture and of hidden memory, weight, resolution."""

    suffix: str
    low: int
    high: int
    weight: int
    resolution: str
    fences: int = 4


_TYPES = (
    Type("8", 64, 384, 2, "1024x768"),
    Type("4", 128, 512, 4, "1920x1200"),
    Type("2", 256, 1024, 8, "1920x1200"),
    Type("1", 512, 2048, 16, "1920x1200"),
)


def parse_size(text: str) -> int:
    """MiB of a size such as 512M or 1G."""
    return int(text[:-1]) * {"M": 1, "G": 1024}[text[-1]]


def expected(platform: str, aperture: str, ggtt: int = 4096, taken: Iterable[str] = ()) -> dict[str, tuple[int, str]]:
    """Name of each listed type to available instances and description, after types of the suffixes `taken` were made."""
    low = parse_size(aperture) - _HOST_LOW
    high = ggtt - parse_size(aperture) - _HOST_HIGH
    fences = _FENCES - _HOST_FENCES
    listed = [kind for kind in _TYPES if low // kind.low >= 1]
    for suffix in taken:
        kind = next(kind for kind in _TYPES if kind.suffix == suffix)
        low, high, fences = low - kind.low, high - kind.high, fences - kind.fences
    version = _VERSION.get(platform, 5)
    return {
        f"i915-GVTg_V{version}_{kind.suffix}": (
            min(low // kind.low, high // kind.high, fences // kind.fences),
            f"low_gm_size: {kind.low}MB,high_gm_size: {kind.high}MB,fence: {kind.fences},"
            f"resolution: {kind.resolution},weight: {kind.weight},",
        )
        for kind in listed
    }
