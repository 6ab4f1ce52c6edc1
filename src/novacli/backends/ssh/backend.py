"""The ssh backend: solves on the servers of one place, and looks after jobs that were left with them."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence

from novacli.backends.base import DetachOutcome, RemoteState, SolveOutcome
from novacli.backends.ssh import stored_jobs
from novacli.backends.ssh.command import Ssh
from novacli.backends.ssh.destinations import SshHost
from novacli.backends.ssh.detaching import detach, keeps_no_jobs
from novacli.backends.ssh.limits import CancelledError, TimeUpError
from novacli.backends.ssh.retrying import patiently
from novacli.backends.ssh.server import Server
from novacli.backends.ssh.server_pool import KnownServer, ServerPool
from novacli.backends.ssh.solving import ServerSolve
from novacli.config import Config, SettingOrigin
from novacli.errors import NovaError, TransferError, UnavailableError, UsageError
from novacli.indexes.series import LIKELY_INDEXES
from novacli.jobs.remote import RemoteJob, StoredJob
from novacli.parallel.iteration import when_ready
from novacli.records.budget import Budget
from novacli.records.progress import SILENT, Progress
from solvehost.formats.jobdir import JobDir
from solvehost.indexes.index_file import IndexFile

#: How long servers are asked about themselves before anything is prepared for them.  If none can be reached, the error
#: is repeated for as long without asking again, so that each of many images does not wait this long.
_ASK_S = 60.0


def refuse_local_indexes(config: Config) -> None:
    """Raise if the user chose index files of this machine: a server uses its own.

    Raises
    ------
    UsageError
        If ``--index`` or ``--engine-config`` was given.
    """
    for name, option in (("index", "--index"), ("engine_config", "--engine-config")):
        if config.settings[name].origin is SettingOrigin.CALLER:
            raise UsageError(f"{option} is about this machine: a server has its own index files; leave it out")


class SshBackend:
    """The servers of one place; a ``Backend`` and a ``JobKeeper``."""

    def __init__(self, name: str, hosts: Sequence[SshHost], config: Config) -> None:
        self.name = name
        self._hosts = tuple(hosts)
        self._config = config
        self._known: list[KnownServer] = []
        self._last_error: NovaError | None = None
        self._retry_after = 0.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SshBackend) and self._hosts == other._hosts

    def __hash__(self) -> int:
        return hash(self._hosts)

    @functools.cached_property
    def _pool(self) -> ServerPool:
        ssh = Ssh.of(self._config)
        return ServerPool([Server(host, ssh) for host in self._hosts], self._config.folders.cache)

    def _known_servers(self) -> list[KnownServer]:
        if self._known:
            return self._known
        if self._last_error is not None and time.monotonic() < self._retry_after:
            raise type(self._last_error)(str(self._last_error))
        try:
            budget = Budget.of_seconds(min(_ASK_S, self._config["timeout_s"]))
            self._known = patiently(self._pool.known, budget)
        except NovaError as exc:
            self._last_error, self._retry_after = exc, time.monotonic() + _ASK_S
            raise
        return self._known

    # --- Backend ---------------------------------------------------------------------------------------------------

    def index_files(self) -> Sequence[IndexFile] | None:
        """Return the index files of all servers that answer, those of the same name once; None if none tells.

        Raises
        ------
        UnavailableError
            If no server has an index file.
        NovaError
            If no server answers.
        """
        told = [known.index_files() for known in self._known_servers()]
        if all(files is None for files in told):
            return None
        by_name = {f.path.name: f for files in told for f in (LIKELY_INDEXES if files is None else files)}
        if not by_name:
            raise UnavailableError(f"{self.name}: there is no index file on it: ask its administrator")
        return tuple(sorted(by_name.values(), key=lambda f: (f.middle_arcmin, f.path.name)))

    def notes(self) -> Sequence[str]:
        """Return nothing: remarks about servers belong to each solve."""
        return ()

    def solve(
        self, job: JobDir, numbers: Iterator[int | None], budget: Budget, progress: Progress = SILENT
    ) -> SolveOutcome:
        """Solve on one server, on the next if that fails, and again after a pause if all are busy."""
        return ServerSolve(job, when_ready(numbers), budget, progress, self._pool).run()

    # --- JobKeeper -------------------------------------------------------------------------------------------------

    def check_detach(self) -> None:
        """Raise if no server keeps jobs; see :meth:`novacli.backends.base.JobKeeper.check_detach`."""
        if all(known.is_legacy for known in self._known_servers()):
            raise UsageError(keeps_no_jobs(self.name))

    def detach(
        self, job: JobDir, numbers: Iterator[int | None], budget: Budget, progress: Progress = SILENT
    ) -> DetachOutcome:
        """Leave a job with the least busy server that keeps jobs."""
        try:
            return detach(job, when_ready(numbers), budget, progress, self._pool)
        except TimeUpError as exc:
            raise TransferError(f"{self.name}: it did not take the job in time: try again later") from exc
        except CancelledError as exc:
            raise TransferError(f"{self.name}: sending was cancelled") from exc

    def detach_again(self, remote: RemoteJob, budget: Budget, progress: Progress = SILENT) -> str:
        """Send a job again that its server has lost."""
        return stored_jobs.detach_again(self._server_of(remote), remote, budget, progress)

    def states(self, remotes: Sequence[RemoteJob], budget: Budget, progress: Progress = SILENT) -> list[RemoteState]:
        """Return the state of each job of one server."""
        return stored_jobs.states(self._server_of(remotes[0]), remotes, budget, progress) if remotes else []

    def fetch(self, remote: RemoteJob, budget: Budget, progress: Progress = SILENT) -> SolveOutcome:
        """Put the result of a job into its job directory."""
        return stored_jobs.fetch(self._server_of(remote), remote, budget, progress)

    def log(self, remote: RemoteJob, *, follow: bool) -> Iterator[str]:
        """Yield the log of a job."""
        return stored_jobs.log(self._server_of(remote), remote, follow=follow)

    def cancel(self, remote: RemoteJob) -> str:
        """End a job on its server and return its state."""
        return stored_jobs.cancel(self._server_of(remote), remote)

    def remove(self, remote: RemoteJob) -> None:
        """Remove a job from its server."""
        stored_jobs.remove(self._server_of(remote), remote)

    def stored_jobs(self) -> Iterator[tuple[str, list[StoredJob]]]:
        """Yield each server with the user's jobs there."""
        ssh = Ssh.of(self._config)
        for host in self._hosts:
            server = Server(host, ssh)
            if any(known.is_legacy for known in ServerPool([server], self._config.folders.cache).known()):
                raise UsageError(f"{server.name}: it runs the original script, which keeps no jobs")
            yield server.name, [StoredJob(*line) for line in stored_jobs.stored_jobs(server)]

    def _server_of(self, remote: RemoteJob) -> Server:
        return Server(stored_jobs.reference_of(remote).host, Ssh.of(self._config))
