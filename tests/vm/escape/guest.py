# SPDX-License-Identifier: GPL-2.0
"""A guest with a driver of its own: as little as makes an engine of Gen8 or Gen9 run commands."""

import os
import struct
import time
from collections.abc import Sequence

from escape.vmm import Vmm

PAGE = 0x1000
MEMORY = 8 << 20
# The end of memory is mapped for devices by itself, so that it can be taken away.
REMOVABLE = 0x60_0000

# Graphics memory of the guest, from the start of its part of the aperture on: page by page this guest memory.
BACKING = 0x10_0000
STATUS, RING_A, RING_B, BATCH, RESULT, CONTEXT_A, CONTEXT_B = 0, 0x1000, 0x2000, 0x3000, 0x7000, 0x8000, 0x20000
# Room for what an attack makes.
CRAFTED = 0x38000
# Mapped and used by nobody: what is in there must stay.
UNUSED, UNUSED_PAGES = 0x40000, 16
MAPPED = UNUSED + UNUSED_PAGES * PAGE
NOT_MAPPED = 0x20_0000
# Tables of the PPGTT, in guest memory. Its first 2 MiB are page by page the same memory.
TOP, POINTERS, DIRECTORY, TABLE = 0x40_0000, 0x40_1000, 0x40_2000, 0x40_3000
SPARE_TABLES = 0x40_4000
# An address of the PPGTT where nothing is.
NOWHERE = 0x8000_0000

RCS, VCS, VECS, BCS = 0x2000, 0x12000, 0x1A000, 0x22000
RESET_BIT = {RCS: 1 << 1, VCS: 1 << 2, BCS: 1 << 3, VECS: 1 << 4}
TAIL, HEAD, START, CONTROL = 0x30, 0x34, 0x38, 0x3C
STATUS_PAGE, EXECLIST_PORT, RING_MODE, STATUS_POINTER, PDP = 0x80, 0x230, 0x29C, 0x3A0, 0x270
RESET = 0x941C
VERSION_OF_VGPU = 0x78000
TABLE_OF_PTES = 0x80_0000

# Commands, the number of words where there is only one form.
NOOP, END, USER_INTERRUPT, ARB_CHECK = 0, 0x0A << 23, 0x02 << 23, 0x05 << 23
GLOBAL = 1 << 22
STORE, FLUSH, SRM, LRM, LRR = 0x20 << 23 | 2, 0x26 << 23 | 2, 0x24 << 23 | 2, 0x29 << 23 | 2, 0x2A << 23 | 1
COPY, COPY_TO_GLOBAL = 0x2E << 23 | 3, 1 << 21
START_BATCH = 0x31 << 23 | 1
OF_PPGTT, SECOND_LEVEL = 1 << 8, 1 << 22
PIPE_CONTROL = 0x7A00_0004
COMPLETE = 1 << 4
VALID_DESCRIPTOR = 1 << 0 | 3 << 3 | 1 << 8


def load(*pairs: tuple[int, int]) -> list[int]:
    """MI_LOAD_REGISTER_IMM."""
    return [0x22 << 23 | 2 * len(pairs) - 1, *(word for pair in pairs for word in pair)]


def store(address: int, value: int, flags: int = 0) -> list[int]:
    """MI_STORE_DATA_IMM of a word."""
    return [STORE | flags, address & 0xFFFF_FFFF, address >> 32, value]


def context_of(engine: int) -> int:
    """The context that an engine's work is in."""
    return CONTEXT_B if engine == RCS else CONTEXT_A


class Place:
    """Where a context keeps what it has in the state page: numbers of words."""

    CONTROL = 3
    HEAD = 5
    TAIL = 7
    START = 9
    RING_CONTROL = 11
    PER_CONTEXT = 25
    INDIRECT = 27
    INDIRECT_OFFSET = 29
    PDP0_LOW = 51
    PDP0_HIGH = 49
    ENGINE_STATE = 80


