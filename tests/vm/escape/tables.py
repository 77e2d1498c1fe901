# SPDX-License-Identifier: GPL-2.0
"""Page tables of the guest, both kinds, that lead where they must not."""

import random

from escape import guest as g
from escape.arena import Arena, attack
from escape.contexts import mutator
from escape.host import ENGINES, wait_until_free

_BAD = 0xBAD0_BAD0
_ON, _LARGE = 3, 1 << 7
_GIB, _TWO_MIB = 1 << 30, 1 << 21
_NO_ADDRESSES = ((1 << 39) - g.PAGE, (1 << 46) - g.PAGE, (1 << 52) - g.PAGE)


def _link(arena: Arena, table: int, index: int, entry: int) -> None:
    arena.guest.put(table + 8 * index, [entry], width=8)


def _stores(arena: Arena, *addresses: int, seconds: float = 0.2) -> None:
    arena.guest.run([word for address in addresses for word in g.store(address, _BAD)], g.BCS, seconds)
    arena.guest.restart(g.BCS)


@attack("12.1-1", "a table of pages is a table of tables at another place: data of the guest becomes a table")
def leaf_as_directory(arena: Arena) -> None:
    data = g.BACKING + g.CRAFTED
    arena.guest.put(data, [arena.hosts_frame << 12 | _ON], width=8)
    _link(arena, g.SPARE_TABLES, 0, data | _ON)
    _link(arena, g.DIRECTORY, 1, g.SPARE_TABLES | _ON)
    _link(arena, g.POINTERS, 1, g.SPARE_TABLES | _ON)
    _stores(arena, _TWO_MIB + 64, _GIB)
    # The other way round: it was a table of tables first.
    _link(arena, g.DIRECTORY, 1, 0)
    _stores(arena, _GIB)


@attack("12.1-1", "a table leads to itself, so that tables are data: what is there is a table of the host's")
def tables_in_circles(arena: Arena) -> None:
    _link(arena, g.DIRECTORY, 3, g.DIRECTORY | _ON)
    _link(arena, g.POINTERS, 3, g.POINTERS | _ON)
    _link(arena, g.TOP, 3, g.TOP | _ON)
    self_made = 3 * _TWO_MIB + 8 * 0x100
    low, high = (arena.hosts_frame << 12 | _ON) & 0xFFFF_FFFF, arena.hosts_frame >> 20
    words = [g.STORE + 1 | 1 << 21, self_made, 0, low, high, *g.store(0x100 * g.PAGE, _BAD)]
    arena.guest.run(words, g.BCS)
    arena.guest.restart(g.BCS)
    far = 3 << 39 | 3 << 30 | 3 << 21 | 3 << 12
    _stores(arena, far, 3 << 39, 3 << 30 | 3 << 21 | 3 << 12)


@attack("12.1-1", "the root is also a table of each other level", seconds=30.0)
def root_everywhere(arena: Arena) -> None:
    for table in (g.POINTERS, g.DIRECTORY, g.TABLE):
        _link(arena, table, 5, g.TOP | _ON)
    _stores(arena, 5 << 30, 5 << 21, 5 << 12, 5 << 30 | 5 << 21 | 5 << 12)


@attack("5.3", "random graphs of tables of all levels, pages of the host among them, that change while engines run", seconds=60.0)
def random_graphs(arena: Arena) -> None:
    source = random.Random(2)
    tables = [g.TOP, g.POINTERS, g.DIRECTORY, g.TABLE, *range(g.SPARE_TABLES, g.SPARE_TABLES + 8 * g.PAGE, g.PAGE)]
    data = range(g.BACKING, g.BACKING + g.MAPPED, g.PAGE)

    def entry() -> int:
        target = source.choice((*tables, *tables, source.choice(data), arena.hosts_frame << 12, g.MEMORY, (1 << 39) - g.PAGE, 0))
        return target | source.choice((_ON, _ON, _ON, _ON | _LARGE, 1, 0, _ON | 1 << 11, _ON | 1 << 63))

    for _ in range(15):
        for table in tables:
            arena.guest.put(table, [entry() for _ in range(16)], width=8)
        arena.guest.put(g.TOP, [g.POINTERS | _ON], width=8)
        addresses = [sum(source.randrange(16) << shift for shift in (12, 21, 30)) for _ in range(20)]
        _stores(arena, *addresses, seconds=0.05)
        # The processor writes to tables that are watched by now.
        for _ in range(10):
            at = source.choice(tables) + 8 * source.randrange(16) + source.choice((0, 0, 0, 2, 4, 7))
            arena.guest.vmm.ask("guest_write", gpa=at, width=source.choice((8, 8, 4, 2, 1)), value=entry() & 0xFF)
        _stores(arena, *addresses, seconds=0.05)


