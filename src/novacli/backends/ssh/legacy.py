"""Solve on a server that runs the original script, which reads one star list a connection and knows no verbs.

Its engine uses all index files that it has.  So attempts that differ only in their index files or their order are the
same to it, and only one of them is sent.  The script uses a directory again for the same id, so each attempt is sent
under a new id.  The CPU limit of each attempt is a share of the time that is left, so that the first does not use all
of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from novacli.backends.received import put_in_place
from novacli.backends.ssh.limits import TimeUpError
from novacli.backends.ssh.packing import new_wire_id
from novacli.backends.ssh.server import Server
from novacli.records.budget import Budget
from novacli.records.progress import SILENT, Progress
from solvehost import wire
from solvehost.engine import clustering, records
from solvehost.engine.logs import label_of
from solvehost.engine.manifest import build_manifest
from solvehost.engine.records import AttemptOutcome, RaceResult
from solvehost.formats import axy
from solvehost.formats.axy import Attempt, Schedule
from solvehost.formats.jobdir import MANIFEST, WCS, JobDir

#: Each attempt may use this part of the time that is left.
_SHARES = 4
_MIN_CPU_S = 5.0
#: The engine in manifests, as the script does not tell it.
_ENGINE = "unknown"


@dataclass(slots=True)
class TriedAttempts:
    """The attempts of a job that such servers have tried, as their engine sees them, and the outcome of each.

    It is kept from one server to the next, so that no attempt is repeated.
    """

    attempts: list[Attempt] = field(default_factory=list)
    outcomes: list[AttemptOutcome] = field(default_factory=list)


def solve(
    job: JobDir, numbers: Iterator[int], server: Server, budget: Budget, progress: Progress, tried: TriedAttempts
) -> RaceResult:
    """Try attempts one after the other until one solves; leave results and manifest in the job directory.

    Parameters
    ----------
    job
        The job directory.
    numbers
        The numbers of the attempts, best first.
    server
        The server.
    budget
        The limits of the solve.
    progress
        What hears of each step and may cancel.
    tried
        The attempts that such servers have tried; they are skipped, and new ones are added.

    Raises
    ------
    NovaError
        As :meth:`Server.solve`, and if a star list cannot be read or a result cannot be used.
    """
    began = time.monotonic()
    winner, reason = None, "exhausted"
    for number in numbers:
        attempt = axy.read(job.axy(number))
        if _as_engine_sees(attempt) in tried.attempts:
            continue
        label = label_of(job, number)
        progress.observe(f"{label} on {server.name}")
        start = time.monotonic()
        try:
            outcome = _try(job, number, attempt, server, budget, progress)
        except TimeUpError:
            outcome, reason = records.STOPPED, "time-limit"
        tried.attempts.append(_as_engine_sees(attempt))
        tried.outcomes.append(AttemptOutcome(number, label, outcome, round(time.monotonic() - start, 3), 0.0))
        if outcome == records.SOLVED:
            winner, reason = number, "none"
        if reason != "exhausted":
            break
    race = _race(winner, reason, tried, time.monotonic() - began)
    job.write_json(MANIFEST, build_manifest(job, race, engine=_ENGINE))
    return race


def _race(winner: int | None, reason: str, tried: TriedAttempts, seconds: float) -> RaceResult:
    status = "unsolved" if winner is None else records.SOLVED
    return RaceResult(status, reason, winner, tuple(tried.outcomes), (), (), round(seconds, 3), 0.0)


def _as_engine_sees(attempt: Attempt) -> Attempt:
    """Return the attempt without its schedule, which an unmodified engine ignores."""
    return replace(attempt, schedule=Schedule())


def _try(
    job: JobDir, number: int, attempt: Attempt, server: Server, budget: Budget, progress: Progress = SILENT
) -> str:
    left_s = budget.left_s
    limit_s = max(_MIN_CPU_S, left_s / _SHARES) if math.isfinite(left_s) else None
    job_id = new_wire_id(job.job_id)
    sent = axy.to_bytes(replace(attempt, cpu_limit_s=limit_s))
    reply = server.solve(job_id, b"".join(wire.write_request(job_id, {1: sent})), budget, progress)
    if WCS not in reply.files:
        return records.EXHAUSTED
    # The script does not test matches for clustering as a race does, so it is done here.
    is_accepted = put_in_place(
        job, reply.files, number, server.name, lambda folder: clustering.is_doubtful(attempt, folder), sent=[number]
    )
    return records.SOLVED if is_accepted else records.DOUBTFUL
