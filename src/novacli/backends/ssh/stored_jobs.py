"""Jobs that were left with a server: their states, results and logs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from novacli.backends.base import LOST, RemoteState, SolveOutcome
from novacli.backends.ssh import packing
from novacli.backends.ssh.destinations import SshHost, check_destination
from novacli.backends.ssh.exit_codes import kind_of, no_answer
from novacli.backends.ssh.limits import CancelledError, TimeUpError
from novacli.backends.ssh.packing import Packet
from novacli.backends.ssh.retrying import patiently
from novacli.backends.ssh.server import Server
from novacli.backends.ssh.unpack import unpack
from novacli.errors import InputMissingError, InternalError, UsageError
from novacli.jobs.remote import RemoteJob, damaged_remote
from novacli.records.budget import Budget
from novacli.records.progress import SILENT, Progress
from solvehost.formats.jobdir import MAX_ATTEMPTS, is_id
from solvehost.record import record
from solvehost.wire import JobLine
from solvehost.wire.json_lines import FAILED

#: How long one answer of a server is waited for when results are fetched, and when a person waits for it.
FETCH_S, _ANSWER_S = 120.0, 60.0


@record
class Reference:
    """What identifies a job on a server.

    Attributes
    ----------
    host
        The server.
    wire_id
        The id of the job there.
    numbers
        The job's own numbers of the attempts that were sent, in the order of their numbers there.
    """

    host: SshHost
    wire_id: str
    numbers: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the ``reference`` of ``remote.json``."""
        return {"destination": self.host.destination, "id": self.wire_id, "numbers": list(self.numbers)}


def reference_of(remote: RemoteJob) -> Reference:
    """Parse the reference of a job.

    Raises
    ------
    DataError
        If it is damaged.
    """
    value: Mapping[str, Any] = remote.reference
    try:
        host = SshHost(remote.place, check_destination(value["destination"]))
        numbers = tuple(int(number) for number in value["numbers"])
        is_valid = is_id(value["id"]) and numbers and all(1 <= number <= MAX_ATTEMPTS for number in numbers)
    except (KeyError, TypeError, ValueError, UsageError) as exc:
        raise damaged_remote(remote.job) from exc
    if not is_valid:
        raise damaged_remote(remote.job)
    return Reference(host, value["id"], numbers)


def states(
    server: Server, remotes: Sequence[RemoteJob], budget: Budget, progress: Progress = SILENT
) -> list[RemoteState]:
    """Return the state of each job, from one list of all jobs on the server."""
    with _answering(server):
        jobs = patiently(lambda: server.jobs(budget.at_most(FETCH_S), progress), budget, progress)
    lines = {line.id: line for line in jobs}
    return [_state_of(lines.get(reference_of(remote).wire_id), server) for remote in remotes]


def _state_of(line: JobLine | None, server: Server) -> RemoteState:
    if line is None:
        return RemoteState(LOST)
    if line.state != FAILED:
        return RemoteState(line.state)
    kind = kind_of(line.exit_code or InternalError.exit_code)
    return RemoteState(line.state, kind(f"{server.name}: {line.message or 'the job failed there'}"))


def fetch(server: Server, remote: RemoteJob, budget: Budget, progress: Progress = SILENT) -> SolveOutcome:
    """Put the result of a job into its job directory.

    Raises
    ------
    UnusableReplyError
        If the reply is not the result of a solve.
    NovaError
        If it did not arrive; the server keeps the job.
    """
    reference = reference_of(remote)
    with _answering(server):
        reply = server.fetch(reference.wire_id, budget.at_most(FETCH_S), progress)
    race = unpack(remote.job, Packet(reference.wire_id, reference.numbers, b""), reply, server.name)
    return SolveOutcome(race, server.name)


def detach_again(server: Server, remote: RemoteJob, budget: Budget, progress: Progress = SILENT) -> str:
    """Send a job again under its id, so that a server that still has it does not solve it twice."""
    reference = reference_of(remote)
    packet = packing.pack(remote.job, reference.numbers, reference.wire_id)
    with _answering(server):
        line = server.detach(packet.request, budget.at_most(FETCH_S), progress)
    server.check_id(line, packet.job_id)
    return line.state


def log(server: Server, remote: RemoteJob, *, follow: bool) -> Iterator[str]:
    """Yield the log of a job, safe to print."""
    budget = Budget() if follow else Budget.of_seconds(_ANSWER_S)
    with _answering(server):
        yield from server.log(reference_of(remote).wire_id, budget, follow=follow)


def cancel(server: Server, remote: RemoteJob) -> str:
    """End a job and return its state."""
    with _answering(server):
        return server.cancel(reference_of(remote).wire_id, Budget.of_seconds(_ANSWER_S)).state


def remove(server: Server, remote: RemoteJob) -> None:
    """Remove a finished job; do nothing if the server does not have it."""
    with _answering(server), contextlib.suppress(InputMissingError):
        server.rm(reference_of(remote).wire_id, Budget.of_seconds(_ANSWER_S))


def stored_jobs(server: Server) -> list[JobLine]:
    """Return the user's jobs on a server."""
    with _answering(server):
        return server.jobs(Budget.of_seconds(_ANSWER_S))


@contextlib.contextmanager
def _answering(server: Server) -> Iterator[None]:
    """Turn the end of the waiting time into an error that names the server."""
    try:
        yield
    except (TimeUpError, CancelledError) as exc:
        raise no_answer(server.name) from exc
