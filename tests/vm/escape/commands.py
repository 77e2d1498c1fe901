# SPDX-License-Identifier: GPL-2.0
"""Commands that reach for what is not the guest's."""

import time

from escape import guest as g
from escape import host
from escape.arena import Arena, attack

_IMMEDIATE, _COUNT, _TIMESTAMP = 1 << 14, 2 << 14, 3 << 14
_FLUSH_GLOBAL = 1 << 2
_PIPE_GLOBAL, _PIPE_REGISTER, _CS_STALL = 1 << 24, 1 << 23, 1 << 20
_STORE_QWORD, _INDEXED = 1 << 21, 1 << 21
_ATOMIC_ADD, _SEMAPHORE = 0x2F << 23 | 0x7 << 8 | 1, 0x1C << 23 | 2
_STORE_INDEX, _UPDATE_GTT, _REPORT = 0x21 << 23 | 1, 0x23 << 23 | 1, 0x28 << 23 | 2
_COLOR_BLT, _PIXELS_32 = 0x50 << 22 | 3 << 20 | 5, 3 << 24 | 0xF0 << 16
# DERRMR, the value of which is patched.
_PATCHED = 0x44050
_ARBITRATION_OFF = 0x08 << 23
_LEAVE_OUT = 0x01 << 23 | 0xF
_BAD = 0xBAD0_BAD0


def each(arena: Arena, engine: int, forms: list[list[int]], seconds: float = 0.06) -> None:
    """Runs one after the other, each from a fresh start of the engine."""
    for words in forms:
        arena.guest.run(words, engine, seconds)
        arena.guest.restart(engine)


@attack("5.3", "stores of words to others' graphics memory, the host's, nobody's, half behind the end of its own")
def store_outside(arena: Arena) -> None:
    each(arena, g.BCS, [g.store(at, _BAD, g.GLOBAL) for at in arena.outside()])


@attack("5.3", "the same with eight bytes, atomics, copies from memory to memory and semaphores")
def other_stores_outside(arena: Arena) -> None:
    own = arena.guest.gm(g.RESULT)
    for at in arena.outside():
        forms = [
            [g.STORE + 1 | g.GLOBAL | _STORE_QWORD, at, 0, _BAD, _BAD],
            [_ATOMIC_ADD | g.GLOBAL, at, 0],
            [g.COPY | g.GLOBAL | g.COPY_TO_GLOBAL, at, 0, own, 0],
            [g.COPY | g.GLOBAL | g.COPY_TO_GLOBAL, own, 0, at, 0],
            [_SEMAPHORE | g.GLOBAL | 1 << 15 | 1 << 12, 0, at, 0],
        ]
        each(arena, g.BCS, forms, 0.03)
        arena.must_not_read([arena.guest.word(g.BACKING + g.RESULT)], "a copy")


@attack("12.1-4", "MI_FLUSH_DW in its long form writes behind the flush to others' graphics memory")
def flush_outside(arena: Arena) -> None:
    for at in (arena.others_gm, arena.hosts_gm):
        for kind in (_IMMEDIATE, _TIMESTAMP):
            each(arena, g.BCS, [[g.FLUSH | kind, at | _FLUSH_GLOBAL, 0, 1], [g.FLUSH + 1 | kind, at | _FLUSH_GLOBAL, 0, 1, 2]])


@attack("12.1-4", "PIPE_CONTROL writes a word, a count or the time to others' graphics memory")
def pipe_control_outside(arena: Arena) -> None:
    for at in (arena.others_gm, arena.hosts_gm):
        kinds = (_IMMEDIATE, _COUNT, _TIMESTAMP)
        each(arena, g.RCS, [[g.PIPE_CONTROL, _CS_STALL | _PIPE_GLOBAL | kind, at, 0, _BAD, _BAD] for kind in kinds])


@attack("12.1-4", "a place in the status page that is behind its end, for every command that has one")
def index_outside(arena: Arena) -> None:
    far = arena.others_gm - arena.guest.low & 0xFFFF_FFF8
    each(arena, g.BCS, [[_STORE_INDEX, far, _BAD], [g.FLUSH | _IMMEDIATE | _INDEXED, far | _FLUSH_GLOBAL, 0, _BAD]])
    each(arena, g.RCS, [[g.PIPE_CONTROL, _CS_STALL | _PIPE_GLOBAL | _IMMEDIATE | _INDEXED, far, 0, _BAD, _BAD]])


