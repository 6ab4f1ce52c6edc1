"""The server's state directory: where plain jobs are worked on, where each client's detached jobs are kept, and tokens.

::

    STATE/slots/                 a token for each running engine
    STATE/work/.new-TIME-RANDOM/ a plain job; removed once its reply is sent
    STATE/clients/NAME/waiting/  a token for each job that is being sent or waits
    STATE/clients/NAME/connections/  a token for each connection, except those that send a detached job
    STATE/clients/NAME/running/  a token for each running job, if the client has a limit
    STATE/clients/NAME/uploads/  a token for each large upload
    STATE/clients/NAME/jobs/KEY/ a detached job; KEY is derived from client and id by SHA-256

The id that a client chose is never part of a path: it is in ``record.json`` and in the hash that names the directory.

Whether a directory is old enough to be removed follows from what the server wrote: TIME in its name (seconds since
1970, hexadecimal), or the times in ``record.json`` and ``result.json``.  The times of files do not count, since any
process of this user can set them.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import NamedTuple

from solvehost.engine.slots import Token, Tokens
from solvehost.errors import ConfigError, OutputError, RetryLaterError
from solvehost.formats import jobdir
from solvehost.formats.jobdir import JobDir
from solvehost.server.settings import Settings
from solvehost.server.stored_job import StoredJob

#: No job is begun with less free space, or fewer free inodes, than these.
MIN_FREE_BYTES, MIN_FREE_INODES = 32 * 2**20, 64
#: A plain job's directory without a process is a leftover of a crash after this many seconds.
_STALE_S = 60.0
#: Leftovers that one request removes at most, so that no job waits for a large cleanup.
_MAX_SWEPT = 8
#: A stored job counts for at least this towards the quota, so that a client cannot store a million tiny jobs.
_MIN_COUNTED_BYTES = 10**5
#: Limit of result and log of a stored job; this space, or a quarter of a small quota, is reserved until it ends.
_RESULT_BYTES = 16 * 10**6
#: Large uploads of a client at the same time: each one takes up to 60 MB of memory.
_MAX_LARGE_UPLOADS = 4
#: Connections of a client in addition to those of its waiting and running jobs: MaxSessions of a shared connection.
_EXTRA_CONNECTIONS = 64
_DAY_S = 86400.0
_SWEEP_STAMP = ".swept"
_SWEEP_INTERVAL_S = 3600.0


class FreeSpace(NamedTuple):
    """Space on a file system that the server's user may use; ``inodes`` is None if the file system counts none."""

    bytes: int
    inodes: int | None

    @property
    def is_too_little(self) -> bool:
        """Whether no job may begin."""
        return self.bytes < MIN_FREE_BYTES or (self.inodes is not None and self.inodes < MIN_FREE_INODES)


def free_space(path: Path) -> FreeSpace:
    """Return the free space of the file system that holds ``path``."""
    status = os.statvfs(path)
    return FreeSpace(status.f_bavail * status.f_frsize, status.f_favail if status.f_files else None)


