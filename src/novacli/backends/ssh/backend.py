"""Solve on a server, over the system's ``ssh``: on the least busy of several, on the next one where it fails."""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from novacli.backends.base import Backend, Patience, Sent, Solve
from novacli.backends.ssh import legacy, packing
from novacli.backends.ssh.command import Ssh
from novacli.backends.ssh.destinations import Place, resolve
from novacli.backends.ssh.exit_codes import PASSED_ON, NoProgramError, may_mend_itself
from novacli.backends.ssh.gate import CancelledError, TimeUpError, Watch
from novacli.backends.ssh.hosts import read_hosts
from novacli.backends.ssh.peers import Peer, Peers, joined
from novacli.backends.ssh.remote_job import forget_remote, read_remote, sending, write_remote
from novacli.backends.ssh.retrying import patiently
from novacli.backends.ssh.server import Server
from novacli.backends.ssh.unpack import unpack
from novacli.config import Config, SettingOrigin
from novacli.errors import NovaError, TransferError, UnavailableError, UsageError
from solvehost.engine.logs import label_of
from solvehost.engine.manifest import build_manifest
from solvehost.engine.records import STOPPED, AttemptOutcome, RaceResult
from solvehost.formats.jobdir import MANIFEST, JobDir
from solvehost.indexes.index_file import IndexFile

T = TypeVar("T")

#: How long servers are asked for what they are, before anything is prepared for them.
_ASK_S = 60.0


def connect(config: Config, place: str) -> Backend:
    """Return the backend of the servers that ``place`` names; nothing is asked of them yet.

    Raises
    ------
    UsageError
        Where ``place`` can name none.
    ConfigError
        Where the file of the known hosts is damaged.
    """
    _refuse_local_indexes(config)
    return SshBackend(place, resolve(place, read_hosts(config), config["pools"]), config)


def _refuse_local_indexes(config: Config) -> None:
    """Hold nobody to believe that a server would take index files from here."""
    for name, option in (("index", "--index"), ("engine_config", "--engine-config")):
        if config.settings[name].origin is SettingOrigin.CALLER:
            raise UsageError(f"{option} is about this machine: a server has its own index files; leave it out")


class SshBackend:
    """The servers of one place."""

    def __init__(self, name: str, places: Sequence[Place], config: Config) -> None:
        self.name = name
        self._places = tuple(places)
        self._config = config
        self._found: list[Peer] = []
        self._trouble: NovaError | None = None
        self._trouble_until = 0.0

    @functools.cached_property
    def _peers(self) -> Peers:
        ssh = Ssh.of(self._config)
        return Peers([Server(place, ssh) for place in self._places], self._config.folders.cache)

    @property
    def _known(self) -> list[Peer]:
        """What is known of the servers; where none can be reached, the next image need not wait as long again."""
        if not self._found:
            if self._trouble is not None and time.monotonic() < self._trouble_until:
                raise type(self._trouble)(str(self._trouble))
            try:
                watch = Watch.of_seconds(min(_ASK_S, self._config["timeout_s"]))
                self._found = patiently(self._peers.known, watch)
            except NovaError as exc:
                self._trouble, self._trouble_until = exc, time.monotonic() + _ASK_S
                raise
        return self._found

    def index_files(self) -> Sequence[IndexFile]:
        """Return the index files of all servers that answer, those of the same name once."""
        files = {f.path.name: f for peer in self._known for f in peer.index_files()}
        if not files:
            raise UnavailableError(f"{self.name}: there is no index file on it: ask who looks after it")
        return tuple(sorted(files.values(), key=lambda f: (f.middle_arcmin, f.path.name)))

    def notes(self) -> Sequence[str]:
        """Return nothing: what is to be said of servers is said of each solve."""
        return ()

    def solve(self, job: JobDir, numbers: Iterator[int], patience: Patience) -> Solve:
        """Try the attempts on a server; on the next one where it fails; again in a while where all are busy."""
        watch = Watch(time.monotonic() + patience.wall_s, patience.observe, patience.cancelled)
        return _Run(job, numbers, watch, self._peers).solve()

    def check_detach(self) -> None:
        """Hold some server to be one that keeps jobs, before anything is prepared for it.

        Raises
        ------
        UsageError
            Where all run upstream's script.
        NovaError
            Where none answers.
        """
        if all(peer.is_legacy for peer in self._known):
            raise UsageError(_keeps_no_jobs(self.name))

    def detach(self, job: JobDir, numbers: Iterator[int], patience: Patience) -> Sent:
        """Leave a job with a server that keeps jobs; ``remote.json`` is there before it is sent."""
        watch = Watch(time.monotonic() + patience.wall_s, patience.observe, patience.cancelled)
        run = _Run(job, numbers, watch, self._peers)
        try:
            return run.detach()
        except TimeUpError as exc:
            raise TransferError(f"{self.name}: it did not take the job in time: try again later") from exc
        except CancelledError as exc:
            raise TransferError(f"{self.name}: sending was cancelled") from exc


def _keeps_no_jobs(name: str) -> str:
    return f"{name}: it runs the original script, which keeps no jobs: submit without --detach, and wait for the result"


