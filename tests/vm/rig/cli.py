# SPDX-License-Identifier: GPL-2.0
"""The command line of `tests/vm/run`."""

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import UsageError

_SIZE = re.compile(r"^(\d+)([MG])$")

DESCRIPTION = """Starts the emulated GPU, a host machine (L1) on it and guests (L2) inside of that, runs scripts in them, and
brings back their output, their exit codes and all logs. See tests/vm/README.md for what the scripts find."""


@dataclass(frozen=True)
class Request:
    """What the caller wants to be run."""

    driver: str
    module: Path | None
    platform: str
    aperture: str
    guests: int
    mdevs: int
    mdev_type: str
    l1: Path | None
    l2: Path | None
    push: Path | None
    timeout: float
    shell: bool
    name: str
    display: bool
    gpu: bool
    together: bool
    l2_root: bool
    guest_i915: bool
    strict: bool
    quiet: bool
    patience: float
    allow: tuple[str, ...]
    emulator_args: tuple[str, ...]
    l1_kernel_args: tuple[str, ...]
    l2_kernel_args: tuple[str, ...]
    l2_trace: tuple[str, ...]
    memory: str
    l2_memory: str
    l1_cpus: int


def megabytes(text: str) -> int:
    """A size such as 512M or 4G, in MiB."""
    match = _SIZE.match(text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size such as 512M or 4G")
    return int(match.group(1)) * (1024 if match.group(2) == "G" else 1)


def parse(arguments: Sequence[str], built_module: Path) -> Request:
    """Reads the command line and refuses what does not fit together; `built_module` is what `--driver ours` loads."""
    parsed = _parser().parse_args(arguments)
    for script in (parsed.l1, parsed.l2):
        if script and not script.is_file():
            raise UsageError(f"{script}: no such script")
    if parsed.push and not parsed.push.is_dir():
        raise UsageError(f"{parsed.push}: --push wants a directory")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", parsed.name):
        raise UsageError(f"--name {parsed.name}: letters, digits, '.', '_' and '-' only")
    for pattern in parsed.allow:
        try:
            re.compile(pattern)
        except re.error as error:
            raise UsageError(f"--allow '{pattern}' is not a regular expression: {error}") from error
    gpu = not parsed.no_gpu
    if not gpu and parsed.driver != "none":
        raise UsageError("--no-gpu needs --driver none: there is nothing to share")
    module = parsed.module or (built_module if parsed.driver == "ours" else None)
    if module and not module.is_file():
        raise UsageError(f"{module}: no such module; build it with `make modules`, or name another one with --module")
    if parsed.driver == "none" and parsed.mdevs:
        raise UsageError("--mdevs needs --driver stock or ours")
    guests = (1 if parsed.l2 else 0) if parsed.guests is None else parsed.guests
    if parsed.l2 and not guests:
        raise UsageError("--l2 needs --guests of 1 or more")
    l2_memory = parsed.l2_memory
    # Besides its guests L1 needs room for its own user space, the files that its overlay collects, and the page cache.
    memory = parsed.memory or 2048 + guests * (l2_memory + 256)
    return Request(
        driver=parsed.driver,
        module=module,
        platform=parsed.platform,
        aperture=parsed.aperture,
        guests=guests,
        mdevs=max(parsed.mdevs, guests if parsed.driver != "none" else 0),
        mdev_type=parsed.type,
        l1=parsed.l1,
        l2=parsed.l2,
        push=parsed.push,
        timeout=parsed.timeout,
        shell=parsed.shell,
        name=parsed.name,
        display=parsed.display,
        gpu=gpu,
        together=parsed.together,
        l2_root=parsed.l2_root,
        guest_i915=parsed.driver != "none" and not parsed.no_guest_i915,
        strict=parsed.strict,
        quiet=parsed.quiet,
        patience=parsed.patience,
        allow=tuple(parsed.allow),
        emulator_args=tuple(parsed.emulator_arg),
        l1_kernel_args=tuple(parsed.kernel_arg),
        l2_kernel_args=tuple(parsed.l2_kernel_arg),
        l2_trace=tuple(parsed.l2_trace),
        memory=f"{memory}M",
        l2_memory=f"{l2_memory}M",
        l1_cpus=parsed.cpus,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/vm/run", description=DESCRIPTION)
    add = parser.add_argument
    add("--driver", choices=("stock", "ours", "none"), required=True, help="the kvmgt to load in L1")
    add(
        "--module",
        type=Path,
        metavar="KO",
        help="our kvmgt.ko, installed in L1 beside the stock one (default with --driver ours: what `make modules` built)",
    )
    add("--platform", default="skl", help="platform of the emulated GPU (default: skl)")
    add("--aperture", default="512M", choices=("256M", "512M", "1G"), help="aperture of the emulated GPU (default: 512M)")
    add("--guests", type=_count, metavar="N", help="number of guests (default: 1 with --l2, otherwise 0)")
    add("--mdevs", type=_count, default=0, metavar="N", help="virtual GPUs to create, when more than guests")
    add(
        "--type",
        default="auto",
        metavar="_4",
        help="end of the type's name, or one for each virtual GPU as _8,_4,_8; the last one is for all further ones "
        "(default: the biggest that has enough instances)",
    )
    add("--l1", type=Path, metavar="SCRIPT", help="run this in L1")
    add("--l2", type=Path, metavar="SCRIPT", help="run this in each guest")
    add("--push", type=Path, metavar="DIR", help="put the content of this directory at /push in L1 and in each guest")
    add("--timeout", type=_seconds, default=600.0, metavar="S", help="limit for the whole run, times the patience")
    add("--shell", action="store_true", help="an interactive shell in L1, before anything is torn down")
    add("--name", default="run", help="name of the run: logs are in build/vm/NAME (default: run)")
    add("--display", action="store_true", help="L1's i915 drives the display too (otherwise i915.disable_display=1)")
    add("--no-gpu", action="store_true", help="no emulated GPU at all (only with --driver none)")
    add("--together", action="store_true", help="run the L1 script while the guests run, not before they start")
    add("--l2-root", action="store_true", help="guests get the Debian root as L1 has it, not only busybox")
    add("--no-guest-i915", action="store_true", help="guests do not load i915: the virtual GPU has no driver there")
    add("--strict", action="store_true", help="a warning or error of the GPU drivers fails the run too")
    add("--quiet", action="store_true", help="do not show the output of the scripts while they run")
    add("--allow", action="append", default=[], metavar="REGEX", help="kernel messages that do not fail the run")
    add("--emulator-arg", action="append", default=[], metavar="ARG", help="one more argument for emulated-gpu")
    add("--kernel-arg", action="append", default=[], metavar="ARG", help="one more argument for L1's kernel")
    add("--l2-kernel-arg", action="append", default=[], metavar="ARG", help="one more argument for the guests' kernel")
    add("--l2-trace", action="append", default=[], metavar="EVENT", help="an event that the guests' QEMU writes to l2-N.qemu")
    add("--memory", type=megabytes, metavar="SIZE", help="memory of L1 (default: 2 GiB and what the guests need)")
    add("--l2-memory", type=megabytes, default=512, metavar="SIZE", help="memory of each guest (default: 512M)")
    add("--cpus", type=_count, default=2, metavar="N", help="processors of L1 (default: 2)")
    add(
        "--patience",
        type=_seconds,
        default=float(os.environ.get("KVMGT_PATIENCE") or 1),
        metavar="FACTOR",
        help="multiply the limit of every stage (default: 1, or KVMGT_PATIENCE)",
    )
    return parser


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of things")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if value <= 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return value
