# SPDX-License-Identifier: GPL-2.0
"""What came of a run: exit codes, findings, failures; how it is stored and shown."""

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .dmesg import Finding
from .errors import RigError

_SHOWN_CALLERS = 6
_CALLER = re.compile(r"^ [A-Za-z_][\w.]*\+0x")


@dataclass
class Outcome:
    """Everything that decides over pass or fail."""

    exits: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stages: list[tuple[str, str, float]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """0: all well; 1: a script or a kernel log failed; 3: the run itself did."""
        if self.failures:
            return RigError.exit_code
        if self.findings or any(self.exits.values()):
            return 1
        return 0

    def store(self, path: Path) -> None:
        """Writes it for other programs."""
        content = asdict(self)
        content["exit_code"] = self.exit_code
        content["stages"] = [dict(zip(("lane", "stage", "seconds"), stage, strict=True)) for stage in self.stages]
        path.write_text(json.dumps(content, indent=1) + "\n")

    def lines(self, output: Path) -> list[str]:
        """What the caller reads at the end."""
        text = [f"  {name}: script exited with {code}" for name, code in self.exits.items()]
        for finding in self.findings:
            text.append(f"  {finding.source}: {finding.title}")
            # Of a trace the callers say most; the rest is in the log.
            text += [f"      {line.strip()}" for line in finding.lines if _CALLER.match(line)][:_SHOWN_CALLERS]
        text += [f"  {failure}" for failure in self.failures]
        verdict = "PASS" if self.exit_code == 0 else "FAIL"
        text.append(f"{verdict} in {self.seconds:.1f} s; logs in {output}")
        return text
