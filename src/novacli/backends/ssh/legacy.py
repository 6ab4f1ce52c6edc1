"""A server that runs upstream's script: it reads one star list a connection, and knows nothing of races or verbs.

Its engine takes all index files that it has, so attempts which differ only in their index files or their turn are the
same to it.  It uses a directory again for the same id, so every attempt goes under a fresh one.  Each attempt gets a
share of the time as its CPU limit, lest the first eat it all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from novacli.backends.ssh.child_process import TimeUpError, Watch
from novacli.backends.ssh.packing import new_wire_id
from novacli.backends.ssh.server import Server
from novacli.backends.ssh.unpack import place
from novacli.errors import from_solvehost
from solvehost import wire
from solvehost.engine import clustering, records
from solvehost.engine.logs import label_of
from solvehost.engine.manifest import build_manifest
from solvehost.engine.records import AttemptOutcome, RaceResult
from solvehost.errors import SolvehostError
from solvehost.formats import axy
from solvehost.formats.axy import Attempt, Schedule
from solvehost.formats.jobdir import MANIFEST, WCS, JobDir

#: Attempts share the time that is left as if there were so many; the last ones get what remains.
_SHARES = 4
_LEAST_CPU_S = 5.0
#: What a manifest names as the engine, which the script does not tell.
_ENGINE = "unknown"


@dataclass(slots=True)
class TriedAttempts:
    """The attempts of a job that such servers have tried, as their engine sees them, and the outcome of each.

    It is kept from one server to the next, so that no attempt is repeated.
    """

    attempts: list[Attempt] = field(default_factory=list)
    outcomes: list[AttemptOutcome] = field(default_factory=list)


def solve(job: JobDir, numbers: Iterator[int], server: Server, watch: Watch, tried: TriedAttempts) -> RaceResult:
    """Try the attempts in turn until one solves; leave results and manifest in ``job``.

    Raises
    ------
    NovaError
        As :meth:`Server.solve`, and where a star list cannot be read or a result cannot be used.
    """
    began = time.monotonic()
    winner, reason = None, "exhausted"
    for number in numbers:
        attempt = _read(job, number)
        if _as_seen_there(attempt) in tried.attempts:
            continue
        label = label_of(job, number)
        watch.observe(f"{label} on {server.name}")
        start = time.monotonic()
        try:
            outcome = _try(job, number, attempt, server, watch)
        except TimeUpError:
            outcome, reason = records.STOPPED, "time-limit"
        tried.attempts.append(_as_seen_there(attempt))
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


def _read(job: JobDir, number: int) -> Attempt:
    try:
        return axy.read(job.axy(number))
    except SolvehostError as exc:
        raise from_solvehost(exc) from exc


def _as_seen_there(attempt: Attempt) -> Attempt:
    """Return the attempt without what a stock engine cannot see."""
    return replace(attempt, schedule=Schedule())


def _try(job: JobDir, number: int, attempt: Attempt, server: Server, watch: Watch) -> str:
    left_s = watch.deadline - time.monotonic()
    limit_s = max(_LEAST_CPU_S, left_s / _SHARES) if math.isfinite(left_s) else None
    job_id = new_wire_id(job.job_id)
    sent = axy.to_bytes(replace(attempt, cpu_limit_s=limit_s))
    reply = server.solve(job_id, b"".join(wire.write_request(job_id, {1: sent})), watch)
    if WCS not in reply.files:
        return records.EXHAUSTED
    # The script asks nobody but the engine; what it says is weighed here as it is in a race.
    is_believed = place(job, reply.files, number, server.name, lambda folder: clustering.is_doubtful(attempt, folder))
    return records.SOLVED if is_believed else records.DOUBTFUL
