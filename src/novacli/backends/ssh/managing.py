"""What else can be done about a job that a server has: read its log, end it, remove it."""

from __future__ import annotations

from collections.abc import Iterator

from novacli.backends.ssh.command import Ssh
from novacli.backends.ssh.destinations import resolve
from novacli.backends.ssh.exit_codes import no_answer
from novacli.backends.ssh.gate import TimeUpError, Watch
from novacli.backends.ssh.hosts import read_hosts
from novacli.backends.ssh.peers import Peers
from novacli.backends.ssh.remote_job import RemoteJob, read_remote
from novacli.backends.ssh.server import Server
from novacli.config import Config
from novacli.errors import InputMissingError, UsageError
from solvehost.formats.jobdir import RESULT, JobDir
from solvehost.wire import JobLine

_ANSWER_S = 60.0


def where_is(job: JobDir) -> RemoteJob | None:
    """Return where an unfinished job is, None where no server has it.

    Raises
    ------
    DataError
        Where the record is damaged.
    """
    return None if (job.path / RESULT).exists() else read_remote(job)


def jobs_on(place: str, config: Config) -> Iterator[tuple[str, list[JobLine]]]:
    """Yield each server that a place names, with the jobs that it has of the caller's.

    Raises
    ------
    UsageError
        Where a server runs the original script, which keeps no jobs.
    NovaError
        Where a server does not say.
    """
    ssh = Ssh.of(config)
    for found in resolve(place, read_hosts(config), config["pools"]):
        server = Server(found, ssh)
        if any(peer.is_legacy for peer in Peers([server], config.folders.cache).known()):
            raise UsageError(f"{server.name}: it runs the original script, which keeps no jobs")
        try:
            yield server.name, server.jobs(Watch.of_seconds(_ANSWER_S))
        except TimeUpError as exc:
            raise no_answer(server.name) from exc


def remote_log(remote: RemoteJob, ssh: Ssh, *, follow: bool) -> Iterator[str]:
    """Yield the log of a job on its server, safe to print.

    Raises
    ------
    NovaError
        Where the server does not give it.
    """
    server = Server(remote.place, ssh)
    watch = Watch() if follow else Watch.of_seconds(_ANSWER_S)
    try:
        yield from server.log(remote.wire_id, watch, follow=follow)
    except TimeUpError as exc:
        raise no_answer(server.name) from exc


def cancel_job(job: JobDir, ssh: Ssh) -> str | None:
    """End a job on its server; return the state that it is in then, None where no server has it.

    Raises
    ------
    NovaError
        Where the server does not.
    """
    remote = where_is(job)
    if remote is None:
        return None
    server = Server(remote.place, ssh)
    try:
        return server.cancel(remote.wire_id, Watch.of_seconds(_ANSWER_S)).state
    except TimeUpError as exc:
        raise no_answer(server.name) from exc


def remove_there(remote: RemoteJob, ssh: Ssh) -> None:
    """End and remove a job on its server; one that is not there is done with.

    Raises
    ------
    NovaError
        Where the server does not.
    """
    server = Server(remote.place, ssh)
    try:
        server.cancel(remote.wire_id, Watch.of_seconds(_ANSWER_S))
        server.rm(remote.wire_id, Watch.of_seconds(_ANSWER_S))
    except InputMissingError:
        return
    except TimeUpError as exc:
        raise no_answer(server.name) from exc
