"""The server's state directory: where plain jobs are worked on, where each client's detached jobs are kept, and tokens.

::

    STATE/slots/                 tokens of running engines
    STATE/work/.new-RANDOM/      a plain job, gone once its reply is sent
    STATE/clients/NAME/waiting/  a token for each job that is being sent or waits
    STATE/clients/NAME/connections/  a token for each connection that is not to send a job to be kept
    STATE/clients/NAME/running/  a token for each job that runs, where the client has a limit
    STATE/clients/NAME/jobs/KEY/ a detached job; KEY is made of client and id by SHA-256

A client's id is never a path: it goes into ``record.json``, and into the hash that names the directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path
from typing import NamedTuple

from solvehost.engine.slots import Token, Tokens
from solvehost.errors import BusyError, ConfigError, DiskError, SolvehostError
from solvehost.formats import jobdir
from solvehost.formats.jobdir import JobDir
from solvehost.server.settings import Settings
from solvehost.server.stored_job import StoredJob

#: With less room than this no job is begun.
MIN_FREE_BYTES, MIN_FREE_INODES = 32 * 2**20, 64
_STALE_S = 60.0
#: How many stale directories one start clears away at the most, so that a job never waits for a large clean-up.
_SWEPT_A_START = 8
#: A kept job counts as this at least: a client could make a million small files else, and a list that nobody reads.
_LEAST_COUNTED_BYTES = 10**5
#: Connections of a client beyond those whose jobs wait or run: as many sessions as one shared connection may have.
_MORE_CONNECTIONS = 64
_DAY_S = 86400.0
_SWEEP_STAMP = ".swept"
_SWEEP_EVERY_S = 3600.0


class State(NamedTuple):
    """The state directory of a server, with its settings."""

    settings: Settings

    @property
    def path(self) -> Path:
        """The directory."""
        return self.settings.state

    @property
    def work(self) -> Path:
        """Where plain jobs are worked on."""
        return self.path / "work"

    def open(self) -> State:
        """Make what is missing of it, and see that it is ours alone.

        Raises
        ------
        ConfigError
            Where it is somebody else's, or others may write into it.
        DiskError
            Where it cannot be made.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.path.lstat()
        except OSError as exc:
            raise DiskError(f"{self.path}: {exc.strerror}: make it for the user that solves (mode 0700)") from exc
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise ConfigError(
                f"{self.path}: it must belong to the user that solves, and be writable by no other: "
                f"chown and chmod 0700 it"
            )
        return self

    def slots(self) -> Tokens:
        """Return the tokens of running engines."""
        return Tokens(self.path / "slots", self.settings.slots)

    def client(self, name: str | None = None) -> Client:
        """Return the part of a client, by default of the settings' own."""
        return Client(self.path / "clients" / (name or self.settings.client), self.settings)

    def clients(self) -> list[str]:
        """Return the names of all clients that have been here."""
        try:
            return sorted(entry.name for entry in (self.path / "clients").iterdir())
        except FileNotFoundError:
            return []

    def count_waiting(self) -> int:
        """Return how many jobs are being sent or wait, of all clients."""
        return sum(self.client(name).waiting().count_held() for name in self.clients())

    def check_room(self) -> None:
        """Hold the disk to have room for a job.

        Raises
        ------
        DiskError
            Where it has not.
        """
        found = os.statvfs(self.path)
        free_bytes = found.f_bavail * found.f_frsize
        if free_bytes < MIN_FREE_BYTES:
            raise DiskError(f"{self.path}: only {free_bytes // 2**20} MB are free: make room")
        if found.f_files and found.f_favail < MIN_FREE_INODES:
            raise DiskError(f"{self.path}: only {found.f_favail} files can still be made there: make room")

    def sweep_stale(self, most: int = _SWEPT_A_START) -> int:
        """Remove plain jobs that a crash left, at most so many; return how many went."""
        removed = 0
        for path in jobdir.list_staged(self.work)[: 4 * most]:
            with contextlib.suppress(OSError, SolvehostError):
                if removed < most and _is_left_over(path, _STALE_S):
                    jobdir.discard(JobDir(path))
                    removed += 1
        return removed

    def stale(self) -> list[JobDir]:
        """Return the plain jobs that a crash left."""
        return [JobDir(path) for path in jobdir.list_staged(self.work) if _is_left_over(path, _STALE_S)]