@attack("5.3", "entries of the PPGTT lead to pages of the host, behind the guest's memory, and to no address at all")
def pages_of_the_host(arena: Arena) -> None:
    wild = [arena.hosts_frame << 12, g.MEMORY, g.MEMORY - 3 * g.PAGE, *_NO_ADDRESSES]
    for number, target in enumerate(wild):
        _link(arena, g.TABLE, 256 + number, target | _ON)
        _link(arena, g.DIRECTORY, 8 + number, target | _ON)
        _link(arena, g.DIRECTORY, 16 + number, target & ~(_TWO_MIB - 1) | _ON | _LARGE)
        _link(arena, g.POINTERS, 8 + number, target | _ON)
        _link(arena, g.TOP, 8 + number, target | _ON)
        places = ((256 + number) << 12, (8 + number) << 21, (16 + number) << 21, (8 + number) << 30, (8 + number) << 39)
        for place in places:
            _stores(arena, place, seconds=0.05)


@attack("5.3", "the root of a context is a page of the host, of nobody, of the last page of memory")
def root_of_the_host(arena: Arena) -> None:
    hosts = arena.hosts_frame << 12
    for root in (hosts, arena.crafted(arena.hosts_frame), g.MEMORY, g.MEMORY - g.PAGE, (1 << 48) - g.PAGE, 0xFFF, 0):
        for mode in range(4):
            flags = g.VALID_DESCRIPTOR & ~(3 << 3) | mode << 3
            arena.guest.set_state(g.CONTEXT_A, g.Place.PDP0_LOW, root & 0xFFFF_FFFF)
            arena.guest.set_state(g.CONTEXT_A, g.Place.PDP0_HIGH, root >> 32)
            arena.guest.queue(g.store(0, _BAD))
            arena.guest.submit(flags=flags)
            arena.guest.finished(0.05)
            arena.guest.restart(g.BCS)


@attack("5.3", "another processor changes tables while they are read and while engines use them")
def tables_change(arena: Arena) -> None:
    entry = (arena.hosts_frame << 12 | _ON).to_bytes(8, "little")
    changes = [
        (g.TABLE, (g.BACKING | _ON).to_bytes(8, "little"), entry),
        (g.DIRECTORY, (g.TABLE | _ON).to_bytes(8, "little"), (g.DIRECTORY | _ON).to_bytes(8, "little")),
        (g.POINTERS, (g.DIRECTORY | _ON).to_bytes(8, "little"), (g.TABLE | _ON).to_bytes(8, "little")),
    ]
    with mutator(arena, changes):
        for number in range(30):
            arena.guest.vmm.ask("guest_write", gpa=g.TOP + 8 * (number % 4), width=8, value=g.POINTERS | _ON)
            arena.guest.run(g.store(0, _BAD) * 4, g.BCS, 0.02)
            arena.guest.restart(g.BCS)
            arena.guest.queue([])


