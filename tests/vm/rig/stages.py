# SPDX-License-Identifier: GPL-2.0
"""Which stage each machine is in, how long that took, and which one took too long."""

from collections.abc import Callable
from dataclasses import dataclass, field

# Seconds after which a stage counts as stalled: what it takes on two cores that have four other things to do at the
# same time, doubled. A workload is limited by the whole run only. A stage that is not listed gets DEFAULT_LIMIT.
LIMITS = {
    "prepare": 120.0,
    "emulator": 60.0,
    "boot": 180.0,
    "probe": 240.0,
    "create": 240.0,
    "attach": 180.0,
    "guest boot": 360.0,
    "guest probe": 360.0,
    "teardown": 90.0,
    "power off": 180.0,
}
DEFAULT_LIMIT = 120.0
UNLIMITED = frozenset({"workload", "shell", "guests"})


@dataclass
class Stage:
    """One stage of one machine; `end` is None while it runs."""

    name: str
    begin: float
    end: float | None = None

    def seconds(self, now: float) -> float:
        """How long it took, or takes until now."""
        return (now if self.end is None else self.end) - self.begin


@dataclass
class Lane:
    """The stages of one machine, one after the other."""

    name: str
    stages: list[Stage] = field(default_factory=list)

    @property
    def current(self) -> Stage | None:
        """The stage that is running, if any."""
        if self.stages and self.stages[-1].end is None:
            return self.stages[-1]
        return None


@dataclass(frozen=True)
class Stall:
    """A stage that ran out of time: its own, or that of the whole run."""

    lane: str
    stage: str
    seconds: float
    whole: float | None = None

    def __str__(self) -> str:
        where = f"{self.lane}: " if self.lane else ""
        if self.whole is not None:
            return (
                f"{where}the run's limit of {self.whole:.0f} s passed in stage '{self.stage}', after {self.seconds:.0f} s of it"
            )
        return f"{where}stage '{self.stage}' stalled: no end after {self.seconds:.0f} s"


class Stages:
    """All lanes, and the watchdog over them."""

    def __init__(
        self,
        clock: Callable[[], float],
        report: Callable[[str], None],
        patience: float = 1.0,
        whole: float | None = None,
    ) -> None:
        self._clock = clock
        self._report = report
        self._patience = patience
        self._whole = whole
        self._start = clock()
        self.lanes: dict[str, Lane] = {}

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._start

    def enter(self, lane_name: str, stage: str) -> None:
        """Ends the running stage of a lane, if any, and begins the next."""
        self.leave(lane_name)
        lane = self.lanes.setdefault(lane_name, Lane(lane_name))
        lane.stages.append(Stage(stage, self._clock()))
        self._say(lane_name, f"{stage} ...")

    def leave(self, lane_name: str) -> None:
        """Ends the running stage of a lane."""
        lane = self.lanes.get(lane_name)
        stage = lane.current if lane else None
        if stage:
            stage.end = self._clock()
            self._say(lane_name, f"{stage.name} took {stage.seconds(stage.end):.1f} s")

    def stalled(self) -> Stall | None:
        """The first stage that is over its limit, or the whole run when that is."""
        now = self._clock()
        for lane in self.lanes.values():
            stage = lane.current
            if stage and stage.name not in UNLIMITED:
                limit = LIMITS.get(stage.name, DEFAULT_LIMIT) * self._patience
                if stage.seconds(now) > limit:
                    return Stall(lane.name, stage.name, stage.seconds(now))
        if self._whole is not None and now - self._start > self._whole:
            for lane in reversed(list(self.lanes.values())):
                if lane.current:
                    return Stall(lane.name, lane.current.name, lane.current.seconds(now), self._whole)
            return Stall("", "none", 0.0, self._whole)
        return None

    def table(self) -> list[tuple[str, str, float]]:
        """Every stage so far: lane, name, seconds."""
        now = self._clock()
        return [(lane.name, stage.name, stage.seconds(now)) for lane in self.lanes.values() for stage in lane.stages]

    def _say(self, lane_name: str, text: str) -> None:
        where = f"{lane_name}: " if lane_name else ""
        self._report(f"[{self.elapsed:6.1f} s] {where}{text}")