class Client(NamedTuple):
    """What a client has on the server."""

    path: Path
    settings: Settings

    @property
    def name(self) -> str:
        """Its name."""
        return self.path.name

    @property
    def jobs_dir(self) -> Path:
        """Where its detached jobs are kept."""
        return self.path / "jobs"

    def waiting(self) -> Tokens:
        """Return the tokens of jobs that are being sent or wait."""
        return Tokens(self.path / "waiting", self.settings.max_waiting)

    def enter(self) -> Token:
        """Return a token to wait with.

        Raises
        ------
        BusyError
            Where as many jobs of this client wait as may.
        """
        token = self.waiting().try_acquire()
        if token is None:
            raise BusyError(f"{self.settings.max_waiting} jobs of {self.name} wait already: send this one later")
        return token

    def connect(self) -> list[Token]:
        """Return a token of a connection; none where the disk takes none, since to remove jobs must be possible then.

        Raises
        ------
        BusyError
            Where this client has as many as may be: each is a process.
        """
        most = self.settings.max_waiting + self.settings.slots + _MORE_CONNECTIONS
        try:
            token = Tokens(self.path / "connections", most).try_acquire()
        except DiskError:
            return []
        if token is None:
            raise BusyError(f"{most} connections of {self.name} are open already: try again later")
        return [token]

    def running(self) -> Tokens | None:
        """Return the tokens of jobs that run, None where there is no limit."""
        limit = self.settings.max_running
        return None if limit is None else Tokens(self.path / "running", limit, f"places for jobs of {self.name}")

    def job(self, job_id: str) -> StoredJob:
        """Return the stored job of that id, which need not be there."""
        key = hashlib.sha256(f"{self.name}\0{job_id}".encode()).hexdigest()[:32]
        return StoredJob(JobDir(self.jobs_dir / key))

    def stored(self) -> list[StoredJob]:
        """Return all stored jobs, oldest first."""
        found = [StoredJob(job) for job in jobdir.list_jobs(self.jobs_dir)]
        return sorted(found, key=lambda stored: str(stored.record().get("created", "")))

    def check_quota(self) -> None:
        """Hold the client's jobs to the disk that they may take.

        Raises
        ------
        DiskError
            Where they take more.
        """
        sizes = (StoredJob(job).size_bytes() for job in jobdir.list_jobs(self.jobs_dir))
        taken_mb = sum(max(size, _LEAST_COUNTED_BYTES) for size in sizes) / 1e6
        if taken_mb >= self.settings.max_stored_mb:
            raise DiskError(
                f"the jobs of {self.name} take {taken_mb:.0f} MB, and {self.settings.max_stored_mb} MB may be kept: "
                "fetch and remove some"
            )

    def sweep_if_due(self) -> None:
        """Remove jobs beyond their days, if nobody looked for an hour."""
        stamp = self.jobs_dir / _SWEEP_STAMP
        with contextlib.suppress(OSError):
            if self.jobs_dir.is_dir() and (not stamp.exists() or time.time() - stamp.stat().st_mtime > _SWEEP_EVERY_S):
                stamp.touch(mode=0o600)
                self.sweep()

    def sweep(self) -> int:
        """Remove finished and interrupted jobs that nobody touched for as many days as they are kept."""
        removed = 0
        for stored in self.expired():
            with contextlib.suppress(OSError, SolvehostError):
                if stored.remove():
                    removed += 1
        for job in self.stale():
            with contextlib.suppress(OSError):
                jobdir.discard(job)
        return removed

    def expired(self) -> list[StoredJob]:
        """Return the jobs beyond their days, those that somebody works on among them."""
        oldest_s = time.time() - self.settings.keep * _DAY_S
        return [stored for stored in map(StoredJob, jobdir.list_jobs(self.jobs_dir)) if _is_older(stored, oldest_s)]

    def stale(self) -> list[JobDir]:
        """Return what a crash left of jobs that were being stored, or removed."""
        return [JobDir(path) for path in jobdir.list_staged(self.jobs_dir) if _is_left_over(path, _SWEEP_EVERY_S)]


def _is_left_over(path: Path, patience_s: float) -> bool:
    """Say whether nobody works on a directory, and nobody touched it for so many seconds; one that is gone is not."""
    try:
        return time.time() - path.stat().st_mtime > patience_s and not JobDir(path).is_locked()
    except OSError:
        return False


def _is_older(stored: StoredJob, than_s: float) -> bool:
    """Say whether a job was last touched before a time, in seconds since 1970; one that is gone was not."""
    try:
        return stored.touched_s() < than_s
    except OSError:
        return False
