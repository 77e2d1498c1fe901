# SPDX-License-Identifier: GPL-2.0
"""What the owner of the device's descriptor can do: a VMM that was taken over."""

import errno
import os
import random
import struct
import time
from pathlib import Path

from escape import guest as g
from escape.arena import Arena, attack
from escape.guest import Guest

_CONFIG, _OPREGION, _EDID = 7, 9, 10
_SECRET = 0x5EC2_E700
_LINEAR, _TILED = 0x8400_0000, 0x8400_1400
# Page tables that lead nowhere.
_MANY_TABLES = [g.SPARE_TABLES + number * g.PAGE for number in range(16, 40)]


@attack("5.2-1", "the configuration space at places whose low 32 bits wrap around: reads")
def wrapped_reads(arena: Arena) -> None:
    for offset in (0xFFFF_FFFC, 0xFFFF_FFF0, 0xFFFF_FF00, 0x8000_0000):
        for width in (4, 1, 2, 8):
            answer = arena.guest.vmm.ask("read", region=_CONFIG, offset=offset, width=width)
            if answer["ok"]:
                arena.escaped(f"the kernel's memory at {offset:#x} behind the configuration space: {answer.get('value')}")


@attack("5.2-1", "the configuration space at places whose low 32 bits wrap around: writes")
def wrapped_writes(arena: Arena) -> None:
    for offset in (0xFFFF_FFFC, 0xFFFF_FFF0, 0xFFFF_FF00):
        if arena.guest.vmm.ask("write", region=_CONFIG, offset=offset, width=4, value=0)["ok"]:
            arena.escaped(f"the kernel's memory was written at {offset:#x} behind the configuration space")


@attack("5.2-6", "every region around its end and around multiples of 2^16 and 2^32", lines=60)
def ends_of_regions(arena: Arena) -> None:
    for region in range(12):
        for edge in (0, 0x80, 0x1000, 1 << 16, 1 << 24, 1 << 29, 1 << 32, (1 << 40) - 8):
            for offset in (edge - 4, edge - 1, edge):
                if offset >= 0:
                    arena.guest.vmm.ask("read", region=region, offset=offset, width=8)
                    arena.guest.vmm.ask("write", region=region, offset=offset, width=4, value=0)


@attack("5.2-2", "hundreds of requests that make sense to nobody", lines=60, seconds=30.0)
def log_flood(arena: Arena) -> None:
    guest = arena.guest
    for number in range(100):
        guest.write(0x17_FFF0 + 4 * (number % 3), number)
        guest.vmm.ask("write", region=2, offset=0, width=4, value=0)
        guest.vmm.ask("read", region=0, offset=3 + 8 * number, width=4)
        guest.write(g.VECS | g.EXECLIST_PORT, number)


@attack("5.2-3", "accesses of any width that are not aligned, to every kind of region", lines=60)
def unaligned(arena: Arena) -> None:
    registers = ((0, 0x2080), (0, 0x2000), (0, 0x44200), (0, 0x78000))
    for region, start in (*registers, (2, arena.guest.low), (_CONFIG, 0), (_CONFIG, 0x10)):
        for offset in range(9):
            for width in (1, 2, 4, 8):
                arena.guest.vmm.ask("read", region=region, offset=start + offset, width=width)
                arena.guest.vmm.ask("write", region=region, offset=start + offset, width=width, value=0)
            arena.guest.vmm.ask("write", region=region, offset=start + offset, data="ff" * 37)


@attack("5.1", "mappings of the aperture around what is the guest's: its neighbour's, the host's, so long that sums wrap")
def mappings(arena: Arena) -> None:
    low, size = arena.guest.low, arena.guest.low_size
    places = [(at, g.PAGE) for at in (arena.others_gm, arena.hosts_gm, low - g.PAGE, low + size, 1 << 39)]
    places += [(low, size + g.PAGE), (low, 1 << 40), (0, low + size)]
    places += [(end - g.PAGE, 2 * g.PAGE) for end in (low + size, 1 << 40)]
    for number, (offset, length) in enumerate(places):
        answer = arena.guest.vmm.ask("map", mapping=f"m{number}", region=2, offset=offset, size=length)
        if answer["ok"]:
            arena.escaped(f"{length:#x} bytes at {offset:#x} of the aperture were mapped")
    for region in (0, 1, 3, 6, _CONFIG, _OPREGION, _EDID):
        if arena.guest.vmm.ask("map", mapping=f"r{region}", region=region, offset=0, size=g.PAGE)["ok"]:
            arena.escaped(f"region {region} was mapped")


