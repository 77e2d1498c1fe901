# SPDX-License-Identifier: GPL-2.0
"""Runs the attacks on a driver, in as many machines as it takes, and tells what came of each."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.dmesg import KERNEL_KNOWN
from rig.paths import Layout

from escape.arena import Attack
from escape.host import HANGS
from escape.judge import CONTAINED

_TIMEOUT = "570"


@dataclass(frozen=True)
class Result:
    """What came of one attack."""

    verdict: str
    why: str = ""
    seconds: float = 0.0

    def text(self) -> str:
        """In one cell of a table."""
        return f"{self.verdict}: {self.why}" if self.why else self.verdict


def push(layout: Layout, folder: Path, names: Sequence[str]) -> Path:
    """A folder with what the machine needs to try these."""
    shutil.rmtree(folder, ignore_errors=True)
    for part, patterns in (("escape", ("*.py",)), ("rig", ("__init__.py", "dmesg.py")), ("checks", ("pages",))):
        (folder / part).mkdir(parents=True)
        for pattern in patterns:
            for path in (layout.here / part).glob(pattern):
                shutil.copy(path, folder / part)
    for program in ("vfioraw", "gemtest"):
        strip = [*layout.enter, "strip", "-o", str(folder / program), str(layout.emulator.with_name(program))]
        subprocess.run(strip, check=True, stdin=subprocess.DEVNULL)
    (folder / "attacks").write_text("\n".join(names))
    return folder


def machine(layout: Layout, driver: str, name: str, names: Sequence[str], platform: str = "skl") -> tuple[dict[str, Result], str]:
    """Tries attacks in one machine, until one breaks it; what came of those that were tried, and what else was wrong."""
    folder = layout.output(name)
    shutil.rmtree(folder, ignore_errors=True)
    pushed = push(layout, layout.repository / "build" / "escape" / name, names)
    command = [str(layout.here / "run"), "--driver", driver, "--name", name, "--quiet", "--platform", platform]
    command += ["--mdevs", "2", "--type", "_8"]
    command += ["--push", str(pushed), "--l1", str(layout.here / "escape" / "attack"), "--timeout", _TIMEOUT]
    for pattern in (HANGS, *KERNEL_KNOWN) if driver == "ours" else (".",):
        command += ["--allow", pattern]
    log = pushed.with_suffix(".log")
    with log.open("w") as output:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False).returncode
    path = folder / "escape.jsonl"
    found = results(path.read_text() if path.is_file() else "")
    return found, "" if status == 0 else f"exit code {status}: {log}, {folder}"


def results(text: str) -> dict[str, Result]:
    """What is in a file of results; the machine did not survive one that was only begun."""
    found = {}
    for line in map(json.loads, text.splitlines()):
        if "begin" in line:
            found[line["begin"]] = Result("died", "the machine gave no sign of life any more")
        else:
            found[line["name"]] = Result(line["verdict"], line["why"], line["seconds"])
    return found


def lane(layout: Layout, driver: str, name: str, names: Sequence[str], platform: str) -> dict[str, Result]:
    """Tries all, in one machine after the other."""
    found: dict[str, Result] = {}
    number = 0
    while left := [attack for attack in names if attack not in found]:
        number += 1
        more, wrong = machine(layout, driver, f"{name}-{driver}-{number}", left, platform)
        print(f"{driver}: {len(more)} attacks in one machine, {len(left) - len(more)} left", file=sys.stderr, flush=True)
        if not more:
            return found | {attack: Result("not tried", wrong) for attack in left}
        found |= more
    return found


def markdown(attacks: Sequence[Attack], lanes: Mapping[str, Mapping[str, Result]]) -> str:
    """The report."""
    lines = ["# Attacks", "", f"| attack | spec | it tries | {' | '.join(lanes)} |", f"|---|---|---|{'---|' * len(lanes)}"]
    for attack in attacks:
        cells = [of[attack.name].text().replace("|", "\\|") for of in lanes.values()]
        lines.append(f"| {attack.name} | {attack.spec} | {attack.tries} | {' | '.join(cells)} |")
    lines.append("")
    for driver, of in lanes.items():
        contained = sum(result.verdict == CONTAINED for result in of.values())
        lines.append(f"{driver}: {contained} of {len(of)} contained.")
    return "\n".join(lines) + "\n"