@dataclass(slots=True)
class _Run:
    """One job's way through the servers."""

    job: JobDir
    numbers: Iterator[int]
    watch: Watch
    peers: Peers
    taken: list[int] = field(default_factory=list)
    finished: int = 0
    asked: list[int] = field(default_factory=list)
    earlier: RaceResult | None = None
    legacy: legacy.Progress = field(default_factory=legacy.Progress.none)
    failed: dict[Server, NovaError] = field(default_factory=dict)
    given_up: set[Server] = field(default_factory=set)
    began: float = field(default_factory=time.monotonic)
    server: Server | None = None

    def solve(self) -> Solve:
        """Send what is ready, then the rest, until an attempt solves or there is none left."""
        try:
            while self._take():
                race, self.server = self._on_some_server(self._solve_on)
                if race.reason != "exhausted":
                    break
                self.earlier, self.finished, self.asked = race, len(self.taken), []
            else:
                race = self._exhausted()
        except TimeUpError:
            race = self._stopped("time-limit")
        except CancelledError:
            race = self._stopped("cancelled")
        except UnavailableError as exc:
            if self.earlier is None or isinstance(exc, NoProgramError):
                raise
            race = self._exhausted()  # it has no index file for what was left
        return Solve(race, None if self.server is None else self.server.name, self._notes(self.server))

    def detach(self) -> Sent:
        """Send all attempts to one server."""
        self.taken += packing.take_ready(self.job, self.numbers, budget_s=math.inf)
        # One id however often it is sent: a server that took it, though the line broke, has it once.
        packet = packing.pack(self.job, self.taken)
        try:
            _, server = self._on_some_server(lambda peer: self._detach_on(peer, packet))
        except (NovaError, TimeUpError, CancelledError) as exc:
            remote = read_remote(self.job)
            if remote is None:
                raise
            # It may have the job, though its answer did not come: then nobody else should be asked to solve it.
            why = str(exc) or f"{remote.place.name}: it did not answer in time"
            note = f"{why}: it is not known whether it has the job; nova fetch finds out, and sends it again if not"
            return Sent(remote.place.name, (note,))
        return Sent(server.name, self._notes(server))

    def _take(self) -> bool:
        """Make sure that there are attempts to send; say whether there are."""
        if self.finished == len(self.taken):
            self.taken += packing.take_ready(self.job, self.numbers)
        return self.finished < len(self.taken)

    def _on_some_server(self, do: Callable[[Peer], T]) -> tuple[T, Server]:
        def try_all() -> tuple[T, Server]:
            errors: dict[Server, NovaError] = {}
            for peer in self.peers.in_order():
                if peer.server in self.given_up:
                    continue
                self.watch.check()
                try:
                    return do(peer), peer.server
                except PASSED_ON as exc:
                    errors[peer.server] = self.failed[peer.server] = exc
                    self._think_over(peer.server, exc)
            raise joined([*errors.values(), *self._unreached(errors)] or list(self.failed.values()))

        try:
            return patiently(try_all, self.watch)
        except PASSED_ON as exc:
            others = [*self.failed.values(), *self.peers.errors.values()]
            told = [str(exc), *(str(error) for error in others if str(error) not in str(exc))]
            raise type(exc)("; ".join(dict.fromkeys(told))) from exc

    def _think_over(self, server: Server, error: NovaError) -> None:
        if not may_mend_itself(error):
            self.peers.forget(server)
            self.given_up.add(server)
        self.watch.observe(str(error))

    def _unreached(self, errors: dict[Server, NovaError]) -> list[NovaError]:
        asked = {server.name for server in errors}
        return [error for name, error in self.peers.errors.items() if name not in asked]

    def _solve_on(self, peer: Peer) -> RaceResult:
        self.watch.observe(f"sending to {peer.server.name}")
        if peer.is_legacy:
            numbers = itertools.chain(self.taken[self.finished :], self._further())
            return legacy.solve(self.job, numbers, peer.server, self.watch, self.legacy)
        packet = packing.pack(self.job, self.taken[self.finished :])
        self.asked, self.server = list(packet.numbers), peer.server
        reply = peer.server.solve(packet.job_id, packet.request, self.watch)
        return unpack(self.job, packet, reply, peer.server.name, self.earlier)

    def _further(self) -> Iterator[int]:
        for number in self.numbers:
            self.taken.append(number)
            yield number

    def _detach_on(self, peer: Peer, packet: packing.Packet) -> None:
        if peer.is_legacy:
            raise UnavailableError(_keeps_no_jobs(peer.server.name))
        self.watch.observe(f"sending to {peer.server.name}")
        write_remote(self.job, sending(peer.server.place, packet))
        try:
            line = peer.server.detach(packet.request, self.watch)
        except NovaError as exc:
            # Whoever refuses a job does not have it; 74 says that the answer, at least, was lost.
            if not isinstance(exc, TransferError):
                forget_remote(self.job)
            raise
        if line.id != packet.job_id:
            forget_remote(self.job)
            raise TransferError(f"{peer.server.name}: it took the job for another one: do not trust it")

    def _stopped(self, reason: str) -> RaceResult:
        """Return the race as far as it is known where it was ended from here."""
        seconds = round(time.monotonic() - self.began, 3)
        before = self.earlier or self._legacy_race()
        stopped = tuple(AttemptOutcome(n, label_of(self.job, n), STOPPED, seconds, 0.0) for n in self.asked)
        race = replace(before, reason=reason, attempts=(*before.attempts, *stopped), seconds=seconds)
        self.job.write_json(MANIFEST, build_manifest(self.job, race, engine=""))
        return race

    def _exhausted(self) -> RaceResult:
        return self.earlier or self._legacy_race()

    def _legacy_race(self) -> RaceResult:
        return RaceResult("unsolved", "exhausted", None, tuple(self.legacy.outcomes), (), (), 0.0, 0.0)

    def _notes(self, server: Server | None) -> tuple[str, ...]:
        """Return a remark on each server that could not be asked or could not help, and who did."""
        if server is None:
            return tuple(str(error) for error in self.failed.values())
        errors = {name: str(e) for name, e in self.peers.errors.items()} | {
            s.name: str(e) for s, e in self.failed.items()
        }
        return tuple(
            f"{error}; {'asked it again' if name == server.name else f'asked {server.name} instead'}"
            for name, error in errors.items()
        )
