# SPDX-License-Identifier: GPL-2.0
"""Registers: what a guest writes to them, by itself and by commands."""

import subprocess
import time
from pathlib import Path

from escape import guest as g
from escape.arena import HOST_REGISTERS, Arena, attack

_I915 = Path("/sys/kernel/debug/dri/0")
# How i915 resets: 1 is the whole GPU; and what makes it do so.
_WHOLE, _RESET = _I915 / "i915_params/reset", _I915 / "i915_wedged"
_BAD = 0x5A5A_2080
_NONPRIV = 0x24D0
_FENCES = 0x10_0000
_ENABLE = 1 << 31
_PIPE, _VTOTAL, _HTOTAL = 0x70008, 0x6000C, 0x60000
_LINK_M, _LINK_N = 0x60040, 0x60044
_DDI_FUNCTION = 0x60400


def _hardware(arena: Arena, register: int) -> int:
    return arena.gpu.registers([register])[register]


@attack("12.1-5", "parts of registers that have a handler: a list of what batches may write, how an engine is driven", lines=60)
def pieces_of_registers(arena: Arena) -> None:
    narrow = ((1, 0x20, 1), (0, 0x80, 1), (2, 0, 2), (0, 0x2080, 2), (1, 0x0020, 2), (3, 0, 1))
    for offset, value, width in (*narrow, (2, 0x20, 4), (1, 0x20, 4)):
        arena.guest.write(_NONPRIV + offset, value, width)
        arena.guest.run([g.ARB_CHECK], g.RCS, 0.1)
        if _hardware(arena, _NONPRIV) & 0x7F_FFFC == 0x2080:
            arena.escaped("batches without privilege may write registers of the host")
    mode = _hardware(arena, g.RCS | g.RING_MODE)
    for offset, value in ((1, 0), (3, 0x80), (1, 0xFF), (2, 0xFF)):
        arena.guest.write((g.RCS | g.RING_MODE) + offset, value, 1)
        arena.guest.run([g.ARB_CHECK], g.RCS, 0.05)
    if _hardware(arena, g.RCS | g.RING_MODE) != mode:
        arena.escaped("the engine is driven in another way")


@attack("12.1-6", "values that a handler mends are loaded by a command")
def mended_values(arena: Arena) -> None:
    mode = _hardware(arena, g.RCS | g.RING_MODE)
    bad = ((_NONPRIV, 0x2080), (_NONPRIV, 0x1000_2080), (g.RCS | g.RING_MODE, 0x8000_0000), (g.RCS | 0x9C, 0x0100_0100))
    for register, value in bad:
        arena.guest.run(g.load((register, value)), g.RCS, 0.2)
        if _hardware(arena, _NONPRIV) & 0x7F_FFFC == 0x2080:
            arena.escaped("batches without privilege may write registers of the host")
        if _hardware(arena, g.RCS | g.RING_MODE) != mode:
            arena.escaped("the engine is driven in another way")
        arena.guest.restart(g.RCS)


@attack("12.1-7", "one and two bytes to every register of the engines, the display and the interrupts", seconds=60.0, lines=60)
def narrow_writes(arena: Arena) -> None:
    areas = [(base, 0x600) for base in (g.RCS, g.BCS)] + [(0x44200, 0x200), (0x9400, 0x40), (0x60000, 0x80), (0x70000, 0x200)]
    for start, length in areas:
        offsets = list(range(start, start + length, 4))
        arena.guest.vmm.must("sweep", region=0, offsets=offsets, steps="w1=ff w1+3=ff w2+2=ffff r1+1 r2+2 r2+1")
    arena.guest.vmm.must("sweep", region=7, offsets=list(range(256)), steps="w1=ff w2=ffff r1 r2")


