"""The referee of a race: what the end of an engine means, which attempt wins, and how the race is recorded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from solvehost.engine import clustering, logs
from solvehost.engine.attempts import PlannedAttempt, judge_exit
from solvehost.engine.engine_run import EngineRun
from solvehost.engine.records import (
    CRASHED,
    DOUBTFUL,
    NO_INDEX,
    SOLVED,
    UNSOLVED,
    AttemptOutcome,
    Candidate,
    RaceResult,
    RaceTerms,
)
from solvehost.errors import InternalError, UnavailableError
from solvehost.formats.jobdir import JobDir
from solvehost.record import record


def find_winner(job: JobDir, ended: Iterable[EngineRun]) -> EngineRun | None:
    """Judge runs whose engines have ended, until one has solved; return that one.

    Raises
    ------
    UnavailableError
        If the engine's program cannot be run.
    OutputError
        If the disk is full.
    """
    for run in ended:
        run.outcome = CRASHED  # the outcome if judging raises
        run.outcome = _judge(job, run)
        if run.outcome == SOLVED:
            return run
    return None


def _judge(job: JobDir, run: EngineRun) -> str:
    number, attempt = run.planned.number, run.planned.attempt
    outcome = judge_exit(job, number, run.engine.exit_status or 0)
    if outcome == SOLVED and clustering.is_doubtful(attempt, job.run_dir(number)):
        return DOUBTFUL
    return outcome


def outcomes(runs: Iterable[EngineRun], extra_runs: Iterable[AttemptOutcome]) -> list[AttemptOutcome]:
    """Return how all engines of a race ended, in the order of the attempts' numbers."""
    return sorted([*(run.record() for run in runs), *extra_runs], key=lambda outcome: outcome.number)


@record
class Ending:
    """How a race ended.

    Attributes
    ----------
    runs
        Every attempt that was started.
    extra_runs
        How the follow-ups of candidates and the second looks at the solution ended.
    unserved
        Attempts that no index file fits.
    winner
        The attempt that solved, None if none did.
    reason
        Why the race is unsolved: exhausted, time-limit or cancelled; none if it is solved.
    seconds
        How long the race took.
    candidate
        The best match that was not accepted.
    """

    runs: tuple[EngineRun, ...]
    extra_runs: tuple[AttemptOutcome, ...]
    unserved: tuple[PlannedAttempt, ...]
    winner: EngineRun | None
    reason: str
    seconds: float
    candidate: Candidate | None


def result(job: JobDir, ending: Ending) -> RaceResult:
    """Return the record of a race of ``job`` whose engines have all ended."""
    runs, winner = ending.runs, ending.winner
    attempts = outcomes(runs, ending.extra_runs)
    attempts += [AttemptOutcome(p.number, p.label, NO_INDEX, 0.0, 0.0) for p in ending.unserved]
    failed = logs.failed_indexes(b"".join(logs.attempt_log(job, run.planned.number) for run in runs))
    used = {file.path for run in runs for file in run.planned.files}
    return RaceResult(
        status=SOLVED if winner else UNSOLVED,
        reason=ending.reason,
        winner=winner.planned.number if winner else None,
        attempts=tuple(sorted(attempts, key=lambda outcome: outcome.number)),
        indexes=tuple(sorted({path.name for path in used if str(path) not in failed})),
        indexes_failed=tuple(sorted({Path(path).name for path in failed})),
        seconds=round(ending.seconds, 3),
        cpu_s=round(sum(outcome.cpu_s for outcome in attempts), 3),
        candidate=None if winner else ending.candidate,
    )


def raise_if_nothing_ran(result: RaceResult, terms: RaceTerms) -> None:
    """Raise if no attempt of an exhausted race could search: no index file fits, or every engine crashed."""
    found = {attempt.outcome for attempt in result.attempts}
    if found and found <= {NO_INDEX}:
        have = terms.indexes.quads_arcmin
        range_text = "there is none" if have is None else f"they hold quads of {have.low:.3g} to {have.high:.3g} arcmin"
        raise UnavailableError(f"no installed index file fits a field of this size ({range_text}): see nova doctor")
    if found and found <= {NO_INDEX, CRASHED}:
        if result.indexes_failed:
            names = ", ".join(result.indexes_failed)
            raise UnavailableError(f"the engine cannot load {names}: install the index files again")
        raise InternalError("the engine failed on every attempt: see the job's log")
