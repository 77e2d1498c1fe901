# SPDX-License-Identifier: GPL-2.0
"""What the host sees of an attack: the emulated GPU's auditor, its page table and registers, the kernel log, memory."""

import ctypes
import importlib.machinery
import json
import mmap
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from rig.dmesg import Record, Scanner

_CONTROL = Path("/dev/virtio-ports/emulated-gpu.control")
_ADDRESS = 0x3F_FFFF_FFFF_F000
_PAGE = 4096
_CANARY = 8 << 20
# Ranges in one rule; a line of the control socket has a limit.
_RANGES = 1500
_SLABS = ("SUnreclaim", "VmallocUsed", "Percpu", "PageTables")

pages = importlib.machinery.SourceFileLoader("pages", str(Path(__file__).parents[1] / "checks" / "pages")).load_module()


class Gpu:
    """The control socket of the emulated GPU."""

    def __init__(self) -> None:
        """Connects."""
        self._file = _CONTROL.open("r+b", buffering=0)

    def ask(self, request: str, **fields: object) -> object:
        """The answer to a request."""
        self._file.write(json.dumps({"request": request, **fields}).encode() + b"\n")
        line = b""
        while not line.endswith(b"\n"):
            line += self._file.read(1 << 16) or b""
        return json.loads(line)["ok"]

    def entries(self, first: int = 0, count: int | None = None) -> Iterator[tuple[int, int]]:
        """Number and frame of every present entry of the graphics memory among so many."""
        end = None if count is None else first + count
        place: int | None = first
        while place is not None:
            part = {} if end is None else {"count": end - place}
            answer = self.ask("ggtt", first=place, **part)
            for run in answer["runs"]:
                for number in range(run["count"]):
                    yield run["first"] + number, ((int(run["entry"], 16) + number * run["step"]) & _ADDRESS) // _PAGE
            place = answer["next"]

    def reserve(self, frames: Iterable[int], *contexts: dict[str, str]) -> None:
        """Nobody but these may touch the frames."""
        terms = {"rule": "reserve", "pages": pages.ranges(set(frames))[:_RANGES], "contexts": list(contexts)}
        self.ask("audit-allow", terms=terms)

    def violations(self) -> int:
        """How often rules were broken."""
        return sum(rule["violations"] for rule in self.ask("audit-rules"))

    def written(self) -> set[int]:
        """Frames that engines have written to."""
        return self._touched("write")

    def touched(self) -> set[int]:
        """Frames that engines have read or written."""
        return self._touched("read", "write")

    def _touched(self, *directions: str) -> set[int]:
        found: set[int] = set()
        for context in self.ask("audit-pages"):
            if context["client"] != "aperture" and not context["client"].startswith("pipe"):
                for first, last in [edges for direction in directions for edges in context[direction]]:
                    found.update(range(first, last + 1))
        return found

    def registers(self, offsets: Iterable[int]) -> dict[int, int]:
        """What is in registers of the hardware."""
        return {at: int(next(iter(self.ask("registers", first=at).values())), 16) for at in offsets}


class Canary:
    """Memory of a process of the host, which no guest has anything to do with."""

    def __init__(self) -> None:
        """Fills it, and keeps it where it is."""
        self._memory = mmap.mmap(-1, _CANARY)
        self._content = bytes(range(1, 129)) * (_CANARY // 128)
        self._memory[:] = self._content
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        if ctypes.CDLL(None, use_errno=True).mlock(ctypes.c_void_p(address), ctypes.c_size_t(_CANARY)):
            raise OSError(ctypes.get_errno(), "mlock")
        self.frames = sorted(pages.frames(os.getpid(), _CANARY))

    def intact(self) -> bool:
        """Whether it is as it was filled."""
        return self._memory[:] == self._content


class Log:
    """The kernel log from now on."""

    def __init__(self) -> None:
        """Looks at what comes next only."""
        self._file = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self._file, 0, os.SEEK_END)
        self._scanner = Scanner()

    def news(self) -> tuple[list[str], int]:
        """Titles of what must not be in it, and how many lines came, since last asked."""
        records = []
        lost = 0
        while True:
            try:
                head, _, text = os.read(self._file, 8192).decode(errors="replace").partition(";")
            except BlockingIOError:
                break
            except BrokenPipeError:
                lost = 1000  # the log was overrun
                continue
            records.append(Record(int(head.split(",")[0]) & 7, text.split("\n")[0]))
        return [finding.title for finding in self._scanner.scan("L1", records)], len(records) + lost


def kernel_kib() -> int:
    """What the kernel uses for itself and cannot give back."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.split(":")[0] in _SLABS)


def warn_again() -> None:
    """A warning that the kernel gives only once is given again."""
    Path("/sys/kernel/debug/clear_warn_once").write_text("1")