class Guest:
    """The guest on a virtual GPU of its own."""

    def __init__(self, uuid: str) -> None:
        """Opens the device; `boot` does the rest."""
        self._uuid = uuid
        self.vmm = Vmm(uuid)
        self.vmm.must("machine", memory=MEMORY, map=False)
        for start in range(0, MEMORY, MEMORY // 4):
            self.vmm.must("memory_fill", offset=start, length=MEMORY // 4)
        self.open()

    def open(self) -> None:
        """Takes the device."""
        self.vmm.must("open", uuid="$1")
        for start, end in ((0, REMOVABLE), (REMOVABLE, MEMORY)):
            self.vmm.must("dma_map", iova=start, offset=start, size=end - start)
        area = self.vmm.must("region_info", region=2)["capabilities"][0]["sparse_mmap"][0]
        self.low, self.low_size = int(area["offset"], 16), int(area["size"], 16)

    # --- memory and registers -------------------------------------------------------------------------------------------

    def put(self, gpa: int, words: Sequence[int], width: int = 4) -> None:
        """Writes words to guest memory, as a device does: nobody notices."""
        self.vmm.must("memory_write", offset=gpa, data=struct.pack(f"<{len(words)}{'Q' if width == 8 else 'I'}", *words).hex())

    def word(self, gpa: int) -> int:
        """A word of guest memory."""
        return int(self.vmm.must("memory_read", offset=gpa, width=4)["value"], 16)

    def bytes(self, gpa: int, length: int) -> bytes:
        """Guest memory."""
        return bytes.fromhex(self.vmm.must("memory_read", offset=gpa, length=length)["data"])

    def fill(self, gpa: int, length: int, byte: int = 0) -> None:
        """Fills guest memory."""
        self.vmm.must("memory_fill", offset=gpa, length=length, byte=byte)

    def write(self, register: int, value: int, width: int = 4) -> dict[str, object]:
        """Writes a register; the answer."""
        return self.vmm.ask("write", region=0, offset=register, width=width, value=value)

    def read(self, register: int) -> int:
        """Reads a register."""
        return int(self.vmm.must("read", region=0, offset=register)["value"], 16)

    def map(self, page: int, entries: Sequence[int]) -> dict[str, object]:
        """Writes entries of the graphics memory, from a page of its part on."""
        data = struct.pack(f"<{len(entries)}Q", *entries).hex()
        at = TABLE_OF_PTES + (self.low // PAGE + page) * 8
        return self.vmm.ask("write", region=0, offset=at, data=data)

    def gm(self, offset: int) -> int:
        """The graphics address of a place in its part."""
        return self.low + offset

    # --- a driver ---------------------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """From a reset to engines that take work."""
        self.fill(BACKING, UNUSED)
        self.fill(TOP, 4 * PAGE)
        self.put(TOP, [POINTERS | 3], width=8)
        self.put(POINTERS, [DIRECTORY | 3], width=8)
        self.put(DIRECTORY, [TABLE | 3], width=8)
        self.put(TABLE, [BACKING + page * PAGE | 3 for page in range(MAPPED // PAGE)], width=8)
        self._begin()

    def _begin(self) -> None:
        """The same with memory as it is."""
        self.vmm.must("reset")
        self.read(VERSION_OF_VGPU)
        self.map(0, [BACKING + page * PAGE | 1 for page in range(MAPPED // PAGE)])
        self._ends = {RING_A: 0, RING_B: 0}
        self.context(CONTEXT_A, RING_A)
        self.context(CONTEXT_B, RING_B)
        self.enable(BCS, RCS)

    def steps(self, *steps: tuple[int, int]) -> None:
        """Writes registers in one request."""
        words = " ".join(f"w4+{register:x}={value:x}" for register, value in steps)
        self.vmm.must("sweep", region=0, offsets=[0], steps=words)

    def enable(self, *engines: int) -> None:
        """Execution lists of engines are on."""
        values = ((STATUS_PAGE, self.gm(STATUS)), (RING_MODE, 0x8000_8000))
        self.steps(*((engine | register, value) for engine in engines for register, value in values))

    def restart(self, engine: int) -> None:
        """Has an engine take work again after it may have refused some. The stock driver takes nothing any more until the whole
        device was reset."""
        if os.environ["DRIVER"] == "ours":
            self.steps((RESET, RESET_BIT[engine]))
            self.enable(engine)
        else:
            self._begin()

    def context(self, context: int, ring: int) -> None:
        """A context with nothing to do, which was never on the GPU."""
        end = self._ends[ring]
        state = {Place.CONTROL: 0x1_0001, Place.HEAD: end, Place.TAIL: end, Place.START: self.gm(ring), Place.RING_CONTROL: 1}
        state |= {Place.PDP0_LOW: TOP, Place.ENGINE_STATE: END}
        self.set_state(context, 0, *(state.get(place, 0) for place in range(Place.ENGINE_STATE + 1)))

    def set_state(self, context: int, place: int, *values: int) -> None:
        """Writes to the state page of a context."""
        self.put(BACKING + context + PAGE + 4 * place, values)

    def state(self, context: int, place: int) -> int:
        """A word of the state page of a context."""
        return self.word(BACKING + context + PAGE + 4 * place)

    def queue(self, words: Sequence[int], context: int = CONTEXT_A) -> None:
        """Puts commands into the ring of a context."""
        ring = RING_A if context == CONTEXT_A else RING_B
        words = [*words, *[NOOP] * (len(words) % 2)]
        end = self._ends[ring]
        if end + 4 * len(words) >= PAGE:
            self.put(BACKING + ring + end, [NOOP] * ((PAGE - end) // 4))
            end = 0
        self.put(BACKING + ring + end, words)
        self._ends[ring] = end + 4 * len(words)
        self.set_state(context, Place.TAIL, self._ends[ring])

    def submit(self, engine: int = BCS, context: int | None = None, number: int = 7, flags: int = VALID_DESCRIPTOR) -> None:
        """Submits a context, that of the engine if none is named."""
        self.fill(BACKING + STATUS + 0x40, 0x30)
        self.steps(*((engine | EXECLIST_PORT, word) for word in (0, 0, number, self.gm(context or context_of(engine)) | flags)))

    def run(self, words: Sequence[int], engine: int = BCS, seconds: float = 0.5) -> bool:
        """Has an engine execute commands; whether the guest was told so in time."""
        self.queue(words, context_of(engine))
        self.submit(engine)
        return self.finished(seconds)

    def batch(self, words: Sequence[int], at: int = BATCH) -> None:
        """Writes a batch."""
        self.put(BACKING + at, words)

    def finished(self, seconds: float = 0.5) -> bool:
        """Waits until the status page says that the context is complete."""
        end = time.monotonic() + seconds
        while True:
            events = struct.unpack("<12I", self.bytes(BACKING + STATUS + 0x40, 48))
            if any(event & COMPLETE for event in events[::2]):
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.002)

    def works(self, engine: int = BCS, seconds: float = 20.0) -> bool:
        """Whether a store arrives in guest memory, by the graphics memory and by the PPGTT, and the guest is told."""
        self.fill(BACKING + RESULT, 16)
        marks = [*store(self.gm(RESULT), 0x600D_0001, GLOBAL), *store(RESULT + 4, 0x600D_0002)]
        done = self.run(marks, engine, seconds=seconds)
        return done and [self.word(BACKING + RESULT), self.word(BACKING + RESULT + 4)] == [0x600D_0001, 0x600D_0002]

    def leave(self) -> None:
        """Its VMM ends at once."""
        self.vmm.kill()
