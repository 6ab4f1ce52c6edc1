"""The race: several attempts at one field, on the cores that are free, won by the first solution.

Attempts are prepared lazily, the most promising first: the next one only when there is a core for it.  A race holds
one token for each engine that runs.  An attempt that has used its slice of time is suspended, not ended, so that the
attempts behind it get their turn; and if another job waits for a core, the least promising attempt is suspended.

A race goes through these states::

                                 follow-up of a candidate
                                      │ ↑       │
                             rejected ↓ │       ↓ accepted
    waiting for the first token ──→ racing ──→ second look at the winner ──→ outputs placed, logs joined
                │                     │
                └──→ cancelled        └──→ exhausted, time-limit or cancelled ──→ logs joined

``scheduler`` decides which attempt has a core, ``referee`` what an outcome means and which attempt wins, and
``follow_up`` whether a match of too low odds is accepted after all.  This file enforces the limits, which hold for the
engines of attempts and follow-ups together, and puts the results into the job directory.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator

from solvehost.engine import logs, outputs, referee, second_look
from solvehost.engine.attempts import start_engine
from solvehost.engine.engine_run import EngineRun
from solvehost.engine.follow_up import FollowUps
from solvehost.engine.records import UNSOLVED, AttemptOutcome, RaceResult, RaceTerms
from solvehost.engine.scheduler import AttemptQueue, Scheduler
from solvehost.engine.slots import Token
from solvehost.errors import RetryLaterError
from solvehost.formats.jobdir import JobDir


def run(job: JobDir, numbers: Iterator[int | None], terms: RaceTerms, first: Token | None = None) -> RaceResult:
    """Race the attempts of a job.

    The winner's files are put into the job directory, the WCS last, and every attempt's log into the job's log.  The
    calling thread must not end before this function returns, because the engines end with it.

    Parameters
    ----------
    job
        The job directory.
    numbers
        Yields the attempts' numbers, best first; the axy file of an attempt is in ``job`` when its number is yielded.
        It yields None as long as the next attempt is being prepared.
    terms
        The engine, the index files and the limits.
    first
        The token that the job is owed; None to wait for one.

    Raises
    ------
    RetryLaterError
        If no token came free in time.
    UnavailableError
        If no index file fits any attempt, or the engine cannot be run.
    InternalError
        If every attempt crashed.
    OutputError
        If the disk is full.
    """
    called = time.monotonic()
    if first is None:
        try:
            first = terms.tokens.acquire(min(terms.queue_wait_s, terms.total_s), terms.cancelled)
        except RetryLaterError:
            if not terms.cancelled():
                raise
            return RaceResult(UNSOLVED, "cancelled", None, (), (), (), round(time.monotonic() - called, 3), 0.0)
    result = _race(job, numbers, terms, first, called + terms.total_s)
    if result.reason == "exhausted":
        referee.raise_if_nothing_ran(result, terms)
    return result


def _race(job: JobDir, numbers: Iterator[int | None], terms: RaceTerms, first: Token, latest: float) -> RaceResult:
    """Race until ``latest`` (monotonic clock) at most, with the token ``first``, which is given back."""
    began = time.monotonic()
    deadline = min(began + terms.wall_s, latest)
    queue = AttemptQueue(job, numbers, terms.indexes.files)
    start = functools.partial(start_engine, job, engine=terms.engine, limits=terms.limits)
    scheduler = Scheduler(terms, queue, first, start)
    follow_ups = FollowUps(job, terms, scheduler, deadline)
    looks: tuple[AttemptOutcome, ...] = ()
    try:
        winner, reason = _run_to_end(job, scheduler, follow_ups, terms, deadline)
        if winner is not None:
            scheduler.stop(kept_tokens=1)  # for the second look
            looks = second_look.improve(job, winner.planned, terms, deadline - time.monotonic())
        scheduler.stop()
        if winner is None:
            follow_ups.note_last_candidates()
        ending = referee.Ending(
            runs=tuple(scheduler.runs),
            extra_runs=(*follow_ups.outcomes, *looks),
            unserved=tuple(queue.unserved),
            winner=winner,
            reason=reason,
            seconds=time.monotonic() - began,
            candidate=follow_ups.best,
        )
        result = referee.result(job, ending)
        if winner is not None:
            outputs.place_outputs(job, winner.planned.number)
    finally:
        scheduler.stop()
        follow_ups.close()
        logs.join_logs(job, referee.outcomes(scheduler.runs, (*follow_ups.outcomes, *looks)))
        outputs.remove_run_dirs(job)
    return result


def _run_to_end(
    job: JobDir, scheduler: Scheduler, follow_ups: FollowUps, terms: RaceTerms, deadline: float
) -> tuple[EngineRun | None, str]:
    """Run engines until one solves, none is left, or a limit is reached; return (winner, reason)."""
    while not scheduler.is_over:
        if terms.cancelled():
            return None, "cancelled"
        if time.monotonic() >= deadline or scheduler.used_s + follow_ups.used_s >= terms.cpu_s:
            return None, "time-limit"
        winner = referee.find_winner(job, scheduler.advance()) or follow_ups.find_winner()
        if winner is not None:
            return winner, "none"
    return None, "exhausted"
