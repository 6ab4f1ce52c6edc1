"""Remove old jobs: those beyond the configured age or number, and directories that dying processes left.

``nova submit`` calls :func:`sweep_if_due` at its end.  A sweep runs once a day at most, never makes a solve fail, and
does not touch jobs that a process works on, nor files that are not jobs.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from novacli.config import Config
from novacli.errors import NovaError
from novacli.jobs.store import JobStore
from solvehost.formats import jobdir
from solvehost.formats.jobdir import LOCK, RESULT, JobDir
from solvehost.record import record

STAMP = ".swept"
_DAY_S = 86400.0
#: A staged directory is renamed within seconds; one without a write for this long was left by a process that died.
_STAGED_S = 3600.0
#: A sweep stops after this time and continues at the next call, so that no solve waits long for it.
_BUDGET_S = 2.0


@record
class SweepResult:
    """The numbers of jobs and staged directories that a sweep removed; ``is_done`` is False if it stopped early."""

    jobs: int
    staged: int
    is_done: bool


@record
class _JobAge:
    """A job, when it was last written to (seconds since 1970), and if it is finished."""

    job: JobDir
    touched_s: float
    is_finished: bool


def sweep_if_due(config: Config) -> SweepResult | None:
    """Sweep the jobs directory if the last sweep was more than a day ago; return None if there was no sweep.

    Errors are ignored: a solve must not fail because an old job cannot be removed.
    """
    root: Path = config["jobs_dir"]
    try:
        if not _take_turn(root):
            return None
        done = sweep(root, config["keep_days"], config["keep_jobs"])
        if not done.is_done:
            (root / STAMP).unlink(missing_ok=True)
    except (OSError, NovaError):
        return None
    return done


def sweep(root: Path, keep_days: float, keep_jobs: int, budget_s: float = _BUDGET_S) -> SweepResult:
    """Remove old jobs, and staged directories that no process uses any more.

    Parameters
    ----------
    root
        The jobs directory.
    keep_days
        Jobs are removed if their last write was more than this many days ago.
    keep_jobs
        The oldest finished jobs beyond this number are removed.
    budget_s
        Seconds after which the sweep stops early.

    Raises
    ------
    NovaError
        If the jobs directory cannot be read.
    """
    deadline = time.monotonic() + budget_s
    oldest_s = time.time() - keep_days * _DAY_S
    store = JobStore(root)
    jobs = staged = 0
    for path in _abandoned(root):
        if time.monotonic() > deadline:
            return SweepResult(jobs, staged, is_done=False)
        jobdir.discard(JobDir(path))
        staged += 1
    for entry in _beyond_limits(store, oldest_s, keep_jobs):
        if time.monotonic() > deadline:
            return SweepResult(jobs, staged, is_done=False)
        jobs += _remove(entry)
    return SweepResult(jobs, staged, is_done=True)


def _take_turn(root: Path) -> bool:
    """Return True if a sweep is due; the stamp is set first, so that concurrent calls do not all sweep."""
    if not root.is_dir():
        return False
    stamp = root / STAMP
    age_s = time.time() - stamp.stat().st_mtime if stamp.exists() else _DAY_S
    if 0 <= age_s < _DAY_S:
        return False
    stamp.touch(mode=0o600)
    return True


def _beyond_limits(store: JobStore, oldest_s: float, keep_jobs: int) -> Iterator[_JobAge]:
    """Yield the jobs to remove, oldest first."""
    found = (_age_of(JobDir(store.root / name)) for name in store.names())
    jobs = sorted((entry for entry in found if entry is not None), key=lambda entry: entry.touched_s)
    too_many = sum(entry.is_finished for entry in jobs) - keep_jobs
    for entry in jobs:
        if entry.touched_s < oldest_s or (entry.is_finished and too_many > 0):
            too_many -= entry.is_finished
            yield entry


def _age_of(job: JobDir) -> _JobAge | None:
    """Return a job with the time of its result, or of its newest file if there is no result; None if it is gone."""
    try:
        finished_s = _result_time_s(job)
        touched_s = _newest_time_s(job.path) if finished_s is None else finished_s
    except OSError:
        return None
    return _JobAge(job, touched_s, is_finished=finished_s is not None)


def _result_time_s(job: JobDir) -> float | None:
    try:
        return (job.path / RESULT).stat().st_mtime
    except FileNotFoundError:
        return None


def _remove(entry: _JobAge) -> bool:
    """Remove a job unless a process works on it or has written to it since; return True if it was removed."""
    try:
        with entry.job.locked():
            if _age_of(entry.job) != entry:
                return False
            jobdir.discard(entry.job)
    except (OSError, NovaError):
        return False
    return True


def _abandoned(root: Path) -> Iterator[Path]:
    """Yield the staged directories that no process has locked and that had no write for an hour."""
    now_s = time.time()
    for path in jobdir.list_staged(root):
        with contextlib.suppress(OSError):
            if not JobDir(path).is_locked() and now_s - max(path.stat().st_mtime, _newest_time_s(path)) > _STAGED_S:
                yield path


def _newest_time_s(path: Path) -> float:
    """Return the time of the newest file in a directory; the lock is ignored, since removing a job creates it."""
    with os.scandir(path) as files:
        return max((f.stat(follow_symlinks=False).st_mtime for f in files if f.name != LOCK), default=0.0)
