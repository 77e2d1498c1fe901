# SPDX-License-Identifier: GPL-2.0
"""Requests to every register that the C driver tracks: what is in it after a reset, and what becomes of what is written."""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .script import Script

_LIST = Path(__file__).resolve().parents[2] / "host/exercise/data/registers.tsv"
_LETTERS = {"bdw": "B", "skl": "S", "kbl": "K"}
PLATFORMS = tuple(_LETTERS)

_DWORD = 4
_ALL = 0xFFFFFFFF
_MMIO_SIZE = 0x200000
_PVINFO = 0x78000
# Fences that a virtual GPU does not have: reading them fails on the stock driver, and with it a read that goes on.
_OTHER_FENCES = (0x100020, 0x100080)
_ENGINES = {"rcs0": 0x2000, "vcs0": 0x12000, "vecs0": 0x1A000, "vcs1": 0x1C000, "bcs0": 0x22000}
_ENGINE_SIZE = 0x800
# So many registers are tried between two resets: what a write does elsewhere must not last.
_GROUP = 64

# Ranges of registers that the list does not have one by one.
_PALETTES = ((0x4A000, 256), (0x4A800, 256), (0x4B000, 256))
_DMC = (0x80000, 0xC00)
_MEMORY_CONTROLLER = (0x140000, 0x10000)

# All bits, none, every second; each alone; each of the lower half with the mask that some registers have above it.
_VALUES = (_ALL, 0, 0x55555555, 0xAAAAAAAA, *(1 << bit for bit in range(32)), *(0x10001 << bit for bit in range(16)), 0)
_FEW_VALUES = (_ALL, 0, 0x55555555, 0xAAAAAAAA, 1)
_WIDTHS = "r1 r1+1 r1+2 r1+3 r2 r2+1 r2+2 r4 r4+1 r8"
_PIECES = ((1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1), (2, 2))

# Not with the others. On the stock driver a write to ELSP kills the thread of an engine that was never enabled
# (gvt-spec 12.1-11), so nobody is asked that. The others change all registers, or make them plain memory, or start clocks.
_SUBMISSION = "elsp_mmio_write"
_MODES = ("ring_mode_mmio_write", "csfe_chicken1_mmio_write")
_APART = (_SUBMISSION, *_MODES, "gdrst_mmio_write", "pipeconf_mmio_write")


@dataclass(frozen=True)
class Register:
    """What the C driver has of a register."""

    offset: int
    flags: str
    read_only: int
    read: str
    write: str


def tracked(platform: str) -> list[Register]:
    """All of them, with the engines that the biggest GPU of the platform has; the host tests keep the list complete."""
    found = []
    for line in _LIST.read_text().splitlines():
        if line.startswith("#"):
            continue
        first, count, platforms, flags, read_only, read, write = line.split("\t")
        if _LETTERS[platform] in platforms:
            offsets = (int(first, 16) + _DWORD * number for number in range(int(count)))
            found += [Register(offset, flags, int(read_only, 16), read, write) for offset in offsets]
    return sorted(found, key=lambda register: register.offset)


def facts(platform: str) -> dict[int, dict[str, object]]:
    """What reasons can ask of a register besides its offset."""
    known: dict[int, dict[str, object]] = {}
    for register in tracked(platform):
        known[register.offset] = {
            "flags": register.flags,
            "read_only": register.read_only,
            "read_by": register.read,
            "written_by": register.write,
        }
    for base in _ENGINES.values():
        for offset in range(0, _ENGINE_SIZE, _DWORD):
            if base + offset in known:
                known[base + offset]["in_engine"] = offset
    return known


def generate(platform: str) -> Script:
    """All requests. $1 is a device of type _8."""
    registers = tracked(platform)
    offsets = [register.offset for register in registers]
    script = Script()
    script.block("open")
    script.add("open", uuid="$1")
    script.block("start")
    _sweep(script, offsets, "r4")
    _everything(script)
    script.block("widths")
    _sweep(script, offsets, _WIDTHS)
    ordinary = [register.offset for register in registers if register.write not in _APART]
    for first in range(0, len(ordinary), _GROUP):
        group = ordinary[first : first + _GROUP]
        script.block(f"values-{group[0]:x}")
        _aware(script)
        _sweep(script, group, _writes(_VALUES))
        # And what that did to others.
        _sweep(script, offsets, "r4")
        script.block(f"pieces-{group[0]:x}")
        _aware(script)
        _sweep(script, group, " ".join(_pieces()))
    _ranges(script, platform)
    _engines(script, registers)
    _engine_resets(script, platform, offsets)
    _pipes(script, registers)
    script.block("end")
    _everything(script)
    return script


def replay(platform: str) -> Script:
    """What a guest's i915 did when it loaded, from `record`, and before that all registers as they are after a reset."""
    script = Script()
    script.block("open")
    script.add("open", uuid="$1")
    script.block("start")
    _sweep(script, [register.offset for register in tracked(platform)], "r4")
    script.block("probe")
    steps = gzip.decompress(_trace(platform).read_bytes()).decode().split()
    for first in range(0, len(steps), _GROUP):
        script.add("sweep", region=0, steps=" ".join(steps[first : first + _GROUP]))
    return script


def _trace(platform: str) -> Path:
    return Path(__file__).with_name(f"probe-{platform}.steps.gz")


