# SPDX-License-Identifier: GPL-2.0
"""What the machines tell the host: one line for each event, in a file for each machine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One line: seconds since that machine's boot, a word, and the rest."""

    uptime: float
    kind: str
    text: str


def parse_event(line: str) -> Event | None:
    """Reads a line; None when it is not an event."""
    fields = line.split(None, 2)
    if len(fields) < 2:
        return None
    try:
        uptime = float(fields[0])
    except ValueError:
        return None
    return Event(uptime, fields[1], fields[2] if len(fields) > 2 else "")