@attack("5.3", "the aperture outside of what is the guest's, by reads and writes")
def aperture_outside(arena: Arena) -> None:
    for at in arena.outside():
        if at >= 1 << 29 or arena.guest.low <= at & ~3 < arena.guest.low + arena.guest.low_size:
            continue
        answer = arena.guest.vmm.ask("read", region=2, offset=at & ~3, width=4)
        if answer["ok"]:
            arena.must_not_read([int(answer["value"], 16)], "the aperture")
        if arena.guest.vmm.ask("write", region=2, offset=at & ~3, width=4, value=_SECRET)["ok"] and answer["ok"]:
            again = arena.guest.vmm.ask("read", region=2, offset=at & ~3, width=4)
            if again.get("value") == hex(_SECRET):
                arena.escaped(f"{at:#x} of the aperture takes what is written")


@attack("5.1", "the aperture while the command register and BARs say that it is elsewhere, or off")
def moved_bars(arena: Arena) -> None:
    for command in (0, 2, 7):
        for bar in (0, 0xFFFF_FFFF, 0xFEE0_0000, 0x1000):
            arena.guest.vmm.ask("write", region=_CONFIG, offset=4, width=2, value=command)
            for register in (0x10, 0x14, 0x18, 0x1C, 0x20, 0x30):
                arena.guest.vmm.ask("write", region=_CONFIG, offset=register, width=4, value=bar)
            arena.guest.vmm.ask("read", region=0, offset=0x2080, width=4)
            arena.guest.vmm.ask("read", region=2, base="low", offset=g.MAPPED, width=4)
    arena.guest.vmm.must("reset")