@attack("12.1-14", "a link whose rate is a division by nothing, and clocks of nothing")
def link_of_nothing(arena: Arena) -> None:
    for link_m, link_n, total in ((0, 1, 0x0400_0400), (1, 0, 0x0400_0400), (0, 0, 0), (0x80_0000, 0x80_0000, 0)):
        _mode(arena, link_m, link_n, total)
        arena.guest.finished(0.1)
    for clock in (0x46040, 0x46060):
        for value in (0, 0x8000_0000, 0xFFFF_FFFF):
            arena.guest.write(clock, value)


@attack("12.1-15", "a screen of one pixel, a million million times a second")
def endless_rate(arena: Arena) -> None:
    before = _processor_time()
    _mode(arena, 0xFF_FFFF, 1, 0x0001_0001)
    arena.guest.finished(2.0)
    used = _processor_time() - before
    if used > 1.0:
        arena.escaped(f"the host's kernel worked for {used:.1f} s of 2 s")


def _mode(arena: Arena, link_m: int, link_n: int, total: int) -> None:
    arena.guest.write(_PIPE, 0)
    arena.guest.write(_DDI_FUNCTION, _ENABLE | 1 << 28)
    # The clocks of port B: a link of 2.7 GHz.
    arena.guest.write(0x6C058, 1 << 0 | 1 << 1 | 1 << 6 | 1 << 7)
    for register, value in ((_HTOTAL, total), (_VTOTAL, total), (_LINK_M, link_m), (_LINK_N, link_n)):
        arena.guest.write(register, value)
    arena.guest.write(_PIPE, _ENABLE)


def _processor_time() -> float:
    """Seconds that the kernel has worked, interrupts included."""
    words = Path("/proc/stat").read_text().split()
    return (int(words[3]) + int(words[6]) + int(words[7])) / 100


def _whole_resets() -> int:
    """How often the kernel tells of a reset of the whole GPU."""
    return subprocess.run(["dmesg"], stdout=subprocess.PIPE, text=True, check=True).stdout.count("Resetting chip")


@attack("12.1-20", "fences over all there is, over the host's, over others' memory")
def fences(arena: Arena) -> None:
    places = [_FENCES + 4 * number for number in range(64)]
    before = arena.gpu.registers(places)
    low, end = arena.guest.low, arena.guest.low + arena.guest.low_size
    for number in range(4):
        for start, last in ((0, 0xFFFF_F000), (arena.others_gm, arena.others_gm), (low - g.PAGE, end), (low, end), (end, low)):
            arena.guest.write(_FENCES + 8 * number, start & 0xFFFF_F000 | 1)
            arena.guest.write(_FENCES + 8 * number + 4, last & 0xFFFF_F000 | 1)
            arena.guest.write(_FENCES + 8 * number, (last & 0xFFFF_F000) << 32 | start & 0xFFFF_F000 | 1, 8)
            now = arena.gpu.registers(places)
            for at in places[::2]:
                first, behind = now[at] & 0xFFFF_F000, now[at + 4] & 0xFFFF_F000
                if (now[at], now[at + 4]) != (before[at], before[at + 4]) and now[at] & 1 and not low <= first <= behind < end:
                    arena.escaped(f"a fence reaches from {first:#x} to {behind:#x}")


@attack("5.3", "work that does not end, for which the whole GPU is reset: others keep their fences")
def fences_of_others(arena: Arena) -> None:
    guest, other = arena.guest, arena.bystander
    places = [_FENCES + 4 * number for number in range(64)]
    before = arena.gpu.registers(places)
    other.write(_FENCES, other.low + 31 * g.PAGE << 32 | other.low | 1, 8)
    lit = {at: value for at, value in arena.gpu.registers(places).items() if value != before[at]}
    if not lit:
        raise AssertionError("a fence of another guest's does not get to the hardware")
    resets = _whole_resets()
    guest.batch([g.START_BATCH | g.OF_PPGTT, g.BATCH, 0])
    guest.run([g.START_BATCH | g.OF_PPGTT, g.BATCH, 0], g.RCS, 0.2)
    # So that i915 does not reset engines one by one.
    kept = _WHOLE.read_text()
    _WHOLE.write_text("1")
    try:
        _RESET.write_text("0xffff")
    finally:
        _WHOLE.write_text(kept)
    if _whole_resets() == resets:
        raise AssertionError("the GPU was not reset as a whole")
    end = time.monotonic() + 3
    while arena.gpu.registers(lit) != lit and time.monotonic() < end:
        time.sleep(0.05)
    is_lit = arena.gpu.registers(lit) == lit
    other.write(_FENCES, 0, 8)
    if not is_lit:
        arena.escaped("another guest's fence stays off")
    if not other.works(g.BCS):
        arena.escaped("another guest does not work any more")


