"""How long jobs are kept: finished and interrupted ones beyond the limits go, and what dying processes left.

``nova submit`` calls :func:`sweep_if_due` when its work is done.  It looks once a day, never raises into a solve, and
leaves alone whatever a process works on and whatever it does not know.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from novacli.config import Config
from novacli.errors import NovaError
from novacli.jobs.local_store import LocalStore
from solvehost.errors import SolvehostError
from solvehost.formats import jobdir
from solvehost.formats.jobdir import LOCK, RESULT, JobDir

STAMP = ".swept"
_DAY_S = 86400.0
#: A staged directory is renamed within seconds; nothing was written into one this old for too long to be alive.
_STAGED_S = 3600.0
#: A sweep stops here and goes on at the next call, so that no solve waits long for it.
_BUDGET_S = 2.0


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed; ``is_done`` is False where it stopped early to go on another time."""

    jobs: int
    staged: int
    is_done: bool


@dataclass(frozen=True, slots=True)
class _Kept:
    """A job that nobody works on, as far as a look at its files says; times in seconds since 1970."""

    job: JobDir
    touched_s: float
    is_finished: bool


def sweep_if_due(config: Config) -> Swept | None:
    """Sweep the jobs directory if that was last done more than a day ago; return None where it was not done.

    Errors are kept back: a solve must not fail because an old job cannot be removed.
    """
    root: Path = config["jobs_dir"]
    try:
        if not _take_turn(root):
            return None
        swept = sweep(root, config["keep_days"], config["keep_jobs"])
        if not swept.is_done:
            (root / STAMP).unlink(missing_ok=True)
    except (OSError, NovaError, SolvehostError):
        return None
    return swept


def sweep(root: Path, keep_days: float, keep_jobs: int, budget_s: float = _BUDGET_S) -> Swept:
    """Remove jobs last touched more than ``keep_days`` days ago, and the oldest finished ones beyond ``keep_jobs``.

    Raises
    ------
    NovaError
        Where the jobs directory cannot be read.
    """
    deadline = time.monotonic() + budget_s
    oldest_s = time.time() - keep_days * _DAY_S
    store = LocalStore(root)
    jobs = staged = 0
    for path in _stale_staged(root):
        if time.monotonic() > deadline:
            return Swept(jobs, staged, is_done=False)
        jobdir.discard(JobDir(path))
        staged += 1
    for kept in _beyond_limits(store, oldest_s, keep_jobs):
        if time.monotonic() > deadline:
            return Swept(jobs, staged, is_done=False)
        jobs += _remove(kept)
    return Swept(jobs, staged, is_done=True)


def _take_turn(root: Path) -> bool:
    """Say whether a sweep is due, and set the stamp if so: first, so that calls side by side do not all sweep."""
    if not root.is_dir():
        return False
    stamp = root / STAMP
    age_s = time.time() - stamp.stat().st_mtime if stamp.exists() else _DAY_S
    if 0 <= age_s < _DAY_S:
        return False
    stamp.touch(mode=0o600)
    return True


def _beyond_limits(store: LocalStore, oldest_s: float, keep_jobs: int) -> Iterator[_Kept]:
    """Yield the jobs to remove, oldest first."""
    found = (_look(JobDir(store.root / name)) for name in store.names())
    jobs = sorted((kept for kept in found if kept is not None), key=lambda kept: kept.touched_s)
    too_many = sum(kept.is_finished for kept in jobs) - keep_jobs
    for kept in jobs:
        if kept.touched_s < oldest_s or (kept.is_finished and too_many > 0):
            too_many -= kept.is_finished
            yield kept


def _look(job: JobDir) -> _Kept | None:
    """Return when a job was last touched: when its result was written, else the newest thing in it."""
    try:
        finished_s = _finished_s(job)
        touched_s = _newest_s(job.path) if finished_s is None else finished_s
    except OSError:
        return None
    return _Kept(job, touched_s, is_finished=finished_s is not None)


def _finished_s(job: JobDir) -> float | None:
    try:
        return (job.path / RESULT).stat().st_mtime
    except FileNotFoundError:
        return None


def _remove(kept: _Kept) -> bool:
    """Remove a job unless somebody works on it or has touched it since; say whether it went."""
    try:
        with kept.job.locked():
            if _look(kept.job) != kept:
                return False
            jobdir.discard(kept.job)
    except (OSError, SolvehostError):
        return False
    return True


def _stale_staged(root: Path) -> Iterator[Path]:
    """Yield the staged directories into which nothing was written for an hour, and which nobody holds."""
    now_s = time.time()
    for path in jobdir.list_staged(root):
        with contextlib.suppress(OSError):
            if not JobDir(path).is_locked() and now_s - max(path.stat().st_mtime, _newest_s(path)) > _STAGED_S:
                yield path


def _newest_s(path: Path) -> float:
    """Return when anything in a directory was last written, its lock aside, which whoever removes it makes."""
    with os.scandir(path) as entries:
        return max((e.stat(follow_symlinks=False).st_mtime for e in entries if e.name != LOCK), default=0.0)
