"""Where the time of a job went: the ``timing`` of results."""

from __future__ import annotations

import time
from typing import Any

from solvehost.engine.records import RaceResult


class Clock:
    """Seconds spent in each step, by name."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Note what has passed since the last lap as the seconds of a step."""
        now = time.monotonic()
        self.laps[name] = round(now - self._last, 4)
        self._last = now

    @property
    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def record(self, race: RaceResult | None = None) -> dict[str, Any]:
        """Return the ``timing`` object."""
        timing: dict[str, Any] = {"total_s": round(self.elapsed_s, 4), **self.laps}
        return timing if race is None else timing | race_timing(race)


def race_timing(race: RaceResult) -> dict[str, Any]:
    """Return what ``timing`` says of a race."""
    return {
        "engine_cpu_s": race.cpu_s,
        "attempts": [
            {"label": a.label, "outcome": a.outcome, "seconds": a.seconds, "cpu_s": a.cpu_s} for a in race.attempts
        ],
    }
