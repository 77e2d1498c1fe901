# SPDX-License-Identifier: GPL-2.0
"""Finds in kernel logs what must never be in them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

# A line that one of these matches is a finding. They are tried on the message without its time stamp.
# The first list is of what the kernel says about itself, mostly with a trace behind it.
_KERNEL = [
    r"^WARNING: ",  # WARN(), and every report of lockdep
    r"^-+\[ cut here \]-+",
    r"\bBUG: ",
    r"kernel BUG at ",
    r"^Oops\b",
    r"Kernel panic",
    r"^Call Trace:",
    r"general protection fault",
    r"Unable to handle ",
    r"\bK(A|M|C)SAN: |\bUBSAN: |\bKFENCE: ",
    r"\bINFO: (possible|suspicious|trying to register|task .* blocked|inconsistent)",
    r"rcu:? .*(self-detected stall|detected stalls|detected expedited stalls|kthread starved)",
    r"soft lockup|hard LOCKUP",
    r"unchecked MSR access",
    r"refcount_t: ",
    r"(list_add|list_del) corruption|corrupted list",
    r"Bad page state|bad page map",
    r"\bsegfault at |traps: .* (trap|general protection)",
    r"KVM internal error",
    r"Attempted to kill init",
]
# The second is of what the driver says about the GPU, a line each.
_GPU = [
    r"GPU HANG|GPU hang",
    r"\*ERROR\* .*(hang|wedged|reset)",
    r"Resetting (chip|[a-z]+\d+) for ",
    r"(failed|unable) to reset|Failed to reset",
    r"stopped heartbeat",
    r"declaring (it )?wedged|\bGPU (is )?wedged|device is wedged",
    r"CI tainted",
]
_KERNEL_RE = re.compile("|".join(f"(?:{pattern})" for pattern in _KERNEL))
_GPU_RE = re.compile("|".join(f"(?:{pattern})" for pattern in _GPU))

# What lockdep and the debugging of DMA say of the kernel alone, with any driver of this kind (Documentation/locking.rst).
KERNEL_KNOWN = (r"kvm_page_track_register_notifier", r"device_list_lock", r"i915_gem_object_put_pages_(internal|shmem)")

# The lines of a trace that follow the line that was found.
_TRACE_RE = re.compile(
    r"^(?: |RIP:|RSP:|R[A-Z0-9]{1,2}:|Code:|Call Trace:|</?[A-Z]+>|Modules linked in|CPU: |Hardware name|FS: |CS: |CR2|DR\d|PKRU"
    r"|Tainted|PGD |PTE |PMD |-+\[|#PF|Workqueue: |Sched_ext|Last Breaking|Stack:|WARNING: |BUG: |Oops|kernel BUG|invalid opcode"
    r"|irq event stamp|hardirqs|softirqs|stack backtrace|but task|which lock|the existing|other info|\*\*\* DEADLOCK"
    r"|\S+/\d+ is trying to acquire lock:|[0-9a-f]{16} \(|-> #\d+ \(|\d+ locks? held|locks held by|rcu_scheduler_active|\d+\.\d+\S* #\d+ |\S+:\d+ suspicious rcu_dereference|-{20,}$|$)"
)
_PANIC = "Kernel panic"
_CUT_RE = re.compile(r"^-+\[ cut here")
_PLACE_RE = re.compile(r"^(?:WARNING: |kernel BUG at )")
_END_RE = re.compile(r"^-+\[ end (trace|Kernel panic)")
# What a line of the serial console or of `dmesg` has in front of the message.
_PREFIX_RE = re.compile(r"^(?:<\d+>)?\[ *\d+\.\d+(?:\]\[ *[TC]\d+)?\] ?")
_DRIVER_RE = re.compile(r"^(?:i915|kvmgt|gvt|intel_vgpu_mdev|vfio_mdev|\[drm)|\[drm\]|^gvt: ")
_LONGEST = 120
_SAID_LINES = 5
_WARNING_LEVEL = 4
_INFO_LEVEL = 6


@dataclass(frozen=True)
class Record:
    """One message of a kernel: its level (0 is the worst), its text, and who gave it, where the kernel tells."""

    level: int
    text: str
    time: float = 0.0
    caller: str = ""


@dataclass(frozen=True)
class Finding:
    """A message that must not be there, with the trace that follows it."""

    source: str
    lines: tuple[str, ...]

    @property
    def title(self) -> str:
        """The line that says most: the one behind the cut mark, when there is one."""
        for line in self.lines:
            if not line.startswith("----"):
                return line.strip()
        return self.lines[0]


class Scanner:
    """Looks through logs with one list of allowed patterns."""

    def __init__(self, allowed: Sequence[str] = (), strict: bool = False) -> None:
        self._allowed = [re.compile(pattern) for pattern in allowed]
        self._strict = strict

    def scan(self, source: str, records: Iterable[Record]) -> list[Finding]:
        """All findings of one log, a trace being one finding; those with an allowed line are left out.

        Two processors that trace at once have their lines between one another, so that each caller is looked at alone.
        """
        callers: dict[str, list[tuple[int, Record]]] = {}
        for numbered in enumerate(records):
            callers.setdefault(numbered[1].caller, []).append(numbered)
        found: list[tuple[int, Finding]] = []
        for numbered_records in callers.values():
            numbers, messages = zip(*numbered_records, strict=True)
            found += [(numbers[index], finding) for index, finding in self._scan(source, messages)]
        return [finding for _, finding in sorted(found, key=lambda pair: pair[0])]

    def _scan(self, source: str, messages: Sequence[Record]) -> Iterator[tuple[int, Finding]]:
        """The findings of one caller, each with the number of its first message."""
        index = 0
        while index < len(messages):
            if not self._bad(messages[index]):
                index += 1
                continue
            end = _block_end(messages, index)
            lines = tuple(record.text for record in messages[index:end])
            if not any(pattern.search(line) for pattern in self._allowed for line in lines):
                yield index, Finding(source, lines)
            index = end

    def _bad(self, record: Record) -> bool:
        if _KERNEL_RE.search(record.text) or _GPU_RE.search(record.text):
            return True
        return self._strict and record.level <= _WARNING_LEVEL and bool(_DRIVER_RE.search(record.text))


def _block_end(messages: Sequence[Record], start: int) -> int:
    """Where the trace that begins at `start` ends."""
    if not _KERNEL_RE.search(messages[start].text):
        return start + 1
    end = start + 1
    limit = min(len(messages), start + _LONGEST)
    if _CUT_RE.match(messages[start].text):
        # What a WARN() was given to say stands between the mark and the line that names the place.
        said = range(end, min(limit, end + _SAID_LINES))
        end = next((place + 1 for place in said if _PLACE_RE.match(messages[place].text)), end)
    while end < limit:
        # Lockdep has empty lines in its messages, in front of what they say.
        text = messages[end].text.lstrip("\n")
        if _END_RE.match(text):
            return end + 1
        if _CUT_RE.match(text) or not _TRACE_RE.match(text):
            return end
        end += 1
    return end


def read_kmsg(path: Path) -> list[Record]:
    """The records of a file that was copied from /dev/kmsg; a record that was copied twice counts once."""
    records: list[Record] = []
    last = -1
    for line in _lines(path):
        head, semicolon, text = line.partition(";")
        fields = head.split(",")
        if line.startswith(" ") or not semicolon or len(fields) < 4 or not fields[0].isdigit() or not fields[1].isdigit():
            continue
        number = int(fields[1])
        if number <= last:
            continue
        last = number
        add_record(records, head, text)
    return records


def add_record(records: list[Record], head: str, text: str) -> None:
    """Adds the record of /dev/kmsg that has this before and behind its semicolon.

    A piece of a line that another caller interrupted goes to the end of what its own caller said last.
    """
    level, _, microseconds, flag, *more = head.split(",")
    caller = next((field.removeprefix("caller=") for field in more if field.startswith("caller=")), "")
    record = Record(int(level) & 7, unescaped(text), int(microseconds) / 1e6, caller)
    own = (index for index in reversed(range(len(records))) if records[index].caller == caller)
    last = next(own, None) if flag == "c" else None
    if last is None:
        records.append(record)
    else:
        records[last] = replace(records[last], text=records[last].text + record.text)


def read_console(path: Path) -> list[Record]:
    """The lines of a serial console; they carry no level."""
    return [Record(_INFO_LEVEL, _PREFIX_RE.sub("", line)) for line in _lines(path)]


def last_words(console: Path) -> str:
    """Why a machine ended, as far as its console knows: the line of its panic, or else the last one."""
    lines = [record.text.strip() for record in read_console(console) if record.text.strip()]
    panics = [line for line in lines if line.startswith(_PANIC)]
    return (panics or lines[-1:] or ["nothing at all"])[0]


def without(records: Iterable[Record], known: Iterable[Record]) -> list[Record]:
    """The records whose text is not among the known ones: what a console shows beyond the kernel log."""
    texts = {record.text for record in known}
    return [record for record in records if record.text not in texts]


def without_duplicates(findings: Iterable[Finding]) -> list[Finding]:
    """Of findings with the same title on the same machine the first one."""
    seen: set[tuple[str, str]] = set()
    result: list[Finding] = []
    for finding in findings:
        key = (finding.source, finding.title)
        if key not in seen:
            seen.add(key)
            result.append(finding)
    return result


def as_dmesg(records: Iterable[Record]) -> str:
    """The log as `dmesg` prints it, with the level in front."""
    return "".join(f"<{record.level}>[{record.time:12.6f}] {record.text}\n" for record in records)


def _lines(path: Path) -> Iterator[str]:
    if not path.is_file():
        return
    for line in path.read_bytes().decode(errors="replace").split("\n"):
        yield line.rstrip("\r")


def unescaped(text: str) -> str:
    """The text of a record of /dev/kmsg, which has codes in place of some characters."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match.group(1), 16)), text)
