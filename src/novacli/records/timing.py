"""The durations of the steps of a job: the ``timing`` of results."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from solvehost.record import record

if TYPE_CHECKING:
    from solvehost.engine.records import RaceResult

Step = Literal["read_s", "prepare_s", "solve_s", "result_s", "send_s"]


@record
class AttemptTiming:
    """One attempt: its label, how it ended, wall-clock seconds, CPU seconds."""

    label: str
    outcome: str
    seconds: float
    cpu_s: float


@record
class Timing:
    """Wall-clock seconds of each step, None for a step that was not reached.

    ``engine_cpu_s`` is the CPU time of all engines in seconds; ``attempts`` is None if there was no race.
    """

    total_s: float | None = None
    read_s: float | None = None
    prepare_s: float | None = None
    solve_s: float | None = None
    result_s: float | None = None
    send_s: float | None = None
    engine_cpu_s: float | None = None
    attempts: tuple[AttemptTiming, ...] | None = None

    def with_race(self, race: RaceResult) -> Timing:
        """Return a copy that has the CPU time and the attempts of a race."""
        attempts = tuple(AttemptTiming(a.label, a.outcome, a.seconds, a.cpu_s) for a in race.attempts)
        return replace(self, engine_cpu_s=race.cpu_s, attempts=attempts)


class Clock:
    """A stopwatch for the steps of a job."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self._laps: dict[Step, float] = {}

    def lap(self, step: Step) -> None:
        """Record the time since the last lap as the duration of ``step``."""
        now = time.monotonic()
        self._laps[step] = round(now - self._last, 4)
        self._last = now

    @property
    def elapsed_s(self) -> float:
        """Seconds since the clock was made."""
        return time.monotonic() - self._began

    def timing(self) -> Timing:
        """Return the durations of the steps so far, and of the whole."""
        laps = self._laps
        return Timing(
            total_s=round(self.elapsed_s, 4),
            read_s=laps.get("read_s"),
            prepare_s=laps.get("prepare_s"),
            solve_s=laps.get("solve_s"),
            result_s=laps.get("result_s"),
            send_s=laps.get("send_s"),
        )
