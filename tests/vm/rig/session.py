# SPDX-License-Identifier: GPL-2.0
"""One run from beginning to end."""

import fcntl
import shutil
import socket
import sys
import tarfile
import tempfile
import termios
import time
from collections.abc import Callable
from pathlib import Path

from . import qemu
from .cli import Request
from .dmesg import Finding, Scanner, as_dmesg, last_words, read_console, read_kmsg, without, without_duplicates
from .errors import RigError, UsageError
from .events import Event, parse_event
from .follow import Follower
from .initramfs import Extra, Images
from .kernel import Kernel
from .outcome import Outcome
from .paths import Layout
from .process import Child, Children
from .stages import Stages

_POLL = 0.05
_DEBRIEF_SECONDS = 20.0
_DEBRIEF_MARK = "rig: debrief"
_EMULATOR_EXIT_SECONDS = 10.0


class Session:
    """Starts everything, follows it, ends everything, and judges."""

    def __init__(self, request: Request, layout: Layout, say: Callable[[str], None]) -> None:
        self._request = request
        self._layout = layout
        self._say = say
        self._output = layout.output(request.name)
        self._outcome = Outcome()
        self._stages = Stages(time.monotonic, say, request.patience, request.timeout * request.patience)
        self._guests = [f"L2-{number}" for number in range(1, request.guests + 1)]
        self._finished: set[str] = set()
        self._followers: list[tuple[str, Follower, bool]] = []

    def run(self) -> Outcome:
        """Carries the run out; whatever happens, nothing of it stays behind."""
        self._layout.check()
        self._output.mkdir(parents=True, exist_ok=True)
        with (self._output / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                message = f"another run named '{self._request.name}' is under way: choose another --name"
                raise UsageError(message) from error
            self._clear_output()
            with tempfile.TemporaryDirectory(prefix="kvmgt-vm-") as folder:
                try:
                    self._carry_out(qemu.Sockets(Path(folder)))
                except RigError as error:
                    if isinstance(error, UsageError):
                        raise
                    self._outcome.failures.append(str(error))
            self._judge()
        return self._outcome

    def _clear_output(self) -> None:
        for path in self._output.iterdir():
            if path.name == ".lock":
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _carry_out(self, sockets: qemu.Sockets) -> None:
        kernel_file, initrd = self._prepare()
        with Children() as children:
            emulator = self._start_emulator(children, sockets) if self._request.gpu else None
            # From here on the machine reports by itself; what comes before its first event is its boot.
            self._stages.enter("L1", "boot")
            command = qemu.l1_command(self._request, self._layout, sockets, self._output, kernel_file, initrd)
            terminal = _Terminal() if self._request.shell else None
            log = None if self._request.shell else self._output / "qemu.log"
            machine = children.start("QEMU", command, log)
            try:
                self._follow(machine, emulator, sockets)
            finally:
                machine.end()
                if terminal:
                    terminal.restore()
            if emulator and emulator.wait(_EMULATOR_EXIT_SECONDS) is None:
                self._outcome.failures.append("emulated-gpu did not exit after QEMU closed the connection")
            elif emulator and emulator.status:
                self._outcome.failures.append(f"emulated-gpu exited with {emulator.status}: see emulator.out")

    def _prepare(self) -> tuple[Path, Path]:
        """Images, and the folder that the machines see as /out."""
        request, layout = self._request, self._layout
        self._stages.enter("", "prepare")
        kernel = Kernel(layout.kernel)
        kernel_file = kernel.boot_file(layout.images)
        images = Images(layout, kernel)
        guest_kernel = Kernel(layout.guest_kernel)
        if not qemu.qemu_binary(layout)[1]:
            self._note("QEMU in the cache is missing: running on Debian's own, in which guests may freeze (`make setup`)")
        if request.gpu and not layout.emulator.is_file():
            raise UsageError(f"{layout.emulator} is missing: build it with `make emulator`")
        common = {"DRIVER": request.driver, "GUESTS": str(request.guests)}
        first = {
            **common,
            "GPU": _yes(request.gpu),
            "MDEVS": str(request.mdevs),
            "MDEV_TYPE": request.mdev_type,
            "UUIDS": " ".join(qemu.mdev_uuids(request)),
            "I915_OPTIONS": qemu.i915_options(request),
            "TOGETHER": _yes(request.together),
            "SHELL_WANTED": _yes(request.shell),
            "L2_KERNEL": guest_kernel.boot_file(layout.images).name,
            "L2_MEMORY": request.l2_memory,
            "L2_APPEND": qemu.l2_kernel_line(request),
            "L2_TRACE": " ".join(request.l2_trace),
            "L2_ROOT": _yes(request.l2_root),
            "PLATFORM": request.platform,
            "APERTURE": request.aperture,
            "STOCK_KVMGT": images.stock_kvmgt,
            "OUR_KVMGT": images.our_kvmgt if request.module else "",
        }
        if request.guests:
            second = {**common, "L2_GPU": _yes(request.guest_i915), "L2_ROOT": _yes(request.l2_root)}
            (self._output / "l2.extra").write_bytes(Extra(second, request.l2, request.push).archive())
            first["L2_IMAGE"] = Images(layout, guest_kernel).l2(request.l2_root).name
        initrd = self._output / "l1.initrd"
        initrd.write_bytes(images.l1(request.module).read_bytes() + Extra(first, request.l1, request.push).archive())
        (self._output / "l1.events").touch()
        self._followers.append(("L1", Follower(self._output / "l1.out"), True))
        for number, guest in enumerate(self._guests, 1):
            self._followers.append((guest, Follower(self._output / f"l2-{number}.out"), True))
        self._stages.leave("")
        return kernel_file, initrd

    def _start_emulator(self, children: Children, sockets: qemu.Sockets) -> Child:
        self._stages.enter("", "emulator")
        command = qemu.emulator_command(self._request, self._layout, sockets, self._output)
        emulator = children.start("emulated-gpu", command, self._output / "emulator.out")
        while not sockets.gpu.exists():
            if emulator.status is not None:
                text = (self._output / "emulator.out").read_text(errors="replace").strip()
                raise RigError(f"emulated-gpu ended at once with {emulator.status}: {text}")
            self._check_stall()
            time.sleep(0.01)
        self._stages.leave("")
        return emulator

    def _follow(self, machine: Child, emulator: Child | None, sockets: qemu.Sockets) -> None:
        """Listens to all machines until L1 says that it is done."""
        lanes = [("L1", Follower(self._output / "l1.events"))]
        lanes += [(guest, Follower(self._output / f"l2-{n}.events")) for n, guest in enumerate(self._guests, 1)]
        while True:
            ended = machine.status is not None
            for lane, follower in lanes:
                for line in follower.lines():
                    event = parse_event(line)
                    if event:
                        self._handle(lane, event)
            self._show_output(ended)
            if ended:
                break
            if emulator and emulator.status is not None and "L1" not in self._finished:
                raise RigError(f"emulated-gpu ended with {emulator.status} while L1 was running: see emulator.out, emulator.log")
            self._check_stall(sockets)
            time.sleep(_POLL)
        if "L1" not in self._finished:
            words = last_words(self._output / "l1.log")
            where = f"QEMU with {machine.status}, in {self._where('L1')}"
            raise RigError(f"L1 ended early, {where}; its last words: {words}; see l1.log and qemu.log")
        self._stages.leave("L1")

    def _check_stall(self, sockets: qemu.Sockets | None = None) -> None:
        stall = self._stages.stalled()
        if stall:
            if sockets:
                self._debrief(sockets)
            raise RigError(str(stall))

    def _handle(self, lane: str, event: Event) -> None:
        if event.kind == "stage":
            if not (lane == "L1" and event.text == "boot"):
                self._stages.enter(lane, event.text)
        elif event.kind == "exit":
            self._outcome.exits[lane] = int(event.text)
            self._stages.leave(lane)
        elif event.kind == "fail":
            self._outcome.failures.append(f"{lane}: {event.text}")
            self._say(f"{lane}: {event.text}")
        elif event.kind == "note":
            self._note(f"{lane}: {event.text}")
        elif event.kind == "done":
            self._finished.add(lane)
            if lane != "L1":
                self._stages.leave(lane)
        elif event.kind == "guest":
            self._handle_guest(event.text)

    def _handle_guest(self, text: str) -> None:
        """What L1 says about the QEMU of a guest."""
        number, what, *rest = text.split()
        guest = f"L2-{number}"
        if what == "start":
            self._stages.enter(guest, "attach")
        elif what == "attached":
            lane = self._stages.lanes.get(guest)
            # The guest may have been quicker to speak up than its QEMU.
            if lane and lane.current and lane.current.name == "attach":
                self._stages.enter(guest, "guest boot")
        elif what == "ended":
            self._stages.leave(guest)
            if rest and rest[0] != "0":
                where, cause = self._where(guest), self._tail(number)
                self._outcome.failures.append(f"{guest}: QEMU exited with {rest[0]} in {where}: {cause}")

    def _where(self, lane: str) -> str:
        known = self._stages.lanes.get(lane)
        return f"stage '{known.stages[-1].name}'" if known and known.stages else "no stage"

    def _tail(self, number: str) -> str:
        path = self._output / f"l2-{number}.qemu"
        lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
        return lines[-1] if lines else f"see l2-{number}.log"

    def _show_output(self, last: bool) -> None:
        for lane, follower, wanted in self._followers:
            for line in follower.rest() if last else follower.lines():
                if wanted and not self._request.quiet and not self._request.shell:
                    self._say(f"{lane}| {line}")

    def _note(self, text: str) -> None:
        self._outcome.notes.append(text)
        self._say(text)

    def _debrief(self, sockets: qemu.Sockets) -> None:
        """After a stall: lets L1 tell where it and its guests stand, while it still can."""
        self._save_registers(sockets)
        request = self._output / "debrief"
        request.touch()
        deadline = time.monotonic() + _DEBRIEF_SECONDS
        while request.exists() and time.monotonic() < deadline:
            time.sleep(_POLL)
        request.unlink(missing_ok=True)

    def _save_registers(self, sockets: qemu.Sockets) -> None:
        """Where the processors of L1 stand tells the most about a stall."""
        answer = b""
        try:
            with socket.socket(socket.AF_UNIX) as monitor:
                monitor.settimeout(2.0)
                monitor.connect(str(sockets.monitor))
                monitor.sendall(b"info status\ninfo registers -a\n")
                while chunk := monitor.recv(65536):
                    answer += chunk
        except OSError:
            # The monitor does not end its answer; a machine that gives none at all has no registers to show.
            pass
        # What the monitor echoes, with all its cursor movements, stands in lines of its own.
        lines = [line for line in answer.decode(errors="replace").splitlines() if not line.startswith("(qemu)")]
        (self._output / "registers.txt").write_text("\n".join(lines) + "\n")

    def _judge(self) -> None:
        """Reads all logs once more when everything is over."""
        request, outcome = self._request, self._outcome
        scanner = Scanner(request.allow, request.strict)
        findings = self._scan(scanner, "L1", self._output / "l1")
        for number, guest in enumerate(self._guests, 1):
            stem = self._output / f"l2-{number}"
            findings += self._scan(scanner, guest, stem)
            self._unpack(stem)
            if not outcome.failures and guest not in self._finished:
                words = f"its last words: {last_words(stem.with_suffix('.log'))}"
                where = f"see {stem.name}.log and {stem.name}.qemu"
                outcome.failures.append(f"{guest}: ended early in {self._where(guest)}; {words}; {where}")
        outcome.findings = without_duplicates(findings)
        for lane, script in [("L1", request.l1), *((guest, request.l2) for guest in self._guests)]:
            if script and lane not in outcome.exits and not outcome.failures:
                outcome.failures.append(f"{lane}: the script gave no exit code")
        for name in ("l1.initrd", "l2.extra"):
            (self._output / name).unlink(missing_ok=True)
        outcome.stages = self._stages.table()
        outcome.seconds = self._stages.elapsed
        outcome.store(self._output / "result.json")

    def _scan(self, scanner: Scanner, lane: str, stem: Path) -> list[Finding]:
        records = read_kmsg(stem.with_name(f"{stem.name}.kmsg"))
        stem.with_name(f"{stem.name}.dmesg").write_text(as_dmesg(records))
        stem.with_name(f"{stem.name}.kmsg").unlink(missing_ok=True)
        # What the machine was asked to tell after a stall is no finding.
        told = next((n for n, record in enumerate(records) if record.text == _DEBRIEF_MARK), len(records))
        findings = scanner.scan(lane, records[:told])
        findings += scanner.scan(lane, without(read_console(stem.with_name(f"{stem.name}.log")), records))
        findings += scanner.scan(lane, read_console(stem.with_name(f"{stem.name}.qemu")))
        return findings

    def _unpack(self, stem: Path) -> None:
        """The files that a guest's script left in /out."""
        archive = stem.with_name(f"{stem.name}.tar")
        if archive.is_file() and archive.stat().st_size:
            try:
                with tarfile.open(archive) as tar:
                    tar.extractall(stem, filter="data")
            except (tarfile.TarError, OSError) as error:
                self._outcome.failures.append(f"{stem.name}.tar cannot be unpacked: {error}")
                return
        archive.unlink(missing_ok=True)


class _Terminal:
    """The settings of the caller's terminal, to be put back when QEMU is gone."""

    def __init__(self) -> None:
        self._file = sys.stdin.fileno()
        self._settings = termios.tcgetattr(self._file) if sys.stdin.isatty() else None

    def restore(self) -> None:
        """Puts them back."""
        if self._settings:
            termios.tcsetattr(self._file, termios.TCSADRAIN, self._settings)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
