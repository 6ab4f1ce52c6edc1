"""The race: several attempts at one field, on the cores that are free, won by the first solution.

Attempts come lazily, best first: the next one is prepared only when there is a core for it.  A race holds one token
for each engine that runs.  An attempt that has used its slice of time is suspended, not ended, so that those behind
it get their turn; and where another job waits for a core, the least promising attempt is suspended for it.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from solvehost.engine import clustering, engine, outputs, second_look
from solvehost.engine.engine import Outcome
from solvehost.engine.process import Child, Limits, wait_for_any
from solvehost.engine.slots import Token, Tokens
from solvehost.errors import BusyError, CrashError, UnavailableError
from solvehost.formats.jobdir import JobDir
from solvehost.indexes.index_set import IndexSet

#: How often a race looks at its cancel flag, its slices and the queue where nothing else wakes it.
_TICK_S = 0.1


@dataclass(frozen=True, slots=True)
class Terms:
    """What a race is run with.

    ``queue_wait_s`` bounds the wait for the first token, ``wall_s`` all that follows, ``total_s`` both together, and
    ``cpu_s`` the CPU time of all engines together; ``engines`` is how many run at once (None: one for each token);
    ``cancelled`` is asked often; ``observe`` hears the label of each attempt as it starts.
    """

    engine: Path
    indexes: IndexSet
    tokens: Tokens
    wall_s: float
    queue_wait_s: float = 300.0
    total_s: float = math.inf
    cpu_s: float = math.inf
    engines: int | None = None
    limits: Limits = field(default_factory=Limits)
    cancelled: Callable[[], bool] = lambda: False
    observe: Callable[[str], None] = lambda _label: None


@dataclass(frozen=True, slots=True)
class RaceResult:
    """How a race ended.

    ``status`` is solved or unsolved; ``reason`` none, exhausted, time-limit or cancelled; ``winner`` the number of
    the attempt that solved, whose files are now in the job directory.
    """

    status: str
    reason: str
    winner: int | None
    attempts: tuple[Outcome, ...]
    indexes: tuple[str, ...]
    indexes_failed: tuple[str, ...]
    seconds: float
    cpu_s: float


@dataclass(slots=True)
class _Runner:
    """An attempt that has been started: running, suspended or ended."""

    plan: engine.Plan
    child: Child
    turn_began: float
    turns: int = 0
    seconds: float = 0.0
    outcome: str = engine.STOPPED

    def slice_is_over(self, now: float) -> bool:
        first = self.plan.attempt.schedule.slice_s
        return first is not None and self.child.has_begun and now - self.turn_began >= first * 2**self.turns

    def record(self) -> Outcome:
        label = self.plan.label
        return Outcome(self.plan.number, label, self.outcome, round(self.seconds, 3), round(self.child.cpu_s, 3))


class _Race:
    """The state of one race."""

    def __init__(self, job: JobDir, numbers: Iterator[int], terms: Terms, first: Token) -> None:
        self.job, self.numbers, self.terms = job, numbers, terms
        self.began = time.monotonic()
        self.tokens = [first]
        self.next_plan: engine.Plan | None = None
        self.no_more = False
        self.running: list[_Runner] = []
        self.suspended: list[_Runner] = []
        self.ended: list[_Runner] = []
        self.unserved: list[engine.Plan] = []
        self.second_looks: tuple[Outcome, ...] = ()

    def step(self) -> _Runner | None:
        """Do what can be done now, then wait until something happens; return the winner, if there is one."""
        self._share_memory()
        self._share_cores()
        self._fill_cores()
        if self.running:
            wait_for_any([r.child for r in self.running], self._patience_s())
        for runner in [r for r in self.running if r.child.poll()]:
            self._retire(runner)
            if runner.outcome == engine.SOLVED:
                return runner
        return None

    @property
    def is_over(self) -> bool:
        """True where no attempt runs, waits or is to come."""
        return not (self.running or self.suspended or self._peek())

    @property
    def cpu_so_far_s(self) -> float:
        """CPU seconds of all engines until now; looked at only where there is a limit."""
        if math.isinf(self.terms.cpu_s):
            return 0.0
        return sum(r.child.cpu_so_far_s for r in (*self.running, *self.suspended, *self.ended))

    def _patience_s(self) -> float:
        if self.next_plan is None:
            return _TICK_S
        to_wait_s = self._due(self.next_plan) - time.monotonic()
        # One that is due already waits for a token, and nothing tells when that comes free.
        return to_wait_s if 0 < to_wait_s < _TICK_S else _TICK_S

    # -- what to run next -----------------------------------------------------------------------------------------

    def _peek(self) -> engine.Plan | None:
        """Return the next fresh attempt, preparing it if need be; those that no index file serves are passed over."""
        while self.next_plan is None and not self.no_more:
            number = next(self.numbers, None)
            if number is None:
                self.no_more = True
                break
            plan = engine.plan(self.job, number, self.terms.indexes.files)
            if plan.files:
                self.next_plan = plan
            else:
                self.unserved.append(plan)
        return self.next_plan

    def _due(self, plan: engine.Plan) -> float:
        return self.began + plan.attempt.schedule.delay_s

    def _fresh_is_due(self) -> bool:
        plan = self._peek()
        if plan is None:
            return False
        return time.monotonic() >= self._due(plan) or not (self.running or self.suspended)

    # -- sharing the cores ----------------------------------------------------------------------------------------

    def _fill_cores(self) -> None:
        # The count is looked at first: to prepare an attempt takes a core from the engine that runs on it.
        while self._may_start_more() and (self._fresh_is_due() or self.suspended) and self._has_token():
            if self._fresh_is_due() and self.next_plan is not None:
                self._start(self.next_plan)
                self.next_plan = None
            else:
                runner = self.suspended.pop(0)
                runner.child.resume()
                runner.turn_began = time.monotonic()
                self.running.append(runner)

    def _may_start_more(self) -> bool:
        most = self.terms.engines or self.terms.tokens.count
        return len(self.running) < max(len(self.tokens), most)

    def _has_token(self) -> bool:
        """Say whether one more engine may run; borrows a token where one is idle and nobody waits for it."""
        if len(self.tokens) > len(self.running):
            return True
        if self.terms.tokens.others_wait():
            return False
        token = self.terms.tokens.try_acquire()
        if token is not None:
            self.tokens.append(token)
        return token is not None

    def _share_cores(self) -> None:
        now = time.monotonic()
        for runner in [r for r in self.running if r.slice_is_over(now)]:
            if self.suspended or self._fresh_is_due():
                self._suspend(runner)
        if len(self.tokens) > 1 and self.terms.tokens.others_wait():
            begun = [r for r in self.running if r.child.has_begun]
            if len(self.running) > 1 and begun:
                self._suspend(max(begun, key=lambda r: r.plan.attempt.schedule.rank))
            self._give_back(max(1, len(self.running)))

    def _give_back(self, kept: int) -> None:
        """Give tokens back, all but so many."""
        while len(self.tokens) > kept:
            self.tokens.pop().release()

    def _share_memory(self) -> None:
        """End those that take the most where all together, the suspended too, take more than may run at once."""
        alive = [*self.running, *self.suspended]
        if len(alive) <= len(self.tokens):
            return  # each is held to its own limit
        sizes = sorted(((r.child.memory_bytes, at) for at, r in enumerate(alive)), reverse=True)
        excess = sum(size for size, _ in sizes) - len(self.tokens) * self.terms.limits.data_bytes
        for size, at in sizes:
            if excess <= 0:
                break
            excess -= size
            alive[at].child.kill()  # of one that runs, the end is seen to with that of all others
            if alive[at] in self.suspended:
                self.suspended.remove(alive[at])
                self.ended.append(alive[at])
                alive[at].outcome = engine.CRASHED

    def _start(self, plan: engine.Plan) -> None:
        self.terms.observe(plan.label)
        child = engine.start(self.job, plan, self.terms.engine, self.terms.limits)
        self.running.append(_Runner(plan, child, time.monotonic()))

    def _suspend(self, runner: _Runner) -> None:
        if runner.child.poll():  # it ended meanwhile: suspended, it could not say until its next turn that it solved
            return
        runner.child.suspend()
        runner.seconds += time.monotonic() - runner.turn_began
        runner.turns += 1
        self.running.remove(runner)
        self.suspended.append(runner)

    def _retire(self, runner: _Runner) -> None:
        runner.seconds += time.monotonic() - runner.turn_began
        self.running.remove(runner)
        self.ended.append(runner)
        runner.outcome = engine.CRASHED  # unless it can be judged
        runner.outcome = engine.judge(self.job, runner.plan.number, runner.child.exit_status or 0)
        if runner.outcome == engine.SOLVED:
            where = self.job.run_dir(runner.plan.number)
            runner.outcome = engine.DOUBTFUL if clustering.is_doubtful(runner.plan.attempt, where) else engine.SOLVED

    # -- the end --------------------------------------------------------------------------------------------------

    def stop_losers(self) -> None:
        """End every engine at once, also those after one that the system will not let us end; keep one token."""
        with contextlib.ExitStack() as kills:
            for runner in [*self.running, *self.suspended]:
                kills.callback(runner.child.kill)
        now = time.monotonic()
        for runner in self.running:
            runner.seconds += now - runner.turn_began
        self.ended += [*self.running, *self.suspended]
        self.running, self.suspended = [], []
        self._give_back(1)

    def stop_all(self) -> None:
        """End every engine at once and give the tokens back."""
        try:
            self.stop_losers()
        finally:
            self._give_back(0)

    def outcomes(self) -> list[Outcome]:
        """Return how the engines that were started ended, in the attempts' order."""
        return sorted([*(r.record() for r in self.ended), *self.second_looks], key=lambda o: o.number)

    def result(self, winner: _Runner | None, reason: str) -> RaceResult:
        """Return the record of the race, after :meth:`stop_all`."""
        outcomes = self.outcomes()
        outcomes += [Outcome(p.number, p.label, engine.NO_INDEX, 0.0, 0.0) for p in self.unserved]
        failed = engine.failed_indexes(b"".join(engine.log_text(self.job, r.plan.number) for r in self.ended))
        used = {f.path for r in self.ended for f in r.plan.files}
        return RaceResult(
            status=engine.SOLVED if winner else "unsolved",
            reason=reason,
            winner=winner.plan.number if winner else None,
            attempts=tuple(sorted(outcomes, key=lambda o: o.number)),
            indexes=tuple(sorted({path.name for path in used if str(path) not in failed})),
            indexes_failed=tuple(sorted({Path(path).name for path in failed})),
            seconds=round(time.monotonic() - self.began, 3),
            cpu_s=round(sum(o.cpu_s for o in outcomes), 3),
        )


