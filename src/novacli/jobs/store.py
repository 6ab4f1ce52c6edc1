"""The job directories below one folder: find, list and remove them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from novacli.errors import ConfigError, DataError, DeniedError, InputMissingError, NovaError, UsageError
from novacli.jobs.summaries import JobSummary, read_summary
from solvehost.formats import jobdir
from solvehost.formats.jobdir import REQUEST, JobDir

#: The name that means the newest job.
LAST = "last"
_SHOWN_CANDIDATES = 5


class JobStore:
    """The jobs below one directory, which need not exist."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def summaries(self) -> list[JobSummary]:
        """Return all jobs, newest first.

        Raises
        ------
        DeniedError
            If the directory may not be read.
        ConfigError
            If it is not a directory.
        """
        root = os.fspath(self.root)
        read = (read_summary(root, name) for name in self._directories())
        return sorted((job for job in read if job is not None), key=lambda job: job.order, reverse=True)

    def find(self, name: str) -> JobDir:
        """Return the job called ``name``: an id, a prefix that only one id has, or ``last``.

        Raises
        ------
        InputMissingError
            If there is no such job.
        UsageError
            If several jobs have that prefix.
        """
        if name == LAST:
            return self._newest()
        if jobdir.is_id(name) and self._is_job(name):
            return JobDir(self.root / name)
        matches = self.names(name) if name else []
        if not matches:
            raise InputMissingError(f"{self.root}: there is no job {name[:64]!r}: see nova jobs")
        if len(matches) > 1:
            more = "" if len(matches) <= _SHOWN_CANDIDATES else f" and {len(matches) - _SHOWN_CANDIDATES} more"
            shown = ", ".join(matches[:_SHOWN_CANDIDATES])
            raise UsageError(f"job {name!r} could be {shown}{more}: give more of its id")
        return JobDir(self.root / matches[0])

    def names(self, prefix: str = "") -> list[str]:
        """Return the ids that start with ``prefix``, sorted."""
        return sorted(name for name in self._directories() if name.startswith(prefix) and self._is_job(name))

    def remove(self, job: JobDir) -> int:
        """Remove a job; return the number of bytes freed.

        Raises
        ------
        RetryLaterError
            If a process works on it.
        DataError
            If the directory is not a job directory.
        DeniedError
            If it may not be removed.
        """
        if not self._is_job(job.job_id):
            raise DataError(f"{job.path}: it has no {REQUEST}, so it is not a job directory and was not removed")
        freed_bytes = disk_bytes(job.path)
        try:
            with job.locked():
                jobdir.discard(job)
        except OSError as exc:
            raise DeniedError(f"{job.path}: {exc.strerror}: it cannot be removed") from exc
        return freed_bytes

    def _newest(self) -> JobDir:
        """Return the job with the newest ``job.json``; reading the times of files costs less than reading the files."""
        ages = {name: self._request_time_s(name) for name in self._directories()}
        made = {name: time_s for name, time_s in ages.items() if time_s is not None}
        if not made:
            raise InputMissingError(f"{self.root}: there are no jobs yet: start with nova submit IMAGE")
        return JobDir(self.root / max(made, key=lambda name: made[name]))

    def _request_time_s(self, name: str) -> float | None:
        try:
            return os.stat(f"{self.root}/{name}/{REQUEST}").st_mtime  # noqa: PTH116 - Path costs more
        except OSError:
            return None

    def _is_job(self, name: str) -> bool:
        return self._request_time_s(name) is not None

    def _directories(self) -> list[str]:
        try:
            with os.scandir(self.root) as entries:
                return [e.name for e in entries if jobdir.is_id(e.name) and e.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise _read_error(self.root, exc) from exc


def _read_error(root: Path, exc: OSError) -> NovaError:
    kind = DeniedError if isinstance(exc, PermissionError) else ConfigError
    return kind(f"{root}: {exc.strerror}: jobs cannot be kept there; see nova config show")


def disk_bytes(path: Path) -> int:
    """Return the disk space that a directory takes with its contents, in bytes."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    total += disk_bytes(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total