@attack("12.1-19", "a device is closed and opened by another VMM, which maps the aperture before any reset")
def stale_after_close(arena: Arena) -> None:
    old = arena.guest
    old.put(g.BACKING + g.RESULT, [_SECRET] * 1024)
    arena.gpu.reserve([frame for _, frame in arena.gpu.entries(old.gm(0) // g.PAGE, g.MAPPED // g.PAGE)])
    old.vmm.must("close")
    new = arena.another_guest()
    answer = new.vmm.ask("map", mapping="stale", region=2, base="low", offset=0, size=g.MAPPED)
    words = []
    for at in range(0, g.MAPPED, g.PAGE):
        if answer["ok"]:
            words.append(int(new.vmm.ask("map_read", mapping="stale", offset=at).get("value", "0"), 16))
        words.append(int(new.vmm.ask("read", region=2, base="low", offset=at, width=4).get("value", "0"), 16))
    old.leave()
    if _SECRET in words:
        arena.escaped("the memory of the machine that had the device before was read")


@attack("12.1-19", "the same with the VMM killed while its engine is at work")
def stale_after_kill(arena: Arena) -> None:
    arena.gpu.ask("delay-completion", engine="bcs0", us=300_000)
    frames = {frame for _, frame in arena.gpu.entries(arena.guest.gm(0) // g.PAGE, g.MAPPED // g.PAGE)}
    arena.guest.queue(g.store(g.RESULT, 1) * 10)
    arena.guest.submit()
    arena.guest.leave()
    arena.gpu.reserve(frames)
    arena.gpu.ask("delay-completion", engine="bcs0", us=0)
    arena.another_guest()


@attack("5.3", "what a guest had in graphics memory, tables, fences and registers is there after a reset")
def stale_after_reset(arena: Arena) -> None:
    guest = arena.guest
    guest.put(g.BACKING + g.RESULT, [_SECRET] * 1024)
    guest.vmm.must("reset")
    for at in range(0, g.MAPPED, g.PAGE):
        if int(guest.vmm.ask("read", region=2, base="low", offset=at, width=4).get("value", "0"), 16) == _SECRET:
            arena.escaped("the aperture shows memory that was set up before the reset")
    if guest.read(g.BCS | g.STATUS_PAGE):
        arena.escaped("the status page is the one from before the reset")


def _read_nothing(arena: Arena) -> list[int]:
    """What the attacker finds in graphics memory that it has not set up: by its engine, and by the aperture."""
    guest = arena.guest
    guest.run([g.COPY | g.GLOBAL | g.COPY_TO_GLOBAL, guest.gm(g.RESULT), 0, guest.gm(g.NOT_MAPPED), 0], g.BCS, 5.0)
    answer = guest.vmm.ask("read", region=2, base="low", offset=g.NOT_MAPPED, width=4)
    return [guest.word(g.BACKING + g.RESULT), int(answer.get("value", "0"), 16)]


@attack("5.3", "graphics memory that nobody has set up: what one guest writes there another one reads")
def shared_nothing(arena: Arena) -> None:
    other = arena.bystander
    other.run(g.store(other.gm(g.NOT_MAPPED), _SECRET, g.GLOBAL), g.BCS, 5.0)
    other.vmm.ask("write", region=2, base="low", offset=g.NOT_MAPPED, width=4, value=_SECRET)
    if _SECRET in _read_nothing(arena):
        arena.escaped("it is one page that all guests share")


@attack("12.1-19", "graphics memory that nobody has set up: what a machine wrote there the next one with the device reads")
def stale_nothing(arena: Arena) -> None:
    old = arena.guest
    if not old.run(g.store(old.gm(g.NOT_MAPPED), _SECRET, g.GLOBAL), g.BCS, 5.0):
        raise AssertionError("a store to nowhere does not end")
    old.leave()
    arena.another_guest().boot()
    if _SECRET in _read_nothing(arena):
        arena.escaped("the page behind it is the one from before")


@attack("5.3", "memory that a VMM keeps for itself: whoever needs what the guest has in it waits, and nobody else", seconds=60.0)
def stalled_memory(arena: Arena) -> None:
    for engine, offset, size, root in ((g.BCS, g.BACKING, g.UNUSED, g.TOP), (g.RCS, g.SPARE_TABLES, g.PAGE, g.SPARE_TABLES)):
        guest = arena.guest
        guest.boot()
        guest.queue(g.store(guest.gm(g.RESULT), 1, g.GLOBAL) * 4, g.context_of(engine))
        guest.set_state(g.context_of(engine), g.Place.PDP0_LOW, root)
        guest.vmm.must("memory_stall", offset=offset, size=size)
        words = (0, 0, 7, guest.gm(g.context_of(engine)) | g.VALID_DESCRIPTOR)
        for _ in range(2):
            steps = " ".join(f"w4+{engine | g.EXECLIST_PORT:x}={word:x}" for word in words)
            guest.vmm.send("sweep", region=0, offsets=[0], steps=steps)
        for _ in range(5):
            if not all(arena.bystander.works(other, seconds=5.0) for other in (g.BCS, g.RCS)):
                arena.escaped("another guest waits for that memory")
        guest.leave()
        arena.another_guest()


def _must_not_sleep(arena: Arena) -> None:
    """i915 would wait without end for the GPU that a thread has a use for, with all processes frozen."""
    power = Path("/sys/power")
    (power / "pm_test").write_text("freezer")
    try:
        (power / "state").write_text("freeze")
    except OSError as error:
        if error.errno == errno.EBUSY:
            return
        raise
    arena.escaped("the host goes to sleep, and would not wake up")


def _stall_thread(arena: Arena, first: int, size: int, **late: int) -> None:
    """Page tables of the guest come late to the host's own thread, or never."""
    guest = arena.guest
    # Files are closed in the opposite order of their numbers: what brings memory takes the place of this one.
    guest.vmm.must("close")
    guest.vmm.must("eventfd", event="low")
    guest.open()
    guest.boot()
    arena.gpu.ask("delay-completion", engine="bcs0", us=1_000_000)
    guest.queue(g.store(guest.gm(g.RESULT), 1, g.GLOBAL))
    guest.submit()
    tables = [g.SPARE_TABLES + number * g.PAGE for number in range(3)]
    for table, below in zip(tables[:2], tables[1:], strict=True):
        guest.put(table, [below | 3], width=8)
    guest.put(tables[2], [table | 3 for table in _MANY_TABLES], width=8)
    guest.queue(g.store(guest.gm(g.RESULT), 2, g.GLOBAL), g.CONTEXT_B)
    guest.set_state(g.CONTEXT_B, g.Place.PDP0_LOW, g.SPARE_TABLES)
    guest.submit(g.BCS, g.CONTEXT_B, number=8)
    guest.vmm.must("close_eventfd", event="low")
    guest.vmm.must("memory_stall", offset=first, size=size, **late)
    # Memory that the GPU uses goes: all tables are read once more, by whoever gives it the work that waits.
    guest.map(g.NOT_MAPPED // g.PAGE, [g.REMOVABLE | 1])
    guest.vmm.must("dma_unmap", iova=g.REMOVABLE, size=g.MEMORY - g.REMOVABLE)
    time.sleep(2)


def _leave_stalled(arena: Arena) -> None:
    arena.gpu.ask("delay-completion", engine="bcs0", us=0)
    if not all(arena.bystander.works(other, seconds=5.0) for other in (g.BCS, g.RCS)):
        arena.escaped("another guest waits for that memory")
    arena.guest.leave()
    arena.another_guest()


@attack(
    "5.3", "memory that never comes to the host's own thread: the VMM is killed, and what brings it closes last", seconds=60.0
)
def stalled_thread(arena: Arena) -> None:
    _stall_thread(arena, g.SPARE_TABLES, g.PAGE)
    if arena.ours:
        _must_not_sleep(arena)
    _leave_stalled(arena)


@attack("5.3", "memory that never comes to the host's own thread, and the VMM waits for that when it is killed", seconds=90.0)
def stalled_access(arena: Arena) -> None:
    _stall_thread(arena, g.SPARE_TABLES, g.PAGE)
    arena.guest.vmm.send("read", region=0, offset=0x2080, width=4)
    _leave_stalled(arena)


@attack("5.3", "memory that comes late to the host's own thread, page by page, and more that is taken away then", seconds=60.0)
def late_memory(arena: Arena) -> None:
    _stall_thread(arena, _MANY_TABLES[0], len(_MANY_TABLES) * g.PAGE, milliseconds=1000)
    # VFIO asks for what is left here again and again, and gives the host up when that was in vain ten times.
    begin = time.monotonic()
    arena.guest.vmm.must("dma_unmap", iova=0, size=g.REMOVABLE)
    if time.monotonic() - begin < 0.3 and arena.ours:
        raise AssertionError("nobody waited for the memory")
    _leave_stalled(arena)


@attack("5.3", "a device is opened, used and closed in the middle of work, over and over", seconds=60.0)
def open_and_close(arena: Arena) -> None:
    for number in range(6):
        arena.guest.boot()
        arena.guest.queue(g.store(g.RESULT, 1))
        arena.guest.submit((g.BCS, g.RCS)[number % 2], g.CONTEXT_A)
        if number % 3 == 0:
            arena.guest.vmm.must("close")
            arena.guest.open()
        elif number % 3 == 1:
            arena.guest.vmm.must("reset")
        else:
            arena.guest.leave()
            arena.another_guest()


@attack("5.3", "one device is opened twice, without a machine, and for one that has a device already")
def opened_twice(arena: Arena) -> None:
    arena.guest.vmm.ask("open", device="again", uuid="$1")
    arena.guest.vmm.ask("machine", machine="other", memory=1 << 20)
    arena.guest.vmm.ask("open", device="elsewhere", uuid="$1", machine="other")
    arena.guest.vmm.must("close")
    if arena.guest.vmm.ask("open", uuid="$1", kvm=False)["ok"]:
        arena.guest.vmm.must("read", region=0, offset=0x2080, width=4)
        arena.guest.vmm.must("close")
    arena.guest.open()


@attack("5.3", "every ioctl of a device with lengths, counts and indexes that make no sense", lines=40)
def wild_ioctls(arena: Arena) -> None:
    source = random.Random(3)
    requests = ("GET_INFO", "GET_REGION_INFO", "GET_IRQ_INFO", "SET_IRQS", "QUERY_GFX_PLANE", "GET_GFX_DMABUF")
    for request in requests:
        for _ in range(40):
            size = source.choice((0, 4, 8, 16, 20, 32, 64, 0xFFFF_FFFF))
            words = [size, *(source.choice((0, 1, 2, 5, 0x7FFF_FFFF, 0xFFFF_FFFF, source.getrandbits(32))) for _ in range(15))]
            arena.guest.vmm.ask("ioctl", request=f"DEVICE_{request}", arg=[{"hex": struct.pack("<16I", *words).hex()}])


@attack("5.3", "a monitor and an OpRegion that make no sense", lines=60)
def wild_display_input(arena: Arena) -> None:
    source = random.Random(4)
    for _ in range(100):
        for region, offset in ((_EDID, source.choice((0, 4, 8, 12, 16, 0x100))), (_OPREGION, source.randrange(0x2000))):
            arena.guest.vmm.ask("write", region=region, offset=offset, data=source.randbytes(64).hex())
        offset, value = source.choice((0xE0, 0xE8, 0xFC)), source.getrandbits(32)
        arena.guest.vmm.ask("write", region=_CONFIG, offset=offset, width=4, value=value)
    # What a guest asks its monitor: AUX channels, GMBUS, beyond all lengths.
    places = (0x64110, 0x64114, 0x64118, 0x64010, 0xC5100, 0xC5104, 0xC5108, 0xC510C, 0xC5120)
    for _ in range(200):
        arena.guest.write(source.choice(places), source.getrandbits(32))


@attack("5.3", "planes, cursors and their dma-bufs of any size at any place: the picture is not the guest's memory")
def planes_outside(arena: Arena) -> None:
    guest = arena.guest
    for at in (arena.others_gm, arena.hosts_gm, guest.gm(0), guest.low + guest.low_size - g.PAGE, 0):
        for size, stride, bits in ((0x0FFF_0FFF, 0x3FF, _LINEAR), (0x00FF_00FF, 8, _LINEAR), (0x00FF_00FF, 8, _TILED)):
            guest.steps((0x70190, size), (0x70188, stride), (0x70180, bits), (0x7019C, at), (0x70080, 0x27), (0x70084, at))
            for kind in (1, 2):
                guest.vmm.ask("plane", kind=kind)
            answer = guest.vmm.ask("dmabuf", buffer="b")
            if answer["ok"]:
                words = guest.vmm.ask("buffer_read", buffer="b", offset=0, length=4096)
                seen = bytes.fromhex(words["data"]) if words["ok"] else b""
                arena.must_not_read(list(struct.unpack(f"<{len(seen) // 4}I", seen)), "a dma-buf")
                guest.vmm.ask("close_buffer", buffer="b")


@attack("5.3", "interrupts by eventfds that are closed, that are those of others, and thousands at once", lines=40)
def events(arena: Arena) -> None:
    vmm = arena.guest.vmm
    vmm.must("eventfd", event="one")
    for _ in range(30):
        vmm.ask("set_irqs", index=1, data="eventfd", action="trigger", eventfds=["one"])
        arena.guest.run([g.USER_INTERRUPT], g.BCS, 0.05)
        vmm.ask("set_irqs", index=1, data="eventfd", action="trigger", eventfds=[None])
    vmm.ask("set_irqs", index=1, data="eventfd", action="trigger", eventfds=["one"])
    vmm.ask("close_eventfd", event="one")
    arena.guest.run([g.USER_INTERRUPT], g.BCS, 0.05)
    for index in range(6):
        for start, count in ((0, 0xFFFF_FFFF), (0xFFFF_FFFF, 1), (1, 1), (0, 0)):
            vmm.ask("set_irqs", index=index, start=start, count=count, data="none", action="trigger")


@attack("5.3", "the device leaves while its VMM uses it: the request to go is ignored, the VMM is killed")
def removed_in_use(arena: Arena) -> None:
    path = f"/sys/bus/mdev/devices/{arena.uuid}"
    kind = os.path.realpath(f"{path}/mdev_type")
    arena.guest.queue(g.store(g.RESULT, 1))
    arena.guest.submit()
    removal = os.fork()
    if not removal:
        with open(f"{path}/remove", "w") as file:
            file.write("1")
        os._exit(0)
    arena.guest.finished(0.3)
    arena.guest.leave()
    os.waitpid(removal, 0)
    with open(f"{kind}/create", "w") as file:
        file.write(arena.uuid)
    arena.guest = Guest(arena.uuid)
