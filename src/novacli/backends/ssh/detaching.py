"""Leave a job with a server that keeps jobs."""

from __future__ import annotations

import math
from collections.abc import Iterator

from novacli.backends.base import DetachOutcome
from novacli.backends.ssh import packing
from novacli.backends.ssh.failover import Failover
from novacli.backends.ssh.limits import CancelledError, TimeUpError
from novacli.backends.ssh.packing import Packet
from novacli.backends.ssh.server_pool import KnownServer, ServerPool
from novacli.backends.ssh.stored_jobs import Reference
from novacli.errors import NovaError, TransferError, UnavailableError
from novacli.jobs.remote import new_remote, read_remote
from novacli.records.budget import Budget
from novacli.records.progress import SILENT, Progress
from solvehost.formats.jobdir import JobDir


def keeps_no_jobs(name: str) -> str:
    """Return the message about a server that cannot keep jobs."""
    return f"{name}: it runs the original script, which keeps no jobs: submit without --detach, and wait for the result"


def detach(job: JobDir, numbers: Iterator[int], budget: Budget, progress: Progress, pool: ServerPool) -> DetachOutcome:
    """Send all attempts of a job to one server; ``remote.json`` is written first.

    Parameters
    ----------
    job
        The job directory.
    numbers
        The numbers of its attempts; all are prepared before they are sent.
    budget
        Limits the time of the transfer.
    progress
        What hears of each step and may cancel.
    pool
        The servers to try.

    Raises
    ------
    NovaError
        If it is certain that no server has the job.
    """
    prepared = packing.take_ready(job, numbers, budget_s=math.inf)
    # The id stays the same however often the job is sent.  A server that took it before the line broke has it once.
    packet = packing.pack(job, prepared)
    failover = Failover(pool, budget, progress)
    try:
        _, server = failover.run(lambda known: _detach_to(known, job, packet, budget, progress))
    except (NovaError, TimeUpError, CancelledError) as exc:
        remote = read_remote(job)
        if remote is None:
            raise
        # The server may have the job although its answer did not arrive, so no other server is asked to solve it.
        reason = str(exc) or f"{remote.place}: it did not answer in time"
        note = f"{reason}: it is not known whether it has the job; nova fetch finds out, and sends it again if not"
        return DetachOutcome(remote.place, (note,))
    return DetachOutcome(server.name, failover.notes(server))


def _detach_to(known: KnownServer, job: JobDir, packet: Packet, budget: Budget, progress: Progress = SILENT) -> None:
    server = known.server
    if known.is_legacy:
        raise UnavailableError(keeps_no_jobs(server.name))
    progress.observe(f"sending to {server.name}")
    remote = new_remote(job, "ssh", server.name, Reference(server.host, packet.job_id, packet.numbers).to_json())
    remote.write()
    try:
        line = server.detach(packet.request, budget, progress)
    except NovaError as exc:
        # A server that refuses a job does not have it.  A TransferError means that its answer may have been lost.
        if not isinstance(exc, TransferError):
            remote.forget()
        raise
    try:
        server.check_id(line, packet.job_id)
    except TransferError:
        remote.forget()
        raise
