# SPDX-License-Identifier: GPL-2.0
"""The clients: what they are called with, what they need, when they count as good."""

import contextlib
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

_BENCHMARKS = "/usr/libexec/igt-gpu-tools/benchmarks"
_LAST_LINES = 6


@dataclass(frozen=True)
class Client:
    """One program and how it is called."""

    name: str
    command: tuple[str, ...]
    # Seconds on the bare emulated GPU; a guest gets GUEST_FACTOR times as many.
    limit: float = 60
    # What standard output must contain, beside an exit code of 0.
    shows: str = ""
    # What standard output and errors must not contain.
    forbids: str = ""
    # Whether the program gets a line on standard input once its output has what it must, for those that wait for a key.
    key: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    # Needs a connected monitor.
    monitor: bool = False
    # Why it does not run in a guest.
    not_in_guest: str = ""


# A batch in a guest goes through the vGPU's scheduler and page shadowing, all of it under two emulators.
GUEST_FACTOR = 6.0

# The benchmarks measure for two seconds per repetition and never look at the clock inside of a thousand calls; sizes and
# repetitions are chosen so that each ends within seconds on a GPU in software.
CLIENTS: tuple[Client, ...] = (
    Client("gem_exec_nop", (f"{_BENCHMARKS}/gem_exec_nop", "-e", "all", "-r", "2"), shows=r"\d+\.\d+"),
    Client("gem_exec_ctx", (f"{_BENCHMARKS}/gem_exec_ctx", "-b", "switch", "-r", "1"), shows=r"\d+\.\d+"),
    Client("gem_exec_fault", (f"{_BENCHMARKS}/gem_exec_fault", "-e", "rcs", "-r", "1"), limit=120, shows=r"\d+\.\d+"),
    Client("gem_latency", (f"{_BENCHMARKS}/gem_latency", "-t", "3"), shows=r"\d+"),
    Client("gem_prw", (f"{_BENCHMARKS}/gem_prw", "-D", "write", "-r", "1"), limit=120, shows=r"\d+\.\d+"),
    Client("gem_exec_reloc", (f"{_BENCHMARKS}/gem_exec_reloc", "-l", "1", "-b", "4", "-r", "16"), shows=r"\d+\.\d+"),
    # Without -I (idle buffers) it cannot run anywhere with this kernel: it names the targets of relocations by handle while
    # it tells the kernel that they are indexes (I915_EXEC_HANDLE_LUT), and gets ENOENT.
    Client("gem_busy", (f"{_BENCHMARKS}/gem_busy", "-e", "rcs", "-r", "1", "-I"), shows=r"\d+\.\d+"),
    Client("gem_set_domain", (f"{_BENCHMARKS}/gem_set_domain", "-s", "4096", "-r", "1"), shows=r"\d+\.\d+"),
    Client("gem_create", (f"{_BENCHMARKS}/gem_create", "-s", "4096", "-r", "1"), shows=r"\d+\.\d+"),
    Client("modetest", ("modetest", "-M", "i915"), shows=r"(?s)Encoders:.*Connectors:.*CRTCs:.*Planes:"),
    # Sets the preferred mode and flips between two pictures at each vertical blank, until it gets a key.
    # In a guest each access to a register takes milliseconds, and i915's handler makes several at each vertical blank, of
    # which there are sixty per second: the guest's processor does nothing else any more and the kernel reports a lockup.
    Client(
        "modetest-flip",
        ("modetest", "-M", "i915", "-r", "-v"),
        key=True,
        shows=r"freq: \d+",
        monitor=True,
        not_in_guest="sixty interrupts per second are too many for a guest under two emulators",
    ),
    Client("eglinfo", ("eglinfo", "-B", "-p", "surfaceless"), shows="Mesa Intel", forbids="llvmpipe"),
    Client("egl-triangle", ("egl-triangle",), shows=r"(?m)^PASS$"),
    Client(
        "vulkaninfo",
        ("vulkaninfo", "--summary"),
        shows="Intel",
        # Only the two drivers for Intel GPUs: version 9 and up, and 7 to 8.
        variables={"VK_DRIVER_FILES": "/usr/share/vulkan/icd.d/intel_icd.json:/usr/share/vulkan/icd.d/intel_hasvk_icd.json"},
    ),
    Client(
        "vainfo",
        ("vainfo", "--display", "drm", "--device", "/dev/dri/renderD128"),
        shows="VAProfile",
        variables={"LIBVA_DRIVER_NAME": "iHD"},
    ),
)


