"""How much time and how many cores one solve may use."""

from __future__ import annotations

import math
import time
from dataclasses import replace

from solvehost.record import record


@record
class Budget:
    """The limits of one solve.

    Attributes
    ----------
    deadline_s
        When it must be over, by ``time.monotonic``; waiting for a free core counts.  Infinite if there is no limit.
    engines
        Most engines that run at once on this machine; None for as many as cores are idle.
    cpu_share
        Share, from 0 to 1, of the CPU time that engines on this machine may use for one field.
    """

    deadline_s: float = math.inf
    engines: int | None = None
    cpu_share: float = 1.0

    @classmethod
    def of_seconds(cls, seconds: float, engines: int | None = None, cpu_share: float = 1.0) -> Budget:
        """Return a budget whose deadline is ``seconds`` from now."""
        return cls(time.monotonic() + seconds, engines, cpu_share)

    @property
    def left_s(self) -> float:
        """Seconds until the deadline, negative after it."""
        return self.deadline_s - time.monotonic()

    def at_most(self, seconds: float) -> Budget:
        """Return a copy whose deadline is at most ``seconds`` from now."""
        return replace(self, deadline_s=min(self.deadline_s, time.monotonic() + seconds))