@attack("5.3", "a batch without privilege, which the blitter of Gen9 obeys all the same, writes and reads registers of others")
def registers_by_users(arena: Arena) -> None:
    guest = arena.guest
    places = [g.VECS | 0x28, g.VCS | 0x28, g.RCS | 0x28, 0xC800, 0xC900, 0xCB00, 0x24D0, 0x2248, 0x7300, _FENCES, 0x4F100]
    before = arena.gpu.registers(places)
    words = [word for at in places for word in g.load((at, _BAD | 0xFFFF_0000))]
    guest.batch([*words, g.SRM, g.RCS | g.STATUS_PAGE, g.RESULT, 0, g.END])
    guest.fill(g.BACKING + g.RESULT, 4)
    guest.run([g.START_BATCH | g.OF_PPGTT, g.BATCH, 0], g.BCS, 1.0)
    after = arena.gpu.registers(places)
    changed = [hex(at) for at in places if after[at] != before[at] and after[at] & 0xFFFF == _BAD & 0xFFFF]
    if changed:
        arena.escaped(f"the blitter has changed {', '.join(changed)}")
    if guest.word(g.BACKING + g.RESULT):
        arena.escaped("the blitter tells where the host's status page is")
    guest.restart(g.BCS)


@attack("12.1-23", "an engine loads registers of other engines: what memory is cached how, lists of what may be written")
def registers_of_other_engines(arena: Arena) -> None:
    others = [g.VECS | 0x28, g.VCS | 0x28, g.RCS | 0x28, 0xC800, 0xC900, 0xCB00, 0xB020, 0x24D0, 0x2248, 0x7300]
    before = arena.gpu.registers(others)
    for register in others:
        arena.guest.run(g.load((register, _BAD | 0xFFFF_0000)), g.BCS, 0.1)
        arena.guest.restart(g.BCS)
    after = arena.gpu.registers(others)
    # The render engine may have changed hands meanwhile: what counts is whether what was loaded is there.
    changed = [hex(at) for at in others if after[at] != before[at] and after[at] & 0xFFFF == _BAD & 0xFFFF]
    if changed:
        arena.escaped(f"the blitter has changed {', '.join(changed)}")


@attack("12.1-24", "reads of every register of the engines: addresses of the host among them", seconds=30.0)
def addresses_of_the_host(arena: Arena) -> None:
    arena.guest.vmm.must("reset")
    lows = (0x38, 0x80, 0x74, 0x60, *range(0x270, 0x290, 4), 0x180)
    places = [base | low for base in (g.RCS, g.VCS, g.VECS, g.BCS) for low in lows]
    hosts = arena.gpu.registers(places)
    seen = {at: arena.guest.read(at) for at in places}
    same = [hex(at) for at in places if hosts[at] > 0xFFFF and seen[at] == hosts[at]]
    if same:
        arena.escaped(f"the guest sees what the host has in {', '.join(same)}")


@attack("5.3", "everything that only the host may have is written by the processor", lines=60)
def registers_of_the_host(arena: Arena) -> None:
    for register in HOST_REGISTERS:
        for value in (0, 0xFFFF_FFFF, _BAD):
            arena.guest.write(register, value)
    for reset in (0xFFFF_FFFF, 1 << 0):
        arena.guest.write(g.RESET, reset)
    arena.guest.run([g.ARB_CHECK], g.BCS, 0.1)