def recorded() -> list[str]:
    """The platforms of which there is a trace."""
    return [platform for platform in PLATFORMS if _trace(platform).is_file()]


def _sweep(script: Script, offsets: Sequence[int], steps: str) -> None:
    script.add("sweep", region=0, offsets=list(offsets), steps=steps)


def _aware(script: Script) -> None:
    """The guest looks where it is: without that some writes mean that it cannot work on a virtual GPU."""
    script.read(0, _PVINFO, 8)


def _everything(script: Script) -> None:
    """All of BAR 0 that can be registers, known or not."""
    start, end = _OTHER_FENCES
    for first, last in ((0, start), (end, _MMIO_SIZE)):
        for offset in range(first, last, 0x20000):
            script.add("read", region=0, offset=offset, length=min(offset + 0x20000, last) - offset)


def _writes(values: Iterable[int]) -> str:
    return " ".join(f"w4={value:x} r4" for value in values)


def _pieces() -> Iterator[str]:
    """Writes of a part of a register, and of two registers."""
    for before, piece in ((0, _ALL), (_ALL, 0)):
        for width, place in _PIECES:
            yield f"w4={before:x} w{width}+{place}={piece & ((1 << 8 * width) - 1):x} r4"
    yield "w4=0 w8=ffffffffffffffff r8 w8=0 r8"


def _ranges(script: Script, platform: str) -> None:
    script.block("palettes")
    for first, count in _PALETTES:
        _sweep(script, range_of(first, count), _writes(_FEW_VALUES) + " w1+1=ff r4 w2+2=1234 r4 w8=123456789abcdef0 r8")
    if platform != "bdw":
        script.block("dmc")
        _sweep(script, range_of(*_DMC), _writes((_ALL, 0)))
    script.block("memory-controller")
    first, count = _MEMORY_CONTROLLER
    # One in a page is enough: they are all the same.
    _sweep(script, range_of(first, count)[::1021], _writes(_FEW_VALUES))
    script.block("pvinfo")
    # Without the notification, which is a command, and without what says that the guest gives up.
    page = [offset for offset in (*range(0, 0x60, 4), 0x7FC, *range(0x800, 0x870, 4)) if not 0x808 <= offset <= 0x818]
    placed = {0x40: "-low", 0x48: "-high"}
    for offset in page:
        place = f"4+{_PVINFO + offset:x}"
        read = f"r{place}{placed.get(offset, '')}"
        script.add("sweep", region=0, steps=" ".join(f"w{place}={value:x} {read}" for value in _FEW_VALUES))
    notify = f"4+{_PVINFO + 0x818:x}"
    script.add("sweep", region=0, steps=" ".join(f"w{notify}={value:x} r{notify}" for value in (_ALL, 0, 0x55555555, 1, 6, 7)))
    for offset in range(0x808, 0x818, 4):
        script.block(f"shortage-{offset:x}")
        place = f"4+{_PVINFO + offset:x}"
        script.add("sweep", region=0, steps=f"r8+{_PVINFO:x} w{place}=1 r{place} {_memory()}")


def range_of(first: int, count: int) -> range:
    """The offsets of registers that follow one another."""
    return range(first, first + _DWORD * count, _DWORD)


def _memory() -> str:
    """Steps that tell whether registers have become memory: the first one cannot be written otherwise."""
    return "w4+2234=12345678 r4+2234 w4+44308=ff r4+44308"


def _engines(script: Script, registers: Sequence[Register]) -> None:
    """How engines are driven: each bit, by a guest that has looked where it is and by one that has not."""
    each = [0x10001 << bit for bit in range(16)]
    # A reset after each takes its time, so only the bits that mean something are tried on all engines.
    some = [each[bit] for bit in (0, 1, 3, 4, 9, 15)]
    for register in registers:
        if register.write not in _MODES:
            continue
        place = f"4+{register.offset:x}"
        script.block(f"modes-{register.offset:x}")
        for look in ("", f"r8+{_PVINFO:x} "):
            for value in (_ALL, 0, *(each if register.offset < _ENGINES["vcs0"] else some), 0x10000, 0x80000000):
                script.add("sweep", region=0, steps=f"{look}w{place}={value:x} r{place} {_memory()} reset")


def _engine_resets(script: Script, platform: str, offsets: Sequence[int]) -> None:
    """Each bit of GEN6_GDRST, with something in registers of each kind, and then all registers."""
    places = [base + offset for base in _ENGINES.values() for offset in (0x28, 0x30, 0x134)]
    places += [0x4024, 0x9400, 0xB020, 0x44304, 0x45100, 0x60200, 0xC5110, 0x100000]
    marks = " ".join(f"w4+{place:x}=5a5a0000" for place in places)
    for value in (0, *(1 << bit for bit in range(9)), 0x1E, _ALL):
        script.block(f"reset-{value:x}")
        script.add("sweep", region=0, steps=f"r8+{_PVINFO:x} {marks} w4+941c={value:x} r4+941c")
        _sweep(script, offsets, "r4")


def _pipes(script: Script, registers: Sequence[Register]) -> None:
    """Transcoders start clocks, with a mode that must be one: the stock driver divides by what it finds (12.1-14)."""
    for register in registers:
        if register.write == "pipeconf_mmio_write":
            script.block(f"pipe-{register.offset:x}")
            _sweep(script, [register.offset], _writes(_VALUES))