@attack("12.1-4", "PIPE_CONTROL writes registers of the host")
def pipe_control_registers(arena: Arena) -> None:
    each(arena, g.RCS, [[g.PIPE_CONTROL, _CS_STALL | _PIPE_REGISTER, at, 0, _BAD, 0] for at in (0x2080, 0x24D0, 0xA188, 0xC800)])


@attack("5.1", "commands for the host: MI_UPDATE_GTT, MI_REPORT_PERF_COUNT, ones that do not exist")
def commands_of_the_host(arena: Arena) -> None:
    entry = arena.hosts_frame << 12 | 1
    forms = [[_UPDATE_GTT | g.GLOBAL, arena.guest.gm(0), entry & 0xFFFF_FFFF], [_REPORT, arena.others_gm | 1, 0, 1]]
    each(arena, g.BCS, [*forms, [0x3F << 23, 0], [0x7 << 29, 0], [0x1 << 29 | 0xFF, 0]])


@attack("5.3", "the blitter fills and copies others' memory, by addresses of the PPGTT that lead nowhere")
def blits_outside(arena: Arena) -> None:
    for at in (arena.others_gm, arena.hosts_frame << 12, g.NOWHERE):
        fill = [_COLOR_BLT, _PIXELS_32 | 256, 0, 16 << 16 | 64, at & 0xFFFF_FFFF, at >> 32, _BAD]
        each(arena, g.BCS, [fill])


@attack("12.1-9", "the last command of a ring is longer than what is left of it, and so is that of a page")
def truncated(arena: Arena) -> None:
    own = arena.guest.gm(g.RESULT)
    heads = [[0x22 << 23 | 0xFF, _PATCHED], [g.STORE | g.GLOBAL, own], [_STORE_INDEX], [g.FLUSH | _IMMEDIATE, own | 4]]
    heads += [[0x31 << 23 | 1], [0x14 << 23 | 1], [g.COPY | g.GLOBAL], [0x22 << 23 | 1]]
    each(arena, g.BCS, [[g.NOOP] * (len(head) % 2) + head for head in heads])
    each(arena, g.RCS, [[g.NOOP, g.PIPE_CONTROL], [g.PIPE_CONTROL, _CS_STALL | _PIPE_GLOBAL | _IMMEDIATE | _INDEXED]])


@attack("12.1-9", "rings whose head and tail are not where they can be")
def wild_rings(arena: Arena) -> None:
    most = 0xFFFF_FFFF
    for head, tail, control in ((0x1F_FFFC, 8, 1), (0, 0x1F_FFF8, 1), (0, 8, 0x1F_F001), (4, 2, 1), (most, most, most)):
        arena.guest.set_state(g.CONTEXT_A, g.Place.HEAD, head)
        arena.guest.set_state(g.CONTEXT_A, g.Place.TAIL, tail)
        arena.guest.set_state(g.CONTEXT_A, g.Place.RING_CONTROL, control)
        arena.guest.submit()
        arena.guest.finished(0.05)
        arena.guest.restart(g.BCS)
    for start in (arena.others_gm, arena.hosts_gm, 0, 0xFFFF_F000):
        arena.guest.set_state(g.CONTEXT_A, g.Place.START, start)
        arena.guest.submit()
        arena.guest.finished(0.05)
        arena.guest.restart(g.BCS)


@attack("12.1-8", "batches of graphics memory that go on in each other, with words in them that a driver changes")
def chained_batches(arena: Arena) -> None:
    patched = [*g.load((_PATCHED, _BAD)), _STORE_INDEX, 0x100, _BAD, g.END]
    for first, second in ((0x3000, 0x6000), (0x6000, 0x3000), (0x3F00, 0x4FF0), (0x5000, 0x3A000)):
        arena.guest.batch([g.NOOP] * 5 + [g.START_BATCH, arena.guest.gm(second), 0], first)
        arena.guest.batch(patched, second)
        each(arena, g.BCS, [[g.START_BATCH, arena.guest.gm(first), 0]], 0.1)


