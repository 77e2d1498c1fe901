# SPDX-License-Identifier: GPL-2.0
"""Contexts that are not what they were looked at as, and submissions that come when they should not."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from escape import guest as g
from escape.arena import Arena, attack

_BAD = 0xBAD0_BAD0
# Slots of RING_FORCE_TO_NONPRIV, and a register that no batch may write.
_NONPRIV, _FORBIDDEN = 0x24D0, 0x2080


@contextmanager
def mutator(arena: Arena, changes: list[tuple[int, bytes, bytes]]) -> Iterator[None]:
    """Another processor of the guest, which changes words of memory to and fro meanwhile."""
    maps = Path(f"/proc/{arena.guest.vmm.pid}/maps").read_text().splitlines()
    edges = [[int(edge, 16) for edge in line.split()[0].split("-")] for line in maps if "memfd:guest" in line]
    base = next(first for first, last in edges if last - first == g.MEMORY)
    over = threading.Event()

    def body() -> None:
        with open(f"/proc/{arena.guest.vmm.pid}/mem", "r+b", buffering=0) as memory:
            while not over.is_set():
                for gpa, *values in changes:
                    for value in values:
                        memory.seek(base + gpa)
                        memory.write(value)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _packed(*words: int) -> bytes:
    return b"".join(word.to_bytes(4, "little") for word in words)


def _race(arena: Arena, changes: list[tuple[int, bytes, bytes]], words: list[int], rounds: int = 40) -> None:
    with mutator(arena, changes):
        for _ in range(rounds):
            arena.guest.run(words, g.BCS, 0.02)
            arena.guest.restart(g.BCS)
            arena.guest.context(g.CONTEXT_A, g.RING_A)


@attack("12.1-3", "a context that ran is submitted again with loads of the page tables' root in its image")
def image_loads_root(arena: Arena) -> None:
    root = arena.crafted(arena.hosts_frame)
    for engine in (g.RCS, g.BCS):
        context = g.context_of(engine)
        for _ in range(2):
            arena.guest.run([g.ARB_CHECK], engine, 5.0)
        loads = g.load((engine | g.PDP, root & 0xFFFF_FFFF), (engine | g.PDP + 4, root >> 32))
        arena.guest.set_state(context, g.Place.ENGINE_STATE, *loads, g.END)
        arena.guest.run(g.store(0, _BAD), engine)
        arena.guest.restart(engine)


@attack("12.1-3", "the same with registers that say who may do what, of this engine and of others")
def image_loads_registers(arena: Arena) -> None:
    for engine in (g.RCS, g.BCS):
        context = g.context_of(engine)
        for _ in range(2):
            arena.guest.run([g.ARB_CHECK], engine, 5.0)
        own = (engine | 0x4D0, engine | 0x29C, engine | 0x80)
        for register in (*own, g.VECS | 0x80, g.VECS | 0x4D0, 0xCB00, 0xA188, 0x9424, 0x4F100):
            arena.guest.set_state(context, g.Place.ENGINE_STATE, *g.load((register, 0x8000_2080)), g.END)
            arena.guest.run([g.ARB_CHECK], engine, 0.05)
            arena.guest.restart(engine)


@attack("12.1-3", "a new context whose image has commands that write memory")
def image_with_commands(arena: Arena) -> None:
    for engine in (g.RCS, g.BCS):
        context = g.context_of(engine)
        arena.guest.set_state(context, g.Place.CONTROL, 0x1_0000)
        arena.guest.set_state(context, g.Place.ENGINE_STATE, *g.store(arena.others_gm, _BAD, g.GLOBAL), g.END)
        arena.guest.run([g.ARB_CHECK], engine, 0.1)
        arena.guest.restart(engine)


@attack("12.1-3", "the pages of a context lead to others' memory, to nothing, or to each other")
def image_elsewhere(arena: Arena) -> None:
    first = g.CONTEXT_B // g.PAGE
    for entry in (arena.hosts_frame << 12 | 1, 0, (1 << 38) - 0x1000 | 1, g.BACKING + g.CONTEXT_B + g.PAGE | 1):
        for page in (1, 2, 10):
            arena.guest.map(first + page, [entry])
            arena.guest.run([g.ARB_CHECK], g.RCS, 0.05)
            arena.guest.restart(g.RCS)
            arena.guest.map(first + page, [g.BACKING + g.CONTEXT_B + page * g.PAGE | 1])
    for lrca in (arena.others_gm, arena.hosts_gm, 0, 0xFFFF_F000, arena.guest.low + arena.guest.low_size - g.PAGE):
        arena.guest.steps(*((g.RCS | g.EXECLIST_PORT, word) for word in (0, 0, 7, lrca | g.VALID_DESCRIPTOR)))
        arena.guest.finished(0.05)
        arena.guest.restart(g.RCS)


@attack("12.1-3", "batches that run in the middle and at the end of loading a context reach outside")
def workaround_batches(arena: Arena) -> None:
    bad = [g.store(arena.others_gm, _BAD, g.GLOBAL), g.load((_FORBIDDEN, _BAD))]
    bad += [
        [g.PIPE_CONTROL, 1 << 24 | 3 << 14, arena.others_gm, 0, 1, 1],
        [0x22 << 23 | 0xFF],
        [g.START_BATCH, arena.guest.gm(g.BATCH), 0],
    ]
    for words in bad:
        for place in (g.Place.INDIRECT, g.Place.PER_CONTEXT):
            arena.guest.batch([*words, g.END])
            arena.guest.context(g.CONTEXT_B, g.RING_B)
            arena.guest.set_state(g.CONTEXT_B, place, arena.guest.gm(g.BATCH) | 1)
            arena.guest.run([g.ARB_CHECK], g.RCS, 0.1)
            arena.guest.restart(g.RCS)
            arena.guest.set_state(g.CONTEXT_B, place, 0)
    for address in (arena.others_gm, arena.hosts_gm, arena.guest.low + arena.guest.low_size - 64):
        for place in (g.Place.INDIRECT, g.Place.PER_CONTEXT):
            arena.guest.set_state(g.CONTEXT_B, place, address | 0x3F)
            arena.guest.run([g.ARB_CHECK], g.RCS, 0.1)
            arena.guest.restart(g.RCS)
            arena.guest.set_state(g.CONTEXT_B, place, 0)


@attack("12.1-2", "a load of half a root, of the first or of another one: tables that the guest has made itself")
def half_roots(arena: Arena) -> None:
    root = arena.crafted(arena.hosts_frame)
    for engine in (g.RCS, g.BCS):
        for number in range(8):
            register, value = engine | g.PDP + 4 * number, root >> 32 if number % 2 else root & 0xFFFF_FFFF
            arena.guest.run([*g.load((register, value)), *g.store(0, _BAD)], engine, 0.1)
            arena.guest.restart(engine)
        both = g.load((engine | g.PDP, root & 0xFFFF_FFFF), (engine | g.PDP + 4, root >> 32))
        arena.guest.run([*both, *g.store(0, _BAD)], engine, 0.1)
        arena.guest.restart(engine)


@attack("12.1-2", "the first load of a list is harmless, and the root is behind it; and a list of half a pair")
def roots_behind(arena: Arena) -> None:
    root = arena.crafted(arena.hosts_frame)
    harmless = (g.BCS | 0x28, 0)
    for pairs in (
        (harmless, (g.BCS | g.PDP, root & 0xFFFF_FFFF)),
        (harmless, (g.BCS | g.PDP + 4, root >> 32), (g.BCS | g.PDP, root & 0xFFFF_FFFF)),
        ((g.BCS | g.PDP + 4, 0), harmless, harmless, (g.BCS | g.PDP, root & 0xFFFF_FFFF)),
    ):
        arena.guest.run([*g.load(*pairs), *g.store(0, _BAD)], g.BCS, 0.1)
        arena.guest.restart(g.BCS)
    arena.guest.run([0x22 << 23 | 2, g.BCS | g.PDP + 4, 0, g.BCS | g.PDP, *g.store(0, _BAD)], g.BCS, 0.1)


@attack("12.1-17", "one root is loaded by many submissions that wait together")
def shared_roots(arena: Arena) -> None:
    arena.guest.vmm.must("write", region=0, offset=0x78830, width=4, value=0)
    loads = g.load((g.BCS | g.PDP + 4, 0), (g.BCS | g.PDP, g.TOP))
    arena.guest.run([g.ARB_CHECK], g.BCS, 5.0)
    arena.gpu.ask("delay-completion", engine="bcs0", us=100_000)
    for number in range(6):
        arena.guest.queue([*loads, *loads], g.CONTEXT_A)
        arena.guest.submit(g.BCS, g.CONTEXT_A, 8 + number)
        arena.guest.queue(loads, g.CONTEXT_B)
        arena.guest.submit(g.BCS, g.CONTEXT_B, 8 + number)
    arena.gpu.ask("delay-completion", engine="bcs0", us=0)
    arena.guest.finished(1.0)


@attack("12.1-3", "another processor changes the ring while it is looked at: harmless, then a store to others")
def ring_changes(arena: Arena) -> None:
    good, bad = _packed(arena.guest.gm(g.RESULT)), _packed(arena.others_gm)
    words = [*g.store(arena.guest.gm(g.RESULT), 1, g.GLOBAL)] * 8
    arena.guest.queue(words)
    changes = [(g.BACKING + g.RING_A + 4 + 16 * number, good, bad) for number in range(200)]
    _race(arena, changes, words)


@attack("12.1-9", "another processor changes lengths and ends of commands while a batch is looked at")
def batch_changes(arena: Arena) -> None:
    at = g.BACKING + g.BATCH
    arena.guest.batch(g.store(arena.guest.gm(g.RESULT), 1, g.GLOBAL) * 100 + [g.END])
    changes = [(at + 1600, _packed(g.END), _packed(g.NOOP)), (at, _packed(g.STORE | g.GLOBAL), _packed(0x22 << 23 | 0x7D))]
    changes += [(at + 804, _packed(arena.guest.gm(g.RESULT)), _packed(arena.others_gm))]
    _race(arena, changes, [g.START_BATCH, arena.guest.gm(g.BATCH), 0])


@attack("12.1-3", "another processor changes the state page while it is taken over: where the ring is, the root, the image")
def context_changes(arena: Arena) -> None:
    page = g.BACKING + g.CONTEXT_A + g.PAGE
    root = arena.crafted(arena.hosts_frame)
    changes = [
        (page + 4 * g.Place.START, _packed(arena.guest.gm(g.RING_A)), _packed(arena.others_gm)),
        (page + 4 * g.Place.PDP0_LOW, _packed(g.TOP), _packed(root & 0xFFFF_FFFF)),
        (page + 4 * g.Place.ENGINE_STATE, _packed(g.END), _packed(0x22 << 23 | 1, g.BCS | g.PDP, root & 0xFFFF_FFFF, g.END)),
        (page + 4 * g.Place.TAIL, _packed(8), _packed(0x1F_FFF8)),
    ]
    _race(arena, changes, g.store(0, 1))


@attack("12.1-11", "work for engines on which execution lists were never enabled, or are not any more")
def never_enabled(arena: Arena) -> None:
    for engine in (g.VECS, g.VCS):
        arena.guest.queue([g.ARB_CHECK])
        arena.guest.submit(engine)
        arena.guest.finished(0.1)
    arena.guest.write(g.BCS | g.RING_MODE, 0x8000_0000)
    arena.guest.submit(g.BCS)
    arena.guest.finished(0.1)


@attack("12.1-10", "the mode of the ring is written again and again while work waits")
def mode_while_queued(arena: Arena) -> None:
    arena.guest.run([g.ARB_CHECK], g.BCS, 5.0)
    arena.gpu.ask("delay-completion", engine="bcs0", us=200_000)
    for _ in range(5):
        arena.guest.queue([g.START_BATCH, arena.guest.gm(g.BATCH), 0])
        arena.guest.batch([*g.store(arena.guest.gm(g.RESULT), 1, g.GLOBAL), g.END])
        arena.guest.submit(g.BCS)
        for mode in (0x8000_0000, 0x8000_8000, 0xFFFF_8000, 0x8000_8000):
            arena.guest.write(g.BCS | g.RING_MODE, mode)
    arena.gpu.ask("delay-completion", engine="bcs0", us=0)
    arena.guest.finished(0.5)


@attack("12.1-12", "submissions that cannot run, one after the other, then ones that can, on both engines", lines=100)
def refused_then_valid(arena: Arena) -> None:
    for engine in (g.BCS, g.RCS):
        for _ in range(10):
            arena.guest.run(g.store(arena.others_gm, 1, g.GLOBAL), engine, 0.02)
            arena.guest.restart(engine)
        arena.guest.boot()
        if not arena.guest.works(engine, 5.0):
            arena.guest.vmm.must("reset")


@attack("12.1-13", "a context that was refused while another of the same guest was under way")
def refused_beside_valid(arena: Arena) -> None:
    arena.gpu.ask("delay-completion", engine="bcs0", us=50_000)
    for _ in range(5):
        arena.guest.queue([g.ARB_CHECK], g.CONTEXT_A)
        arena.guest.submit(g.BCS, g.CONTEXT_A)
        arena.guest.queue(g.store(arena.others_gm, 1, g.GLOBAL), g.CONTEXT_B)
        arena.guest.submit(g.BCS, g.CONTEXT_B)
        arena.guest.finished(0.1)
        arena.guest.restart(g.BCS)
    arena.gpu.ask("delay-completion", engine="bcs0", us=0)


@attack("12.1-13", "thousands of descriptors that make no sense")
def wild_descriptors(arena: Arena) -> None:
    source = random.Random(1)
    for engine in (g.BCS, g.RCS):
        for _ in range(20):
            own = [arena.guest.gm(g.CONTEXT_A) | source.getrandbits(12) for _ in range(200)]
            words = [source.choice((0, 0xFFFF_FFFF, source.getrandbits(32), word)) for word in own]
            arena.guest.steps(*((engine | g.EXECLIST_PORT, word) for word in words))
        arena.guest.restart(engine)
