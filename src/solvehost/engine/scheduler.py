"""The scheduler of a race: decide which attempt has a core, and when.

An attempt goes through these states::

    to come ──→ planned ──→ RUNNING ──────────→ ENDED
       │                     │   ↑                ↑
       └──→ unserved         ↓   │                │
                           SUSPENDED ─────────────┘

- to come → planned: there is a core for it, and the attempt before it has had its head start, so it is prepared; it is
  unserved if no index file fits it.
- planned → RUNNING: it is due, and a core is free.  Delays are measured by the CPU time that earlier attempts have
  used (:class:`RaceClock`), so that on a busy machine none starts only because its forerunners had to wait for a core.
- RUNNING → SUSPENDED: its slice, which is CPU time as well, is over, or another job waits for a core, or a candidate is
  followed up on its core (:meth:`Scheduler.free_core`); the latter does not end its slice.
- SUSPENDED → RUNNING: a core is free, and no new attempt is due; or the follow-up is over.
- RUNNING, SUSPENDED → ENDED: its engine has ended, or was killed to free memory, or because a follow-up has found the
  solution or the race is over.

The order of the steps in :meth:`Scheduler.advance` matters:

1. Memory is freed first, since what follows starts engines that need some.
2. Attempts whose slice is over are suspended before cores are handed out, so that those behind them get a turn.
3. Cores are given back to other jobs before free cores are filled, so that this race does not take them again.
4. Free cores go to a new attempt that is due, else to the attempt that has been suspended longest.
5. Only then does the race wait for an engine to end.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from solvehost.engine.attempts import PlannedAttempt, plan_attempt
from solvehost.engine.engine_run import EngineRun, RunState
from solvehost.engine.process import EngineProcess, wait_for_any
from solvehost.engine.records import CRASHED, RaceTerms
from solvehost.engine.slots import Token, Tokens
from solvehost.formats.jobdir import JobDir
from solvehost.indexes.index_file import IndexFile

#: The longest and the shortest wait for an engine to end, in seconds; slices, other jobs and cancellation are checked
#: after each wait.
_TICK_S, _SHORT_TICK_S = 0.1, 0.01
#: No attempt has this number.
_NONE_LEFT = 0
#: How long the attempt that started last runs alone, in CPU seconds, before the next one is prepared: most fields are
#: solved within it, and a further star list and engine would be wasted.
_HEAD_START_S = 0.04


class RaceClock:
    """The time of a race; it advances by the CPU time that the running engines use, on average of them.

    On a quiet machine it keeps pace with the clock on the wall, and on a busy one it is slower.
    """

    def __init__(self) -> None:
        #: Seconds since the race began.
        self.seconds = 0.0
        self._used_s = 0.0

    def advance(self, used_s: float, running: int) -> None:
        """Advance.

        Parameters
        ----------
        used_s
            CPU seconds that all engines of the race have used until now.
        running
            How many of them ran since the last call.
        """
        self.seconds += max(0.0, used_s - self._used_s) / max(1, running)
        self._used_s = max(used_s, self._used_s)


class AttemptQueue:
    """The attempts that were not started yet; each is prepared only when :meth:`peek` needs it.

    ``numbers`` yields None as long as the next attempt is being prepared.
    """

    def __init__(self, job: JobDir, numbers: Iterator[int | None], files: tuple[IndexFile, ...]) -> None:
        self._job, self._numbers, self._files = job, numbers, files
        self._next: PlannedAttempt | None = None
        #: True if the next attempt is being prepared.
        self.is_preparing = False
        #: Attempts that no index file fits.
        self.unserved: list[PlannedAttempt] = []

    def peek(self) -> PlannedAttempt | None:
        """Return the next attempt that an index file fits; None if there is none, or if it is being prepared."""
        while self._next is None:
            number = next(self._numbers, _NONE_LEFT)
            self.is_preparing = number is None
            if number is None or number == _NONE_LEFT:
                break
            planned = plan_attempt(self._job, number, self._files)
            if planned.files:
                self._next = planned
            else:
                self.unserved.append(planned)
        return self._next

    def pop(self) -> PlannedAttempt | None:
        """Remove and return the attempt that :meth:`peek` returns."""
        planned = self.peek()
        self._next = None
        return planned

    def has_due(self, race_s: float, *, is_idle: bool) -> bool:
        """Return True if the next attempt may start at ``race_s``; its delay does not count while no engine runs."""
        planned = self.peek()
        return planned is not None and (is_idle or planned.attempt.schedule.delay_s <= race_s)

    def patience_s(self, race_s: float) -> float:
        """Return how long to wait at ``race_s`` for an engine to end before the next attempt may be due."""
        if self._next is None:
            return _SHORT_TICK_S if self.is_preparing else _TICK_S
        due_in_s = self._next.attempt.schedule.delay_s - race_s
        # An attempt that is due already waits for a token, and nothing signals that one is released.
        return max(due_in_s, _SHORT_TICK_S) if 0 < due_in_s < _TICK_S else _TICK_S


class Cores:
    """The tokens that a race holds: one that it is owed, and others that it borrows while they are idle."""

    def __init__(self, tokens: Tokens, first: Token) -> None:
        self._tokens, self._held = tokens, [first]

    def __len__(self) -> int:
        return len(self._held)

    def can_run(self, count: int) -> bool:
        """Return True if ``count`` engines may run; borrow an idle token for the last one if no job waits for it."""
        if len(self._held) >= count:
            return True
        token = None if self._tokens.others_wait() else self._tokens.try_acquire()
        if token is not None:
            self._held.append(token)
        return token is not None

    def are_wanted(self) -> bool:
        """Return True if the race holds borrowed tokens while another job waits for its first."""
        return len(self._held) > 1 and self._tokens.others_wait()

    def give_back(self, kept: int) -> None:
        """Release all tokens but ``kept``."""
        while len(self._held) > kept:
            self._held.pop().release()


class Scheduler:
    """Starts, suspends and resumes the engines of one race; see the module's docstring.

    Parameters
    ----------
    terms
        The terms of the race.
    queue
        The attempts that were not started yet.
    first
        The token that the job is owed.
    start
        Starts an engine on an attempt.
    """

    def __init__(
        self,
        terms: RaceTerms,
        queue: AttemptQueue,
        first: Token,
        start: Callable[[PlannedAttempt], EngineProcess],
    ) -> None:
        self._terms, self._queue, self._start = terms, queue, start
        self._cores = Cores(terms.tokens, first)
        self._clock = RaceClock()
        #: Until when, on the race's clock, no further attempt is prepared.
        self._head_start_ends_s = 0.0
        #: Every attempt that was started.
        self.runs: list[EngineRun] = []

    def advance(self) -> list[EngineRun]:
        """Do what can be done now, then wait until something happens; return the runs whose engines ended."""
        self._free_memory()
        self._end_turns()
        self._return_cores()
        self._fill_cores()
        running = self._in_state(RunState.RUNNING)
        if running:
            wait_for_any([run.engine for run in running], self._patience_s())
        elif self._queue.is_preparing:
            time.sleep(_SHORT_TICK_S)
        ended = [run for run in running if run.engine.poll()]
        self._clock.advance(self.used_s, len(running))
        for run in ended:
            run.change_state(RunState.ENDED)
        return ended

    @property
    def is_over(self) -> bool:
        """True if no attempt is running, suspended or still to come."""
        return not self._has_living() and self._queue.peek() is None and not self._queue.is_preparing

    @property
    def used_s(self) -> float:
        """CPU seconds that all engines have used until now."""
        return sum(run.used_s for run in self.runs)

    def stop(self, kept_tokens: int = 0) -> None:
        """Kill every engine, and give back all tokens but ``kept_tokens``."""
        living = [run for run in self.runs if run.state is not RunState.ENDED]
        try:
            _kill_all(living)
        finally:
            for run in living:
                run.change_state(RunState.ENDED)
            self._cores.give_back(kept_tokens)

    @contextlib.contextmanager
    def free_core(self, preferred: EngineRun) -> Iterator[int]:
        """Free a core for an extra engine within the context, and yield the bytes of memory that it may use.

        If all cores are in use, an engine is paused: that of ``preferred`` if it runs.  The extra engine may use what
        the engines that do not run leave of the memory for the free cores; 0 if they leave nothing.
        """
        running = [run for run in self._in_state(RunState.RUNNING) if not run.engine.poll()]
        pausable = [run for run in running if run.engine.has_begun]
        if len(running) < len(self._cores) or not pausable:
            pausable = []
        with contextlib.ExitStack() as pauses:
            if pausable:
                paused = min(pausable, key=lambda run: run is not preferred)
                pauses.enter_context(paused.paused())
                running.remove(paused)
            resting = sum(run.engine.memory_bytes for run in self._in_state(RunState.SUSPENDED))
            free = max(1, len(self._cores) - len(running))
            yield max(0, free * self._terms.limits.data_bytes - resting)

    # -- The steps, in their order ----------------------------------------------------------------------------------

    def _free_memory(self) -> None:
        """Kill the largest engines if all, suspended ones included, use more memory than the running ones may use."""
        living = [run for run in self.runs if run.state is not RunState.ENDED]
        if len(living) <= len(self._cores):
            return  # each is limited by itself
        sizes = sorted(((run.engine.memory_bytes, at) for at, run in enumerate(living)), reverse=True)
        excess = sum(size for size, _ in sizes) - len(self._cores) * self._terms.limits.data_bytes
        for size, at in sizes:
            if excess <= 0:
                break
            excess -= size
            run = living[at]
            run.engine.kill()
            if run.state is RunState.SUSPENDED:  # the end of a running one is noticed like that of any other
                run.change_state(RunState.ENDED)
                run.outcome = CRASHED

    def _end_turns(self) -> None:
        """Suspend attempts whose slice is over if another one could use their core."""
        for run in self._in_state(RunState.RUNNING):
            if run.is_slice_over and (self._in_state(RunState.SUSPENDED) or self._has_due()):
                run.suspend()

    def _return_cores(self) -> None:
        """Suspend the least promising attempt and give its token back if another job waits for one."""
        if not self._cores.are_wanted():
            return
        running = self._in_state(RunState.RUNNING)
        suspendable = [run for run in running if run.engine.has_begun]
        if len(running) > 1 and suspendable:
            max(suspendable, key=lambda run: run.planned.attempt.schedule.rank).suspend()
        self._cores.give_back(max(1, len(self._in_state(RunState.RUNNING))))

    def _fill_cores(self) -> None:
        # The number of cores is checked first: preparing an attempt takes a core from an engine that runs.
        while self._has_free_core() and (self._has_due() or self._in_state(RunState.SUSPENDED)):
            running = len(self._in_state(RunState.RUNNING))
            if not self._cores.can_run(running + 1):
                return
            if self._has_due():
                self._start_next()
            else:
                min(self._in_state(RunState.SUSPENDED), key=lambda run: run.turn_began).resume()

    def _start_next(self) -> None:
        planned = self._queue.pop()
        if planned is not None:
            self._terms.observe(planned.label)
            self.runs.append(EngineRun(planned, self._start(planned), time.monotonic()))
            self._head_start_ends_s = self._clock.seconds + _HEAD_START_S

    # -- What the steps ask -----------------------------------------------------------------------------------------

    def _in_state(self, state: RunState) -> list[EngineRun]:
        return [run for run in self.runs if run.state is state]

    def _has_living(self) -> bool:
        return any(run.state is not RunState.ENDED for run in self.runs)

    def _has_due(self) -> bool:
        if self._has_living() and self._clock.seconds < self._head_start_ends_s:
            return False
        return self._queue.has_due(self._clock.seconds, is_idle=not self._has_living())

    def _patience_s(self) -> float:
        """Return how long to wait for an engine to end."""
        head_start_s = self._head_start_ends_s - self._clock.seconds
        if head_start_s > 0:
            return max(head_start_s, _SHORT_TICK_S)
        return self._queue.patience_s(self._clock.seconds)

    def _has_free_core(self) -> bool:
        allowed = self._terms.engines or self._terms.tokens.count
        return len(self._in_state(RunState.RUNNING)) < max(len(self._cores), allowed)


def _kill_all(runs: list[EngineRun]) -> None:
    """Kill every engine, even if killing an earlier one raises."""
    with contextlib.ExitStack() as kills:
        for run in runs:
            kills.callback(run.engine.kill)