@attack("12.1-16", "batches of graphics memory that go on in each other without an end")
def endless_chain(arena: Arena) -> None:
    arena.guest.batch([g.START_BATCH, arena.guest.gm(g.BATCH), 0])
    each(arena, g.BCS, [[g.START_BATCH, arena.guest.gm(g.BATCH), 0]])
    arena.guest.batch([g.START_BATCH, arena.guest.gm(g.BATCH + 0x1000), 0])
    arena.guest.batch([g.NOOP] * 900 + [g.START_BATCH, arena.guest.gm(g.BATCH), 0], g.BATCH + 0x1000)
    each(arena, g.BCS, [[g.START_BATCH, arena.guest.gm(g.BATCH), 0]])


@attack("12.1-16", "a batch without an end, up to where its graphics memory ends, and ones as long as can be")
def endless_batch(arena: Arena) -> None:
    arena.guest.fill(g.BACKING + g.CRAFTED, g.UNUSED - g.CRAFTED)
    each(arena, g.BCS, [[g.START_BATCH, arena.guest.gm(g.CRAFTED), 0]])
    # All of its part of the aperture is one page of nothing, over and over, and then the part behind.
    pages = arena.guest.low_size // g.PAGE - g.MAPPED // g.PAGE
    for first in range(0, pages, 512):
        arena.guest.map(g.MAPPED // g.PAGE + first, [g.BACKING + g.CRAFTED | 1] * min(512, pages - first))
    each(arena, g.BCS, [[g.START_BATCH, arena.guest.gm(g.MAPPED), 0]] * 3)
    each(arena, g.BCS, [[g.START_BATCH, arena.guest.gm(g.MAPPED), 0] * 100])


@attack("12.1-16", "batches within batches within batches, and ones that are not the guest's")
def nested_batches(arena: Arena) -> None:
    second = g.START_BATCH | g.SECOND_LEVEL
    for place in range(3):
        at = g.BATCH + place * 0x1000
        arena.guest.batch([second, arena.guest.gm(at + 0x1000), 0, g.END], at)
    arena.guest.batch([g.END], g.BATCH + 0x3000)
    each(arena, g.BCS, [[g.START_BATCH, arena.guest.gm(g.BATCH), 0]])
    each(arena, g.BCS, [[g.START_BATCH, at & 0xFFFF_FFFC, 0] for at in arena.outside()])


@attack("5.3", "two thousand interrupts of the guest's own, in twenty rings", lines=20)
def interrupt_storm(arena: Arena) -> None:
    before = arena.gpu.ask("interrupts")["sent"]
    for _ in range(20):
        arena.guest.run([g.USER_INTERRUPT] * 100, g.BCS, 1.0)
    sent = arena.gpu.ask("interrupts")["sent"] - before
    if sent > 400:
        arena.escaped(f"the host took {sent} interrupts")


@attack("5.3", "a batch without an end keeps the engine, with arbitration off, while others wait for it", seconds=30.0)
def hog(arena: Arena) -> None:
    arena.guest.batch([g.NOOP, g.START_BATCH | g.OF_PPGTT, g.BATCH, 0])
    for engine in (g.BCS, g.RCS):
        arena.guest.run([_ARBITRATION_OFF, g.NOOP, g.START_BATCH | g.OF_PPGTT, g.BATCH, 0], engine, 0.2)


@attack("5.3", "two guests with batches without an end, while a program of the host wants the engine too", seconds=30.0)
def hogs(arena: Arena) -> None:
    for one in (arena.guest, arena.bystander):
        one.boot()
        one.batch([g.NOOP, g.START_BATCH | g.OF_PPGTT, g.BATCH, 0])
        one.queue([g.NOOP, g.START_BATCH | g.OF_PPGTT, g.BATCH, 0], g.context_of(g.RCS))
        one.submit(g.RCS)
        # Until the other one is behind this one, or this one behind the other.
        time.sleep(1)
    # A program of the host touches what is the host's, and by then nothing else is tried.
    arena.gpu.ask("audit-clear")
    if not host.works("rcs0", 10):
        arena.escaped("a program of the host does not get the engine")
    arena.bystander.boot()


@attack("5.3", "commands are left out until further notice: not those behind the guest's work")
def left_out(arena: Arena) -> None:
    for words in ([_LEAVE_OUT], [_LEAVE_OUT, *g.store(arena.guest.gm(g.RESULT), 1, g.GLOBAL)]):
        if not arena.guest.run(words, g.RCS, 2.0):
            arena.escaped("what tells the host that work is done is left out")