@attack("12.1-18", "memory is taken away while tables lead to it; what comes to its place is another's", seconds=30.0)
def memory_taken_away(arena: Arena) -> None:
    target = g.REMOVABLE
    _link(arena, g.TABLE, 256, target | _ON)
    _link(arena, g.DIRECTORY, 4, target | _ON | _LARGE)
    unused = g.MAPPED // g.PAGE
    arena.guest.map(unused, [target | 1])
    frame = next(frame for _, frame in arena.gpu.entries(arena.guest.gm(g.MAPPED) // g.PAGE, 1))
    _stores(arena, 256 << 12, 4 << 21)
    arena.guest.run(g.store(arena.guest.gm(g.MAPPED), _BAD, g.GLOBAL))
    arena.guest.vmm.must("memory_fill", offset=target, length=g.PAGE)
    arena.guest.vmm.must("dma_unmap", iova=target, size=_TWO_MIB)
    arena.gpu.reserve([frame])
    _stores(arena, 256 << 12, 4 << 21)
    arena.guest.run(g.store(arena.guest.gm(g.MAPPED), _BAD, g.GLOBAL))
    if any(arena.guest.bytes(target, g.PAGE)):
        arena.escaped("memory that was taken away has changed")
    arena.guest.vmm.must("dma_map", iova=target, offset=target, size=_TWO_MIB)


@attack("12.1-18", "memory comes and goes under large pages, small ones and both, many times", seconds=60.0)
def memory_comes_and_goes(arena: Arena) -> None:
    target = g.REMOVABLE
    for number in range(10):
        _link(arena, g.DIRECTORY, 4, target | _ON | _LARGE if number % 2 else 0)
        _link(arena, g.TABLE, 256, target | _ON)
        _link(arena, g.TABLE, 257, target + g.PAGE | _ON)
        _stores(arena, 256 << 12, 257 << 12, 4 << 21, seconds=0.05)
        arena.guest.vmm.must("dma_unmap", iova=target, size=_TWO_MIB)
        _stores(arena, 256 << 12, 257 << 12, 4 << 21, seconds=0.05)
        arena.guest.vmm.must("dma_map", iova=target, offset=target, size=_TWO_MIB)
    arena.guest.vmm.must("dma_unmap", iova=0, size=g.REMOVABLE)
    arena.guest.run(g.store(0, _BAD))
    arena.guest.vmm.must("dma_map", iova=0, offset=0, size=g.REMOVABLE)


def _frame_of_another(arena: Arena) -> int:
    """A frame of a new guest, in memory that can be taken away, to which both kinds of tables lead."""
    guest = arena.another_guest()
    guest.boot()
    _link(arena, g.TABLE, 256, g.REMOVABLE | _ON)
    guest.map(g.MAPPED // g.PAGE, [g.REMOVABLE | 1])
    frame = next(frame for _, frame in arena.gpu.entries(guest.gm(g.MAPPED) // g.PAGE, 1))
    _stores(arena, 256 << 12)
    return frame


@attack("5.3", "memory is taken away while engines do not say that they have forgotten where it was")
def never_forgotten(arena: Arena) -> None:
    arena.guest.leave()
    is_free = {}
    for is_forgotten in (True, False):
        frame = _frame_of_another(arena)
        if not is_forgotten:
            for engine in ENGINES:
                arena.gpu.ask("keep-translations", engine=engine)
        arena.guest.vmm.must("dma_unmap", iova=g.REMOVABLE, size=_TWO_MIB)
        arena.guest.leave()
        is_free[is_forgotten] = wait_until_free(frame, 10.0 if is_forgotten else 2.0)
    arena.gpu.ask("clear-faults")
    arena.another_guest()
    if not is_free[True]:
        raise AssertionError("a page is not freed when nothing leads to it: the rest would tell nothing")
    if is_free[False]:
        arena.escaped("a page that an engine may still have the address of was freed")


@attack("5.1", "the memory of the machine moves to other addresses while tables are watched")
def slots_move(arena: Arena) -> None:
    arena.guest.run(g.store(0, 1))
    half = g.MEMORY // 2
    arena.guest.vmm.must("slot", slot=0, gpa=0, offset=0, size=0)
    arena.guest.vmm.must("slot", slot=0, gpa=0, offset=0, size=half)
    arena.guest.vmm.ask("slot", slot=1, gpa=half, offset=half, size=half)
    arena.guest.run(g.store(0, 1))
    arena.guest.restart(g.BCS)
    arena.guest.vmm.must("slot", slot=1, gpa=half, offset=half, size=0)
    arena.guest.run(g.store(0, 1))
    arena.guest.vmm.must("slot", slot=0, gpa=0, offset=0, size=0)
    arena.guest.vmm.must("slot", slot=0, gpa=0, offset=0, size=g.MEMORY)


@attack("12.1-26", "as many tables as memory can hold, in contexts as many as there is time for", seconds=90.0, kib=98304)
def quotas(arena: Arena) -> None:
    spare = range(0x40_8000, g.MEMORY - 0x10_0000, g.PAGE)
    for number, table in enumerate(spare):
        _link(arena, g.DIRECTORY, 1 + number % 511, table | _ON)
        if number % 511 == 510:
            _stores(arena, 0)
    for number in range(200):
        arena.guest.put(g.SPARE_TABLES, [g.POINTERS | _ON], width=8)
        top = spare[number]
        _link(arena, top, 0, g.POINTERS | _ON)
        arena.guest.set_state(g.CONTEXT_A, g.Place.PDP0_LOW, top)
        arena.guest.run([g.ARB_CHECK], g.BCS, 0.2)


@attack("5.2-5", "entries that cannot be are written to watched tables again and again", lines=40)
def watched_for_ever(arena: Arena) -> None:
    arena.guest.run(g.store(0, 1), g.BCS, 5.0)
    for number in range(300):
        entry = (1 << 39) - g.PAGE * (number + 1) | _ON
        arena.guest.vmm.must("guest_write", gpa=g.TABLE + 8 * (number % 64), width=8, value=entry)


# --- the table of the graphics memory -------------------------------------------------------------------------------------


@attack("5.3", "entries of the graphics memory lead to pages of the host, behind the guest's memory, to no address at all")
def graphics_pages_of_the_host(arena: Arena) -> None:
    wild = [arena.hosts_frame << 12, g.MEMORY, *_NO_ADDRESSES, 0]
    first = g.MAPPED // g.PAGE
    for number, target in enumerate(wild):
        for bits in (1, 3, 0xFFF):
            arena.guest.map(first + number, [target | bits])
            arena.guest.run(g.store(arena.guest.gm(g.MAPPED) + number * g.PAGE, _BAD, g.GLOBAL), g.BCS, 0.05)
            arena.guest.restart(g.BCS)
            arena.guest.vmm.ask("write", region=2, base="low", offset=g.MAPPED + number * g.PAGE, value=_BAD)


@attack("5.3", "entries of others and of the host are written")
def entries_of_others(arena: Arena) -> None:
    frames = dict(arena.gpu.entries())
    entry = g.BACKING | 1
    for at in (arena.others_gm, arena.hosts_gm, arena.guest.low - g.PAGE, arena.guest.low + arena.guest.low_size, 0):
        place = g.TABLE_OF_PTES + at // g.PAGE * 8
        for width in (8, 4):
            arena.guest.write(place, entry, width)
        arena.guest.write(place + 4, 0)
    arena.guest.write(g.TABLE_OF_PTES + (arena.guest.low // g.PAGE - 1) * 8 + 4, entry | entry << 32, 8)
    for at in (arena.others_gm, arena.hosts_gm, arena.guest.low - g.PAGE, arena.guest.low + arena.guest.low_size):
        number = at // g.PAGE
        if dict(arena.gpu.entries(number, 1)).get(number) != frames.get(number):
            arena.escaped(f"the entry for {at:#x} is another one")


@attack("12.1-22", "halves of entries, all over the graphics memory, and then whole ones", seconds=40.0, kib=1024)
def halves_of_entries(arena: Arena) -> None:
    for base, count in (("low_pte", 16_384), ("high_pte", 49_152)):
        for start in range(0, count, 8192):
            offsets = [8 * place for place in range(start, min(start + 8192, count))]
            arena.guest.vmm.must("sweep", region=0, base=base, offsets=offsets, steps="w4=100001")
    arena.guest.boot()
    if not arena.guest.works():
        arena.escaped("its own virtual GPU does not work any more")


@attack("12.1-21", "entries of the graphics memory in pieces: each width at each alignment, and across the end")
def pieces_of_entries(arena: Arena) -> None:
    end = g.TABLE_OF_PTES + (1 << 23)
    for at in (g.TABLE_OF_PTES + arena.guest.low // g.PAGE * 8 + 8 * g.MAPPED // g.PAGE, end - 8):
        for width in (1, 2, 4, 8):
            for offset in range(8):
                arena.guest.write(at + offset, 0x10_0001 & ((1 << 8 * width) - 1), width)
                arena.guest.vmm.ask("read", region=0, offset=at + offset, width=width)
