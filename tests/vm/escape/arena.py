# SPDX-License-Identifier: GPL-2.0
"""One attack after the other: a guest to attack from, a bystander to attack, and everything that is looked at."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from escape import guest as g
from escape.host import ENGINES, Canary, Gpu, Journal, Log, kernel_kib, pages, warn_again
from escape.judge import FATAL, Limits, Observed
from escape.vmm import GoneError

_MARK = 0xC0FF_EE11
# Registers of the host that no guest may change: who may do what, where engines find their memory, clocks, power, resets,
# interrupts, fences of the host, the blitter's and the display's.
HOST_REGISTERS = (
    *(base | low for base in (g.RCS, g.VCS, g.VECS, g.BCS) for low in (0x80, 0x29C)),
    *(0x9424, 0x9430, 0x4430C, 0x4F100, 0x4A00, 0x4AB8),
    *(0x101008, 0x120010, 0x45400, 0x70180, 0x7019C),
)
# What batches without privilege may write: a list of registers, which are the guest's while it runs.
_NONPRIV = range(0x24D0, 0x2500, 4)
_REGISTER = 0x7F_FFFC


class EscapedError(Exception):
    """An attack has got what it must not have."""


@dataclass(frozen=True)
class Attack:
    """One attack."""

    name: str
    spec: str
    tries: str
    limits: Limits
    body: Callable[["Arena"], None]


ATTACKS: list[Attack] = []


def attack(spec: str, tries: str, **limits: float) -> Callable[[Callable[["Arena"], None]], Callable[["Arena"], None]]:
    """Makes a function an attack."""

    def add(body: Callable[["Arena"], None]) -> Callable[["Arena"], None]:
        ATTACKS.append(Attack(body.__name__.replace("_", "-"), spec, tries, Limits(**limits), body))
        return body

    return add


class Arena:
    """The machine in which attacks are tried."""

    def __init__(self) -> None:
        """Starts both guests; both work, or nothing can be said."""
        self._own: set[int] = set()
        self._uuids = os.environ["UUIDS"].split()
        self.ours = os.environ["DRIVER"] == "ours"
        self.gpu, self.journal, self.canary, self.log = Gpu(), Journal(), Canary(), Log()
        self.guest, self.bystander = g.Guest(self._uuids[0]), g.Guest(self._uuids[1])
        for one in (self.guest, self.bystander):
            one.boot()
            for engine in (g.BCS, g.RCS):
                if not one.works(engine):
                    raise AssertionError(f"a guest does not work on engine {engine:#x}")
        self._mark_bystander()
        self._bystander_unused = self.gpu.leads(self.others_gm // g.PAGE, g.UNUSED_PAGES)
        self._host_page = self._unused_of_host()
        self._bystander_frames = pages.frames(self.bystander.vmm.pid, g.MEMORY)

    # --- what there is to attack ------------------------------------------------------------------------------------------

    @property
    def others_gm(self) -> int:
        """A graphics address of the bystander."""
        return self.bystander.gm(g.UNUSED)

    @property
    def hosts_gm(self) -> int:
        """A graphics address of the host."""
        return self._host_page[0] * g.PAGE

    @property
    def hosts_frame(self) -> int:
        """A page frame of a process of the host."""
        return self.canary.frames[len(self.canary.frames) // 2]

    def outside(self) -> tuple[int, ...]:
        """Graphics addresses that are not the guest's: others', the host's, the edges of its own, what is nobody's."""
        low, end = self.guest.low, self.guest.low + self.guest.low_size
        return self.others_gm, self.hosts_gm, low - 4, end, end - 2, 0, 0xFFFF_F000

    def crafted(self, frame: int) -> int:
        """Page tables that the guest has made with addresses of the host, which it is assumed to know: their root. The first
        page of the address space is this frame."""
        first, count = self.guest.gm(g.CRAFTED) // g.PAGE, 4
        frames = [frame for _, frame in self.gpu.entries(first, count)] + [frame]
        for level in range(count):
            self.guest.put(g.BACKING + g.CRAFTED + level * g.PAGE, [frames[level + 1] << 12 | 3], width=8)
        return frames[0] << 12

    def escaped(self, what: str) -> None:
        """Ends an attack that has got through."""
        raise EscapedError(what)

    def must_not_read(self, words: list[int], what: str) -> None:
        """Nothing of what others have may be among words that a guest can read."""
        if _MARK in words:
            self.escaped(f"{what}: memory of others was read")

    def another_guest(self) -> g.Guest:
        """A new VMM takes the attacker's device; the one before is gone."""
        self.guest = g.Guest(self._uuids[0])
        self._own |= pages.frames(self.guest.vmm.pid, g.MEMORY)
        return self.guest

    @property
    def uuid(self) -> str:
        """The attacker's device."""
        return self._uuids[0]

    # --- one attack -------------------------------------------------------------------------------------------------------

    def run(self, attack: Attack) -> Observed:
        """Tries it; what was observed."""
        seen = Observed(limits=attack.limits)
        warn_again()
        self.guest.boot()
        # Those of each VMM that has the device in turn: whoever comes last does not have what one before has used.
        self._own = pages.frames(self.guest.vmm.pid, g.MEMORY)
        confined = self._arm(self._own)
        if not self.guest.works():
            raise AssertionError("the attacker's own virtual GPU does not work")
        nowhere = g.store(self.guest.gm(g.NOT_MAPPED), 1, g.GLOBAL) + (g.store(g.NOWHERE, 1) if self.ours else [])
        if not self.guest.run(nowhere, seconds=20.0):
            raise AssertionError("stores to nowhere do not end")
        # What leads nowhere is a page that is not the guest's and nobody looks at.
        nothing = {frame for _, frame in self._strays(confined)}
        registers = self.gpu.registers(HOST_REGISTERS)
        self.log.news()
        kib, begin = kernel_kib(), time.monotonic()
        try:
            attack.body(self)
        except EscapedError as error:
            seen.escaped = str(error)
        except GoneError as error:
            seen.gone = str(error)
        seen.seconds = time.monotonic() - begin
        seen.kib = kernel_kib() - kib
        seen.findings, seen.lines = self.log.news()
        if seen.verdict()[0] in FATAL:
            return seen
        try:
            self._own |= pages.frames(self.guest.vmm.pid, g.MEMORY)
            self._look(seen, confined, self._own | nothing)
            changed = self.gpu.registers(HOST_REGISTERS)
            seen.registers = [hex(at) for at in HOST_REGISTERS if changed[at] != registers[at]]
            free = self.gpu.registers(_NONPRIV).items()
            seen.registers += [hex(slot) for slot, register in free if register & _REGISTER in HOST_REGISTERS]
            seen.bystander = self._bystander_works()
            self.guest.boot()
            seen.recovers = self.guest.works()
        except GoneError as error:
            seen.gone = str(error)
        more, lines = self.log.news()
        seen.findings, seen.lines = [*seen.findings, *more], seen.lines + lines
        return seen

    def _look(self, seen: Observed, confined: int, own: set[int]) -> None:
        """What engines have touched, and what the attacker's part of the graphics memory leads to."""
        rules = self.gpu.violations()
        seen.violations = sum(times for rule, times in rules.items() if rule != confined)
        seen.foreign = sorted({frame for _, frame in self._strays(confined)} - own)
        # One page stands for all that is not mapped.
        leads = self.gpu.leads(self.guest.low // g.PAGE, self.guest.low_size // g.PAGE) - own
        seen.stray = len(leads) - 1 if len(leads) > 1 else 0
        seen.intact = self.canary.intact() and self._unused_of_bystander() == self._mark()
        if not seen.intact:
            self.canary.mend()
            self._mark_bystander()

    def _strays(self, confined: int) -> Iterator[tuple[int, int]]:
        """Writes to what is not the guests': address and frame. What the host's own contexts, rings and status pages are in is no
        business of a guest's page tables."""
        own = range(self.guest.low, self.guest.low + self.guest.low_size)
        for space, address, frame in self.journal.writes(confined):
            if space == "ppgtt" or address in own:
                yield address, frame

    def _arm(self, own: set[int]) -> int:
        """The auditor forgets, guards memory that no engine has anything to do with, and tells of what is not the guests': the
        number of the rule for that."""
        self.gpu.ask("audit-clear")
        self.gpu.reserve([*self._bystander_unused, *self.canary.frames])
        self.gpu.reserve([self._host_page[1]], {"client": "vecs0"})
        guests = self.gpu.page_set("guests", own | self._bystander_frames)
        return self.gpu.allow({"rule": "confine", "pages": guests, "contexts": [{"client": engine} for engine in ENGINES]})

    def _bystander_works(self) -> bool:
        return all(self.bystander.works(engine) for engine in (g.BCS, g.RCS))

    @staticmethod
    def _mark() -> bytes:
        return _MARK.to_bytes(4, "little") * (g.UNUSED_PAGES * g.PAGE // 4)

    def _mark_bystander(self) -> None:
        self.bystander.put(g.BACKING + g.UNUSED, [_MARK] * (g.UNUSED_PAGES * g.PAGE // 4))

    def _unused_of_bystander(self) -> bytes:
        return self.bystander.bytes(g.BACKING + g.UNUSED, g.UNUSED_PAGES * g.PAGE)

    def _unused_of_host(self) -> tuple[int, int]:
        """A page of the host in graphics memory which no engine that attacks use touches, and which i915 keeps: the status page of
        another engine. Its number and frame."""
        register = g.VECS | g.STATUS_PAGE
        return next(self.gpu.entries(self.gpu.registers([register])[register] // g.PAGE, 1))


@contextmanager
def results(path: Path) -> Iterator[Callable[[dict[str, object]], None]]:
    """A file of results, each in it at once: a machine that dies takes nothing along."""
    with path.open("a") as file:

        def add(result: dict[str, object]) -> None:
            file.write(json.dumps(result) + "\n")
            file.flush()
            os.fsync(file.fileno())

        yield add