@dataclass(frozen=True)
class Environment:
    """Where the clients run."""

    level: int
    output: Path
    path: str
    connected: bool

    @classmethod
    def discover(cls) -> "Environment":
        """Reads what the rig gives to every script; works without the rig, too."""
        push = os.environ.get("PUSH", ".")
        statuses = Path("/sys/class/drm").glob("card*-*/status")
        return cls(
            level=int(os.environ.get("LEVEL", "0")),
            output=Path(os.environ.get("OUT", ".")),
            path=f"{push}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            connected=any(status.read_text(encoding="ascii").strip() == "connected" for status in statuses),
        )


@dataclass(frozen=True)
class Result:
    """How one client ended."""

    client: str
    level: int
    status: str
    reason: str
    exit: int | None
    seconds: float
    last: list[str]

    def as_dict(self) -> dict[str, object]:
        """The result as plain data."""
        return vars(self)


def judge(client: Client, code: int, output: str) -> str:
    """Why a client that ended by itself failed; empty if it did not."""
    if code < 0:
        return f"ended by signal {-code}"
    if code != 0:
        return f"exit code {code}"
    if client.forbids and re.search(client.forbids, output):
        return f"the output has '{client.forbids}'"
    if client.shows and not re.search(client.shows, output):
        return f"the output does not have '{client.shows}'"
    return ""


def _last_lines(output: str) -> list[str]:
    lines = [line.rstrip() for line in output.replace("\r", "\n").splitlines() if line.strip()]
    return [line[:200] for line in lines[-_LAST_LINES:]]


def run(client: Client, environment: Environment, patience: float = 1.0) -> Result:
    """Runs one client to its end or its time limit, and keeps its whole output beside the results."""

    def result(status: str, reason: str, code: int | None, seconds: float, output: str) -> Result:
        return Result(client.name, environment.level, status, reason, code, round(seconds, 2), _last_lines(output))

    if client.not_in_guest and environment.level > 1:
        return result("skip", client.not_in_guest, None, 0, "")
    if client.monitor and not environment.connected:
        return result("skip", "no monitor is connected", None, 0, "")
    program = shutil.which(client.command[0], path=environment.path)
    if program is None:
        return result("missing", f"there is no {client.command[0]}; is the Debian root there (--l2-root)?", None, 0, "")

    limit = client.limit * patience * (GUEST_FACTOR if environment.level > 1 else 1)
    log = environment.output / f"client-{client.name}.log"
    variables = {**os.environ, **client.variables, "PATH": environment.path, "HOME": "/tmp", "XDG_RUNTIME_DIR": "/tmp"}
    start = time.monotonic()
    timed_out = False
    with log.open("wb") as file:
        process = subprocess.Popen(
            [program, *client.command[1:]], stdin=subprocess.PIPE, stdout=file, stderr=subprocess.STDOUT, env=variables
        )
        try:
            if client.key:
                _press_key(process, client, log, start + limit)
            elif process.stdin is not None:
                process.stdin.close()
            process.wait(timeout=max(1.0, limit - (time.monotonic() - start)))
        except subprocess.TimeoutExpired:
            timed_out = True
            process.kill()
            process.wait()
    seconds = time.monotonic() - start
    output = log.read_text(encoding="utf-8", errors="replace")
    if timed_out:
        return result("timeout", f"no end after {limit:.0f} s", None, seconds, output)
    reason = judge(client, process.returncode, output)
    return result("fail" if reason else "pass", reason, process.returncode, seconds, output)


def _press_key(process: "subprocess.Popen[bytes]", client: Client, log: Path, end: float) -> None:
    """Gives the program a line once its output shows what it must, unless it ends or its time is up before."""
    while process.poll() is None and time.monotonic() < end:
        if re.search(client.shows, log.read_text(encoding="utf-8", errors="replace")):
            break
        time.sleep(0.2)
    if process.stdin is not None:
        # A program that has ended by now has closed its side; its exit code tells what there is to tell.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(b"\n")
            process.stdin.close()
