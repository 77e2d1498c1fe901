# SPDX-License-Identifier: GPL-2.0
"""What the host sees of an attack: the emulated GPU's auditor, its page table and registers, the kernel log, memory."""

import ctypes
import importlib.machinery
import json
import mmap
import os
import struct
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from rig.dmesg import KERNEL_KNOWN, Finding, Record, Scanner, add_record

_CONTROL = Path("/dev/virtio-ports/emulated-gpu.control")
_ADDRESS = 0x3F_FFFF_FFFF_F000
_PAGE = 4096
_CANARY = 8 << 20
# In /proc/kpageflags.
_UP_TO_DATE = 1 << 3
# Ranges in one rule; a line of the control socket has a limit.
_RANGES = 1500
ENGINES = ("rcs0", "bcs0", "vcs0", "vecs0")
_SLABS = ("SUnreclaim", "VmallocUsed", "Percpu", "PageTables")

# A guest may hang its engine, and the host takes that back.
HANGS = r"GPU HANG|GPU hang|Resetting (chip|(rcs|bcs|vcs|vecs)\d)"

pages = importlib.machinery.SourceFileLoader("pages", str(Path(__file__).parents[1] / "checks" / "pages")).load_module()


class Gpu:
    """The control socket of the emulated GPU."""

    def __init__(self) -> None:
        """Connects."""
        self._file = _CONTROL.open("r+b", buffering=0)
        self._sets = 0

    def ask(self, request: str, **fields: object) -> object:
        """The answer to a request."""
        return pages.ask(self._file, request, **fields)

    def runs(self, first: int = 0, count: int | None = None) -> Iterator[tuple[int, int, int, int]]:
        """Present entries of the graphics memory among so many: number, how many, frame of the first, and step."""
        end = None if count is None else first + count
        place: int | None = first
        while place is not None:
            part = {} if end is None else {"count": end - place}
            answer = self.ask("ggtt", first=place, **part)
            for run in answer["runs"]:
                yield run["first"], run["count"], (int(run["entry"], 16) & _ADDRESS) // _PAGE, run["step"] // _PAGE
            place = answer["next"]

    def entries(self, first: int = 0, count: int | None = None) -> Iterator[tuple[int, int]]:
        """Number and frame of every present entry among so many."""
        for start, length, frame, step in self.runs(first, count):
            yield from ((start + number, frame + number * step) for number in range(length))

    def leads(self, first: int, count: int) -> set[int]:
        """The frames that so many entries lead to."""
        runs = self.runs(first, count)
        return {frame + number * step for _, length, frame, step in runs for number in range(length if step else 1)}

    def allow(self, terms: dict[str, object]) -> int:
        """Puts a rule in force; its number."""
        return self.ask("audit-allow", terms=terms)

    def page_set(self, name: str, frames: Iterable[int]) -> str:
        """Names a set of frames."""
        ranges = pages.ranges(set(frames))
        for first in range(0, len(ranges), _RANGES):
            self.ask("audit-page-set", name=name, pages=ranges[first : first + _RANGES])
        return name

    def reserve(self, frames: Iterable[int], *contexts: dict[str, str]) -> int:
        """Nobody but these may touch the frames from now on; the number of the rule."""
        self._sets += 1
        name = self.page_set(f"reserved-{self._sets}", frames)
        return self.allow({"rule": "reserve", "pages": name, "contexts": list(contexts)})

    def violations(self) -> dict[int, int]:
        """How often each rule was broken."""
        return {rule["id"]: rule["violations"] for rule in self.ask("audit-rules")}

    def touched(self) -> set[int]:
        """Frames that engines have read or written."""
        found: set[int] = set()
        for context in self.ask("audit-pages"):
            if context["client"] in ENGINES:
                for first, last in [*context["read"], *context["write"]]:
                    found.update(range(first, last + 1))
        return found

    def registers(self, offsets: Iterable[int]) -> dict[int, int]:
        """What is in registers of the hardware."""
        found: dict[int, int] = {}
        for first, last in pages.ranges({at // 4 for at in offsets}):
            answer = self.ask("registers", first=4 * first, count=last - first + 1)
            found |= {int(at, 16): int(value, 16) for at, value in answer.items()}
        return found


def wait_until_free(frame: int, seconds: float = 2.0) -> bool:
    """Whether nobody has a page frame any more, or again: the kernel forgets of a page that it is up to date when it is freed."""
    end = time.monotonic() + seconds
    with open("/proc/kpageflags", "rb", buffering=0) as flags:
        while True:
            flags.seek(frame * 8)
            if not struct.unpack("<Q", flags.read(8))[0] & _UP_TO_DATE:
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.05)


def works(engine: str, seconds: int) -> bool:
    """Whether some empty batches of a program of the host's get through, each in so many seconds."""
    command = [Path(os.environ["PUSH"]) / "gemtest", "--limit", str(seconds), "--count", "5", f"throughput/{engine}"]
    with (Path(os.environ["OUT"]) / "host.out").open("ab") as output:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False).returncode == 0


