# SPDX-License-Identifier: GPL-2.0
"""Child processes that never outlive the run."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Child:
    """One command in a process group of its own, its output in a log."""

    def __init__(self, name: str, command: list[str], log: Path | None) -> None:
        """Starts the command; without a log it gets the terminal."""
        self.name = name
        parent = os.getpid()

        def die_with_parent() -> None:
            # When the rig is killed in a way that it cannot handle, the child must go too.
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

        if log is None:
            self._process = subprocess.Popen(command, start_new_session=True, preexec_fn=die_with_parent)
            return
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    @property
    def status(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> int | None:
        """Gives it some time to end by itself."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self, grace: float = 3.0) -> None:
        """Ends the whole process group, with force when a request does not help."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + grace
        while self._group_lives() and time.monotonic() < deadline:
            self._process.poll()
            time.sleep(0.02)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _group_lives(self) -> bool:
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


class Children:
    """All commands of a run; leaving the block ends them, the last one first."""

    def __init__(self) -> None:
        self._children: list[Child] = []

    def start(self, name: str, command: list[str], log: Path | None) -> Child:
        """Starts one more."""
        child = Child(name, command, log)
        self._children.append(child)
        return child

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for child in reversed(self._children):
            child.end()