# --- every way to reach a register --------------------------------------------------------------------------------------------


_DANGEROUS = (0x80, 0x38, 0x270, 0x29C, 0x230, 0x234, 0x4D0)
_FAR = (0xA188, 0x9424, 0x44200, 0x101008, 0x4F100, 0x10_0000, 0x13_8124, 0x70180)


def _forms(arena: Arena, register: int, slot: int) -> dict[str, list[int]]:
    result = arena.guest.gm(g.RESULT) + 4 * slot
    return {
        "load": g.load((register, _BAD)),
        "load-memory": [g.LRM | g.GLOBAL, register, arena.guest.gm(g.RESULT + 0x800), 0],
        "store": [g.SRM | g.GLOBAL, register, result, 0],
        "copy-to": [g.LRR, 0x2600, register],
        "copy-from": [g.LRR, register, 0x2600, g.SRM | g.GLOBAL, 0x2600, result, 0],
        "pipe-control": [g.PIPE_CONTROL, 1 << 23 | 1 << 20, register, 0, _BAD, 0],
    }


def _put(arena: Arena, site: str, words: list[int]) -> list[int]:
    """Puts commands where they are tried; what the ring needs for that."""
    guest = arena.guest
    if site == "ring":
        return words
    guest.batch([*words, g.END])
    if site in ("indirect", "per-context"):
        lines = (4 * len(words) + 63) // 64
        guest.batch([*words, *[g.NOOP] * (16 * lines - len(words)), g.END])
        place, bits = (g.Place.INDIRECT, lines) if site == "indirect" else (g.Place.PER_CONTEXT, 1)
        guest.set_state(g.CONTEXT_B, place, guest.gm(g.BATCH) | bits)
        return [g.ARB_CHECK]
    if site == "second":
        guest.batch([g.START_BATCH | g.SECOND_LEVEL, guest.gm(g.BATCH), 0, g.END], g.BATCH + 0x1000)
        return [g.START_BATCH, guest.gm(g.BATCH + 0x1000), 0]
    if site == "ppgtt":
        return [g.START_BATCH | g.OF_PPGTT, g.BATCH, 0]
    return [g.START_BATCH, guest.gm(g.BATCH), 0]


def _matrix(arena: Arena, site: str) -> None:
    registers = [*(g.RCS | low for low in _DANGEROUS), *_FAR, g.BCS | 0x80]
    before = arena.gpu.registers(registers)
    arena.guest.fill(g.BACKING + g.RESULT, g.PAGE)
    arena.guest.put(g.BACKING + g.RESULT + 0x800, [_BAD])
    for form in _forms(arena, 0, 0):
        for slot, register in enumerate(registers):
            words = _forms(arena, register, slot)[form]
            arena.guest.context(g.CONTEXT_B, g.RING_B)
            arena.guest.run(_put(arena, site, words), g.RCS, 0.015)
            arena.guest.restart(g.RCS)
        after = arena.gpu.registers(registers)
        loaded = [hex(at) for at in registers if after[at] != before[at] and after[at] & 0xFFFF == _BAD & 0xFFFF]
        if loaded:
            arena.escaped(f"{form} has changed {', '.join(loaded)}")
        found = [arena.guest.word(g.BACKING + g.RESULT + 4 * slot) for slot in range(len(registers))]
        told = [hex(at) for at, value in zip(registers, found, strict=True) if value > 0xFFFF and value == before[at]]
        if told:
            arena.escaped(f"{form} tells {', '.join(told)}")


for _site in ("ring", "batch", "second", "ppgtt", "indirect", "per-context"):

    def _try(arena: Arena, site: str = _site) -> None:
        _matrix(arena, site)

    _try.__name__ = f"registers_from_{_site}"
    attack("5.1", f"six commands reach for sixteen registers of the host; they are in: {_site}", seconds=60.0, lines=120)(_try)
