"""An attempt that was started: its engine, the state that it is in, and the time that it has used."""

from __future__ import annotations

import contextlib
import enum
import time
from collections.abc import Iterator
from dataclasses import dataclass

from solvehost.engine.attempts import PlannedAttempt
from solvehost.engine.process import EngineProcess
from solvehost.engine.records import STOPPED, AttemptOutcome

#: An engine counts as having used at least this share of the time that it ran: one that waits for a slow disk uses no
#: CPU, and must not keep others from starting.
_LEAST_SHARE = 0.1


class RunState(enum.Enum):
    """The state of an attempt that was started."""

    RUNNING = enum.auto()
    SUSPENDED = enum.auto()
    ENDED = enum.auto()


@dataclass(slots=True)
class EngineRun:
    """An attempt that was started.

    ``turn_began`` is when its state last changed (monotonic clock), ``turns`` how often it was suspended, ``seconds``
    how long it has run in the turns before this one, and ``used_before_s`` what it had used when this turn began.
    """

    planned: PlannedAttempt
    engine: EngineProcess
    turn_began: float
    state: RunState = RunState.RUNNING
    turns: int = 0
    seconds: float = 0.0
    used_before_s: float = 0.0
    outcome: str = STOPPED

    @property
    def used_s(self) -> float:
        """The CPU seconds that it has used, or at least a share of the seconds that it ran.

        If the system does not tell the CPU time of a running process, these are the seconds that it ran.
        """
        is_running = self.state is RunState.RUNNING
        ran_s = self.seconds + (time.monotonic() - self.turn_began if is_running else 0.0)
        cpu_s = self.engine.cpu_so_far_s
        return ran_s if cpu_s is None else max(cpu_s, _LEAST_SHARE * ran_s)

    @property
    def is_slice_over(self) -> bool:
        """True if it has used its slice, which doubles with each turn."""
        first_s = self.planned.attempt.schedule.slice_s
        if first_s is None or not self.engine.has_begun:
            return False
        return self.used_s - self.used_before_s >= first_s * 2.0**self.turns

    def change_state(self, state: RunState) -> None:
        """Change the state, and count the time of a turn that ends with this."""
        now = time.monotonic()
        if self.state is RunState.RUNNING:
            self.seconds += now - self.turn_began
        self.state, self.turn_began = state, now

    def suspend(self) -> None:
        """Take the core away, unless the engine has just ended: its solution must not wait for another turn."""
        if not self.engine.poll():
            self.engine.suspend()
            self.change_state(RunState.SUSPENDED)
            self.turns += 1

    def resume(self) -> None:
        """Give it a core again."""
        self.used_before_s = self.used_s
        self.engine.resume()
        self.change_state(RunState.RUNNING)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Take the core away within the context; afterwards the turn goes on, unless the run was ended."""
        self.engine.suspend()
        self.change_state(RunState.SUSPENDED)
        try:
            yield
        finally:
            if self.state is RunState.SUSPENDED:
                self.engine.resume()
                self.change_state(RunState.RUNNING)

    def end(self, outcome: str) -> None:
        """Kill the engine if it lives, and record the outcome."""
        self.engine.kill()
        if self.state is not RunState.ENDED:
            self.change_state(RunState.ENDED)
        self.outcome = outcome

    def record(self) -> AttemptOutcome:
        """Return how it ended."""
        number, label = self.planned.number, self.planned.label
        return AttemptOutcome(number, label, self.outcome, round(self.seconds, 3), round(self.engine.cpu_s, 3))
