"""Extra runs of the engine within a race: second looks at a solution, and follow-ups of candidates.

The numbers of extra runs are above those of all attempts; their axy files are removed when they end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from solvehost.engine.attempts import PlannedAttempt, judge_exit, start_engine
from solvehost.engine.process import EngineProcess, wait_for_any
from solvehost.engine.records import STOPPED, AttemptOutcome, RaceTerms
from solvehost.errors import OutputError
from solvehost.formats import axy
from solvehost.formats.jobdir import JobDir

_TICK_S = 0.05


def run(job: JobDir, planned: PlannedAttempt, terms: RaceTerms, deadline: float) -> AttemptOutcome:
    """Run the engine on an attempt; its files stay in its working directory.

    Parameters
    ----------
    job
        The job directory.
    planned
        The attempt, its number and its index files.
    terms
        The engine, its limits and the caller's cancel flag.
    deadline
        When the engine is killed (monotonic clock).

    Raises
    ------
    UnavailableError
        If the engine cannot be run.
    OutputError
        If the axy file or the working directory cannot be made, or the disk is full.
    """
    began = time.monotonic()
    try:
        _write_axy(planned.attempt, job.axy(planned.number))
        engine = start_engine(job, planned, terms.engine, terms.limits)
        is_finished = _wait_or_kill(engine, deadline, terms.cancelled)
    finally:
        job.axy(planned.number).unlink(missing_ok=True)
    outcome = judge_exit(job, planned.number, engine.exit_status or 0) if is_finished else STOPPED
    seconds = round(time.monotonic() - began, 3)
    return AttemptOutcome(planned.number, planned.label, outcome, seconds, round(engine.cpu_s, 3))


def _write_axy(attempt: axy.Attempt, path: Path) -> None:
    try:
        axy.write(attempt, path)
    except OSError as exc:
        raise OutputError(f"{path}: {exc.strerror}: the engine's star list cannot be written") from exc


def _wait_or_kill(engine: EngineProcess, deadline: float, cancelled: Callable[[], bool]) -> bool:
    """Wait for an engine to end, and kill it if it does not; return True if it ended by itself."""
    try:
        while not engine.poll() and time.monotonic() < deadline and not cancelled():
            wait_for_any([engine], _TICK_S)
        return engine.poll()
    finally:
        engine.kill()
