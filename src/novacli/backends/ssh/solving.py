"""Solve a job on servers: send the attempts that are ready, then the rest, until one of them solves."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace

from novacli.backends.base import SolveOutcome
from novacli.backends.ssh import legacy, packing
from novacli.backends.ssh.exit_codes import NoProgramError
from novacli.backends.ssh.failover import Failover
from novacli.backends.ssh.limits import CancelledError, TimeUpError
from novacli.backends.ssh.server import Server
from novacli.backends.ssh.server_pool import KnownServer, ServerPool
from novacli.backends.ssh.unpack import unpack
from novacli.errors import UnavailableError
from novacli.records.budget import Budget
from novacli.records.progress import Progress
from solvehost.engine.logs import label_of
from solvehost.engine.manifest import build_manifest
from solvehost.engine.records import STOPPED, AttemptOutcome, RaceResult
from solvehost.formats.jobdir import MANIFEST, JobDir


class _AttemptQueue:
    """The attempts of a job: those that were prepared, and how many of them some server has finished."""

    def __init__(self, job: JobDir, numbers: Iterator[int]) -> None:
        self._job = job
        self._numbers = numbers
        self._prepared: list[int] = []
        self._finished = 0

    @property
    def pending(self) -> list[int]:
        """The numbers of the attempts that are prepared and not finished."""
        return self._prepared[self._finished :]

    def prepare(self) -> bool:
        """Prepare more attempts if none is pending; return False if there are no more."""
        if not self.pending:
            self._prepared += packing.take_ready(self._job, self._numbers)
        return bool(self.pending)

    def prepare_each(self) -> Iterator[int]:
        """Yield the pending attempts, then prepare and yield the others one by one."""
        return itertools.chain(self.pending, self._rest())

    def _rest(self) -> Iterator[int]:
        for number in self._numbers:
            self._prepared.append(number)
            yield number

    def finish(self) -> None:
        """Mark the pending attempts as finished."""
        self._finished = len(self._prepared)


class ServerSolve:
    """The solve of one job on the servers of a pool."""

    def __init__(
        self, job: JobDir, numbers: Iterator[int], budget: Budget, progress: Progress, pool: ServerPool
    ) -> None:
        self._job = job
        self._budget, self._progress = budget, progress
        self._queue = _AttemptQueue(job, numbers)
        self._failover = Failover(pool, budget, progress)
        self._began = time.monotonic()
        self._tried_by_script = legacy.TriedAttempts()
        #: The race of the requests before the current one; all their attempts failed.
        self._earlier: RaceResult | None = None
        #: The attempts of the request that a server is working on, and that server.
        self._under_way: tuple[int, ...] = ()
        self._server: Server | None = None

    def run(self) -> SolveOutcome:
        """Return how the race went; results, log and manifest are in the job directory.

        Raises
        ------
        NovaError
            If no server could try the job.
        """
        try:
            race = self._race()
        except TimeUpError:
            race = self._stopped("time-limit")
        except CancelledError:
            race = self._stopped("cancelled")
        except UnavailableError as exc:
            if self._earlier is None or isinstance(exc, NoProgramError):
                raise
            race = self._earlier  # the server has no index file for the remaining attempts
        return SolveOutcome(
            race, None if self._server is None else self._server.name, self._failover.notes(self._server)
        )

    def _race(self) -> RaceResult:
        while self._queue.prepare():
            race, self._server = self._failover.run(self._solve_on)
            if race.reason != "exhausted":
                return race
            self._earlier = race
            self._under_way = ()
            self._queue.finish()
        return self._earlier or self._script_race()

    def _solve_on(self, known: KnownServer) -> RaceResult:
        server = known.server
        self._progress.observe(f"sending to {server.name}")
        if known.is_legacy:
            return legacy.solve(
                self._job, self._queue.prepare_each(), server, self._budget, self._progress, self._tried_by_script
            )
        packet = packing.pack(self._job, self._queue.pending)
        self._under_way, self._server = packet.numbers, server
        reply = server.solve(packet.job_id, packet.request, self._budget, self._progress)
        return unpack(self._job, packet, reply, server.name, self._earlier)

    def _stopped(self, reason: str) -> RaceResult:
        """Write the manifest of a race that was stopped from this side, and return the race."""
        seconds = round(time.monotonic() - self._began, 3)
        before = self._earlier or self._script_race()
        stopped = tuple(AttemptOutcome(n, label_of(self._job, n), STOPPED, seconds, 0.0) for n in self._under_way)
        race = replace(before, reason=reason, attempts=(*before.attempts, *stopped), seconds=seconds)
        self._job.write_json(MANIFEST, build_manifest(self._job, race, engine=""))
        return race

    def _script_race(self) -> RaceResult:
        outcomes = tuple(self._tried_by_script.outcomes)
        return RaceResult("unsolved", "exhausted", None, outcomes, (), (), seconds=0.0, cpu_s=0.0)
