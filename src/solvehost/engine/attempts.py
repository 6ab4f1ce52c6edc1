"""One attempt: choose its index files, start the engine on it, and judge how the engine ended.

Success is a complete, finite wcs.fits, never the exit code: the engine exits 0 whether or not it solved.
"""

from __future__ import annotations

import os
from pathlib import Path

from solvehost.engine import logs, sandbox
from solvehost.engine.exec_helper import EXIT_NOT_STARTED
from solvehost.engine.process import EngineLimits, EngineProcess
from solvehost.engine.records import CRASHED, EXHAUSTED, SOLVED
from solvehost.engine.result_files import has_solution, is_complete
from solvehost.errors import OutputError, UnavailableError
from solvehost.formats import axy
from solvehost.formats.jobdir import OUTPUTS, RUN_LOG, WCS, JobDir
from solvehost.indexes import selection
from solvehost.indexes.index_file import IndexFile
from solvehost.record import record

_CONFIG = "engine.cfg"
#: A disk with less free space than this counts as full.
_FULL_BYTES = 64 * 2**10


@record
class PlannedAttempt:
    """An attempt with the index files that it uses, in the order in which the engine takes them."""

    number: int
    attempt: axy.Attempt
    files: tuple[IndexFile, ...]

    @property
    def label(self) -> str:
        """The attempt's name in logs and progress lines."""
        return self.attempt.schedule.label or f"attempt {self.number}"


def plan_attempt(job: JobDir, number: int, files: tuple[IndexFile, ...]) -> PlannedAttempt:
    """Read attempt ``number`` of a job and choose its index files from ``files``."""
    attempt = axy.read(job.axy(number))
    return PlannedAttempt(number, attempt, selection.select(attempt, files))


def start_engine(job: JobDir, planned: PlannedAttempt, engine: Path, limits: EngineLimits) -> EngineProcess:
    """Start the engine on an attempt, in a working directory of the attempt's own.

    Parameters
    ----------
    job
        The job directory, which holds the attempt's axy file.
    planned
        The attempt and its index files.
    engine
        Path of the engine's program.
    limits
        What the engine may use.

    Raises
    ------
    OutputError
        If the working directory cannot be made.
    UnavailableError
        If no process can be started.
    """
    run_dir = job.run_dir(planned.number)
    try:
        run_dir.mkdir(mode=0o700)
        parallel = "inparallel\n" if planned.attempt.schedule.parallel else ""
        config = parallel + "".join(f"index {f.path}\n" for f in planned.files)
        (run_dir / _CONFIG).write_bytes(os.fsencode(config))
    except OSError as exc:
        raise OutputError(f"{run_dir}: {exc.strerror}: the engine's working directory cannot be made") from exc
    command = [str(engine), "-c", _CONFIG, f"../{job.axy(planned.number).name}"]
    reads = (job.axy(planned.number), *(f.path for f in planned.files))
    rules = sandbox.rules(engine, run_dir, reads) if limits.confined else sandbox.rules_of_calls(engine)
    return EngineProcess(command, run_dir, run_dir / RUN_LOG, limits, rules)


def judge_exit(job: JobDir, number: int, exit_status: int) -> str:
    """Return how an attempt whose engine has ended came out: solved, exhausted or crashed.

    Parameters
    ----------
    job, number
        The job and the attempt's number.
    exit_status
        The engine's exit code, negative for a signal.

    Raises
    ------
    UnavailableError
        If the engine's program cannot be run.
    OutputError
        If the engine failed because the disk is full.
    """
    if exit_status == EXIT_NOT_STARTED:
        reason = logs.attempt_log(job, number).decode(errors="replace").strip()
        raise UnavailableError(f"the engine cannot be run ({reason}): install it again, or name another")
    wcs = job.run_dir(number) / WCS
    is_solved = has_solution(wcs)
    left = [wcs.with_name(name) for name in OUTPUTS if os.path.lexists(wcs.with_name(name))]
    if not is_solved or not all(map(is_complete, left)):
        _raise_if_disk_is_full(wcs.parent)
    if is_solved:
        return SOLVED
    return EXHAUSTED if exit_status == 0 and wcs not in left else CRASHED


def _raise_if_disk_is_full(run_dir: Path) -> None:
    """Raise OutputError before the files that filled the disk are removed: despite half a file the engine exits 0."""
    try:
        found = os.statvfs(run_dir)
    except OSError:
        return
    if found.f_blocks and found.f_bavail * found.f_frsize < _FULL_BYTES:
        raise OutputError(f"{run_dir.parent}: the disk is full: free some space")