def run(job: JobDir, numbers: Iterator[int], terms: Terms, first: Token | None = None) -> RaceResult:
    """Race the attempts whose numbers ``numbers`` yields (their axy files lie in ``job`` by then).

    ``first`` is the token that the job is owed; where it is None, one is waited for.  The winner's files are put into
    the job directory, the WCS last, and every attempt's log into its log.  Must be called from a thread that outlives
    the call, as every thread that waits for it does.

    Raises
    ------
    BusyError
        No token came free in time.
    UnavailableError
        No index file serves any attempt, or the engine cannot be run.
    CrashError
        Every attempt crashed.
    DiskError
        The disk is full.
    """
    called = time.monotonic()
    if first is None:
        try:
            first = terms.tokens.acquire(min(terms.queue_wait_s, terms.total_s), terms.cancelled)
        except BusyError:
            if terms.cancelled():
                return RaceResult("unsolved", "cancelled", None, (), (), (), round(time.monotonic() - called, 3), 0.0)
            raise
    state = _Race(job, numbers, terms, first)
    deadline = min(state.began + terms.wall_s, called + terms.total_s)
    try:
        winner, reason = _run_to_end(state, terms, deadline)
        if winner is not None:
            state.stop_losers()
            left_s = deadline - time.monotonic()
            state.second_looks = second_look.improve(
                job, winner.plan, terms.indexes.files, terms.engine, terms.limits, left_s, terms.cancelled
            )
        state.stop_all()
        result = state.result(winner, reason)
        if winner is not None:
            outputs.place_outputs(job, winner.plan.number)
    finally:
        state.stop_all()
        outputs.write_log(job, state.outcomes())
        outputs.remove_run_dirs(job)
    if reason == "exhausted":
        _refuse_if_nothing_ran(result, terms)
    return result


def _run_to_end(state: _Race, terms: Terms, deadline: float) -> tuple[_Runner | None, str]:
    while not state.is_over:
        if terms.cancelled():
            return None, "cancelled"
        if time.monotonic() >= deadline or state.cpu_so_far_s >= terms.cpu_s:
            return None, "time-limit"
        winner = state.step()
        if winner is not None:
            return winner, "none"
    return None, "exhausted"


def _refuse_if_nothing_ran(result: RaceResult, terms: Terms) -> None:
    outcomes = {a.outcome for a in result.attempts}
    if outcomes and outcomes <= {engine.NO_INDEX}:
        have = terms.indexes.quads_arcmin
        range_text = "there is none" if have is None else f"they hold quads of {have.low:.3g} to {have.high:.3g} arcmin"
        raise UnavailableError(f"no installed index file fits a field of this size ({range_text}): see nova doctor")
    if outcomes and outcomes <= {engine.NO_INDEX, engine.CRASHED}:
        if result.indexes_failed:
            names = ", ".join(result.indexes_failed)
            raise UnavailableError(f"the engine cannot load {names}: install the index files again")
        raise CrashError("the engine failed on every attempt: see the job's log")
