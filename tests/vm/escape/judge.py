# SPDX-License-Identifier: GPL-2.0
"""What an attack came to, from everything that was observed while it ran."""

from collections.abc import Sequence
from dataclasses import dataclass, field

CONTAINED = "contained"
# After these the machine is not what it was: whatever is tried next needs another one.
FATAL = ("oops", "hung")


@dataclass(frozen=True)
class Limits:
    """What an attack may cost the host."""

    seconds: float = 20.0
    kib: int = 8192
    lines: int = 60


@dataclass
class Observed:
    """What was seen of one attack."""

    # Frames that are reserved for others and were touched by an engine, and others that an engine wrote to.
    violations: int = 0
    foreign: Sequence[int] = ()
    # Entries of the attacker's graphics memory that lead to what is not its own.
    stray: int = 0
    # Whether memory and registers of others are as before.
    intact: bool = True
    registers: Sequence[str] = ()
    # What the attack itself found that it must not have.
    escaped: str = ""
    # The kernel log: titles of findings, and the number of lines.
    findings: Sequence[str] = ()
    lines: int = 0
    # A request that never came back, or a VMM that was killed.
    gone: str = ""
    # Whether another virtual GPU of the machine still works, and the attacker's own after a reset.
    bystander: bool = True
    recovers: bool = True
    seconds: float = 0.0
    kib: int = 0
    limits: Limits = field(default_factory=Limits)

    def verdict(self) -> tuple[str, str]:
        """In a word or two, and why."""
        # A trace whose beginning was lost in a flood is one of a warning: a kernel that dies says nothing more.
        warned = [title for title in self.findings if title.startswith(("WARNING: ", "Call Trace:"))]
        died = [title for title in self.findings if title not in warned]
        if self.violations:
            reached = f"{self.violations} accesses to memory of others"
        elif self.foreign:
            reached = f"wrote to {len(self.foreign)} pages that are not its own: {', '.join(map(hex, self.foreign[:4]))}"
        elif self.stray:
            reached = f"{self.stray} entries lead to memory of others"
        elif not self.intact:
            reached = "memory of others has changed"
        elif self.registers:
            reached = f"registers of the host have changed: {', '.join(self.registers[:4])}"
        else:
            reached = self.escaped
        if died:
            return "oops", "; ".join(filter(None, (died[0], reached)))
        if reached:
            return "escaped", "; ".join(filter(None, (reached, *warned[:1])))
        if self.gone or not self.bystander:
            return "hung", self.gone or "another virtual GPU does not work any more"
        if warned:
            return "WARN", warned[0]
        if self.lines > self.limits.lines:
            return "log flood", f"{self.lines} lines in the kernel log"
        if self.seconds > self.limits.seconds:
            return "slow", f"it took {self.seconds:.1f} s"
        if self.kib > self.limits.kib:
            return "memory", f"the kernel uses {self.kib} KiB more"
        if not self.recovers:
            return "stuck", "its own virtual GPU does not work after a reset"
        return CONTAINED, ""