class Journal:
    """The audit file, as it grows."""

    def __init__(self) -> None:
        """Reads what comes next only."""
        self._file = (Path(os.environ["OUT"]) / "audit.jsonl").open()
        self._file.seek(0, os.SEEK_END)
        self._rest = ""

    def writes(self, rule: int) -> Iterator[tuple[str, int, int]]:
        """Writes that broke a rule since last asked: kind of address, address, frame."""
        text = self._rest + self._file.read()
        *lines, self._rest = text.split("\n")
        for line in lines:
            event = json.loads(line)
            if event["event"] == "truncated":
                raise AssertionError("the audit file is full")
            if event["event"] == "violation" and event["rule"] == rule and event["write"] and "address" in event:
                yield event["space"], int(event["address"], 16), event["page"]


class Canary:
    """Memory of a process of the host, which no guest has anything to do with."""

    def __init__(self) -> None:
        """Fills it, and keeps it where it is."""
        self._memory = mmap.mmap(-1, _CANARY)
        self._content = bytes(range(1, 129)) * (_CANARY // 128)
        self.mend()
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        if ctypes.CDLL(None, use_errno=True).mlock(ctypes.c_void_p(address), ctypes.c_size_t(_CANARY)):
            raise OSError(ctypes.get_errno(), "mlock")
        self.frames = sorted(pages.frames(os.getpid(), _CANARY))

    def mend(self) -> None:
        """Makes it whole again."""
        self._memory[:] = self._content

    def intact(self) -> bool:
        """Whether it is as it was filled."""
        return self._memory[:] == self._content


def title(finding: Finding) -> str:
    """The line that names a warning's place, where it is one, rather than what it was given to say."""
    return next((line for line in finding.lines if line.startswith("WARNING: ")), finding.title)


class Log:
    """The kernel log from now on."""

    def __init__(self) -> None:
        """Looks at what comes next only."""
        self._file = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self._file, 0, os.SEEK_END)
        self._scanner = Scanner([HANGS, *KERNEL_KNOWN])

    def news(self) -> tuple[list[str], int]:
        """Titles of what must not be in it, and how many lines came, since last asked."""
        records: list[Record] = []
        lost = 0
        while True:
            try:
                head, _, text = os.read(self._file, 8192).decode(errors="replace").partition(";")
            except BlockingIOError:
                break
            except BrokenPipeError:
                lost = 1000  # the log was overrun
                continue
            add_record(records, head, text.split("\n")[0])
        found = self._scanner.scan("L1", records)
        # What the kernel says of itself alone is no attack's doing, however long it is.
        known = [len(one.lines) for one in Scanner([HANGS]).scan("L1", records) if one not in found]
        return [title(finding) for finding in found], len(records) - sum(known) + lost


def kernel_kib() -> int:
    """What the kernel uses for itself and cannot give back."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.split(":")[0] in _SLABS)


def warn_again() -> None:
    """A warning that the kernel gives only once is given again."""
    Path("/sys/kernel/debug/clear_warn_once").write_text("1")
