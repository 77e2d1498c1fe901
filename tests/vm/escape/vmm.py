# SPDX-License-Identifier: GPL-2.0
"""A virtual machine monitor that does what it is told: vfioraw, one request at a time."""

import json
import os
import select
import subprocess

# How long a request may take before its VMM counts as stuck in the kernel.
_PATIENCE = 20.0


class GoneError(Exception):
    """A VMM gives no answer any more: it was killed, or hangs in the kernel."""


class Vmm:
    """One vfioraw process."""

    def __init__(self, uuid: str) -> None:
        """Starts it; nothing is open yet."""
        program = [f"{os.environ['PUSH']}/vfioraw", "--uuid", uuid]
        self._process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self._rest = b""

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def ask(self, op: str, **fields: object) -> dict[str, object]:
        """Makes a request; the answer, which may be a refusal."""
        self.send(op, **fields)
        return self.answer()

    def must(self, op: str, **fields: object) -> dict[str, object]:
        """Makes a request that has to be granted."""
        answer = self.ask(op, **fields)
        if not answer["ok"]:
            raise AssertionError(f"{op} {fields} was refused: {answer}")
        return answer

    def send(self, op: str, **fields: object) -> None:
        """Makes a request whose answer is fetched later."""
        try:
            self._process.stdin.write(json.dumps({"op": op, **fields}).encode() + b"\n")
        except BrokenPipeError as error:
            raise GoneError(f"the VMM was killed before {op}") from error

    def answer(self) -> dict[str, object]:
        """The answer to the oldest request that has none yet."""
        output = self._process.stdout
        while b"\n" not in self._rest:
            if not select.select([output], [], [], _PATIENCE)[0]:
                raise GoneError("the VMM hangs")
            more = os.read(output.fileno(), 1 << 16)
            if not more:
                raise GoneError("the VMM was killed")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def kill(self) -> None:
        """Ends it in the middle of everything; one that hangs in the kernel is left behind."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise GoneError("the VMM cannot be killed") from error