class StateDir(NamedTuple):
    """The state directory of a server, with its settings."""

    settings: Settings

    @property
    def path(self) -> Path:
        """The directory."""
        return self.settings.state

    @property
    def work(self) -> Path:
        """The directory of plain jobs."""
        return self.path / "work"

    def open(self) -> StateDir:
        """Make the directory if it is missing, and check that no other user owns it or can write to it.

        Raises
        ------
        ConfigError
            If it belongs to another user, or other users may write to it.
        OutputError
            If it cannot be made.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self.path.lstat()
        except OSError as exc:
            raise OutputError(
                f"{self.path}: {exc.strerror}: create it as a directory of the server's user, with mode 0700"
            ) from exc
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise ConfigError(
                f"{self.path}: it must belong to the server's user, and no other user may write to it: "
                "chown it, and chmod it to 0700"
            )
        return self

    def slots(self) -> Tokens:
        """Return the tokens of running engines, for which clients take turns."""
        return Tokens(self.path / "slots", self.settings.slots, owner=self.settings.client)

    def client(self, name: str | None = None) -> ClientDir:
        """Return the directory of a client, by default of the client in the settings."""
        return ClientDir(self.path / "clients" / (name or self.settings.client), self.settings)

    def clients(self) -> list[str]:
        """Return the names of all clients that have a directory."""
        try:
            return sorted(entry.name for entry in (self.path / "clients").iterdir())
        except FileNotFoundError:
            return []

    def count_waiting(self) -> int:
        """Return the number of jobs of all clients that are being sent or wait."""
        return sum(self.client(name).waiting().count_held() for name in self.clients())

    def stage(self) -> JobDir:
        """Make the directory of a new plain job."""
        return jobdir.create(self.work, _new_id())

    def check_room(self) -> None:
        """Raise if the disk has too little space for a job.

        Raises
        ------
        OutputError
            If fewer than MIN_FREE_BYTES or MIN_FREE_INODES are free.
        """
        free = free_space(self.path)
        if free.bytes < MIN_FREE_BYTES:
            raise OutputError(f"{self.path}: only {free.bytes // 2**20} MiB are free: make room")
        if free.is_too_little:
            raise OutputError(f"{self.path}: only {free.inodes} more files can be created: make room")

    def sweep_stale(self, limit: int = _MAX_SWEPT) -> int:
        """Remove at most ``limit`` plain jobs that a crash left behind; return how many were removed.

        It raises no exception: what another job left behind must not end the one that is being served.
        """
        removed = 0
        with contextlib.suppress(Exception):
            for path in jobdir.list_staged(self.work)[: 4 * limit]:
                with contextlib.suppress(Exception):
                    if removed < limit and _is_stale(path, _STALE_S):
                        jobdir.discard(JobDir(path))
                        removed += 1
        return removed

    def stale(self) -> list[JobDir]:
        """Return the plain jobs that a crash left behind."""
        return [JobDir(path) for path in jobdir.list_staged(self.work) if _is_stale(path, _STALE_S)]


class ClientDir(NamedTuple):
    """A client's part of the state directory."""

    path: Path
    settings: Settings

    @property
    def name(self) -> str:
        """The client's name."""
        return self.path.name

    @property
    def jobs_dir(self) -> Path:
        """The directory of its detached jobs."""
        return self.path / "jobs"

    def waiting(self) -> Tokens:
        """Return the tokens of jobs that are being sent or wait."""
        return Tokens(self.path / "waiting", self.settings.max_waiting)

    def begin_waiting(self) -> Token:
        """Take one of the tokens of waiting jobs.

        Raises
        ------
        RetryLaterError
            If the client has as many waiting jobs as ``max_waiting`` allows.
        """
        token = self.waiting().try_acquire()
        if token is None:
            raise RetryLaterError(
                f"{self.settings.max_waiting} jobs of {self.name} are waiting already: send this one later"
            )
        return token

    def connect(self) -> list[Token]:
        """Take a token of a connection; return no token on a full disk, so that jobs can still be removed.

        Raises
        ------
        RetryLaterError
            If the client has as many open connections as it may: each one is a process.
        """
        limit = self.settings.max_waiting + self.settings.slots + _EXTRA_CONNECTIONS
        try:
            token = Tokens(self.path / "connections", limit).try_acquire()
        except OutputError:
            return []
        if token is None:
            raise RetryLaterError(f"{limit} connections of {self.name} are open already: try again later")
        return [token]

    def running(self) -> Tokens | None:
        """Return the tokens of running jobs, None if there is no limit."""
        limit = self.max_running()
        return None if limit is None else Tokens(self.path / "running", limit, f"places for jobs of {self.name}")

    def max_running(self) -> int | None:
        """Return how many jobs of the client may run at once, None if there is no limit.

        If the settings do not tell, a client leaves one slot to others, if the server has served other clients.
        """
        limit = self.settings.max_running
        if limit is None and self.settings.slots > 1 and self._has_others():
            limit = self.settings.slots - 1
        return limit

    def _has_others(self) -> bool:
        """Return True if the server has served another client."""
        with contextlib.suppress(OSError), os.scandir(self.path.parent) as entries:
            return any(entry.name != self.name for entry in entries)
        return False

    def uploads(self) -> Tokens:
        """Return the tokens of large uploads, which limit the memory that a client takes."""
        return Tokens(self.path / "uploads", _MAX_LARGE_UPLOADS, f"places for large uploads of {self.name}")

    def job(self, job_id: str) -> StoredJob:
        """Return the stored job with this id, which need not exist."""
        import hashlib  # loads OpenSSL, which takes 4 MB of memory in each waiting plain job

        key = hashlib.sha256(f"{self.name}\0{job_id}".encode()).hexdigest()[:32]
        return StoredJob(JobDir(self.jobs_dir / key))

    def stage(self) -> JobDir:
        """Make the directory of a new detached job, which is then renamed to that of :meth:`job`."""
        return jobdir.create(self.jobs_dir, _new_id())

    def stored(self) -> list[StoredJob]:
        """Return all stored jobs, oldest first."""
        jobs = [StoredJob(job) for job in jobdir.list_jobs(self.jobs_dir)]
        return sorted(jobs, key=lambda stored: str(stored.record().get("created", "")))

    def check_quota(self) -> None:
        """Raise if the client's stored jobs take more space than they may.

        The caller has staged and locked a new job before.  It counts, as does every other one that has not ended, with
        the space that its result may take, so jobs that are stored at the same time cannot exceed the limit together.

        Raises
        ------
        OutputError
            If they take more than ``max_stored_mb``.
        """
        jobs = (*jobdir.list_jobs(self.jobs_dir), *map(JobDir, jobdir.list_staged(self.jobs_dir)))
        stored_mb = sum(map(self._counted_bytes, jobs)) / 1e6
        if stored_mb > self.settings.max_stored_mb:
            raise OutputError(
                f"the stored jobs of {self.name} would take {stored_mb:.0f} MB of the {self.settings.max_stored_mb} MB "
                f"allowed, with {self.result_bytes / 1e6:.1f} MB for each result to come: fetch some and remove them"
            )

    @property
    def result_bytes(self) -> int:
        """The space that the result and the log of a stored job may take."""
        return min(_RESULT_BYTES, self.settings.max_stored_mb * 10**6 // 4)

    def _counted_bytes(self, job: JobDir) -> int:
        """Return how much a stored job counts towards the quota."""
        size_bytes = StoredJob(job).size_bytes() + (self.result_bytes if job.is_locked() else 0)
        return max(size_bytes, _MIN_COUNTED_BYTES)

    def sweep_if_due(self) -> None:
        """Remove expired jobs, at most once an hour; raise no exception, so that no request fails because of them."""
        stamp = self.jobs_dir / _SWEEP_STAMP
        with contextlib.suppress(Exception):
            # The time of change (ctime) can be set to the present only.
            is_due = not stamp.exists() or time.time() - stamp.stat().st_ctime > _SWEEP_INTERVAL_S
            if self.jobs_dir.is_dir() and is_due:
                stamp.touch(mode=0o600)
                self.sweep()

    def sweep(self) -> int:
        """Remove expired jobs that no process works on, and leftovers of crashes; return how many jobs were removed."""
        removed = 0
        for stored in self.expired():
            with contextlib.suppress(Exception):  # one that cannot be removed must not keep the others
                if stored.remove():
                    removed += 1
        for job in self.stale():
            with contextlib.suppress(Exception):
                jobdir.discard(job)
        return removed

    def expired(self) -> list[StoredJob]:
        """Return the jobs that ended, or else were stored, over ``keep`` days ago, including those being worked on."""
        oldest_s = time.time() - self.settings.keep * _DAY_S
        return [stored for stored in map(StoredJob, jobdir.list_jobs(self.jobs_dir)) if _is_older(stored, oldest_s)]

    def stale(self) -> list[JobDir]:
        """Return what crashes left behind of jobs that were being stored or removed."""
        return [JobDir(path) for path in jobdir.list_staged(self.jobs_dir) if _is_stale(path, _SWEEP_INTERVAL_S)]


def _new_id() -> str:
    """Return an id with the present time, for a staged directory."""
    return f"{int(time.time()):x}-{jobdir.new_id()}"


def _is_stale(path: Path, age_s: float) -> bool:
    """Return True if a directory exists, no process works on it, and it was made more than ``age_s`` ago."""
    try:
        return time.time() - _made_s(path) > age_s and not JobDir(path).is_locked()
    except OSError:
        return False


def _made_s(path: Path) -> float:
    """Return when a staged directory was made, in seconds since 1970.

    One that is being removed has no time in its name; its time of change (ctime) can be set to the present only.
    """
    changed_s = path.stat().st_ctime
    written, _, rest = JobDir(path).job_id.partition("-")
    try:
        return int(written, 16) if rest else changed_s
    except ValueError:
        return changed_s


def _is_older(stored: StoredJob, than_s: float) -> bool:
    """Return True if a job exists, and ended or else was stored before ``than_s``, in seconds since 1970."""
    try:
        return stored.ended_s() < than_s
    except OSError:
        return False
