"""What servers say of themselves, kept for a while, and in which order several are asked to solve.

A server's index files are needed before an attempt is planned, and seldom change: its ``info`` is kept for ten
minutes, and forgotten as soon as it fails.  How busy it is changes all the time: of several servers, all are asked at
once before each solve, and those that take long to answer come last.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from novacli.backends.ssh.exit_codes import UnreachedError, may_mend_itself, no_answer
from novacli.backends.ssh.gate import CancelledError, TimeUpError, Watch
from novacli.backends.ssh.server import Server
from novacli.errors import NovaError, RetryLaterError, UnavailableError
from solvehost import wire
from solvehost.errors import SolvehostError
from solvehost.formats.axy import Range
from solvehost.formats.jobdir import write_atomic
from solvehost.indexes.index_file import IndexFile
from solvehost.wire import Info
from solvehost.wire.json_lines import write_line

if TYPE_CHECKING:
    from concurrent.futures import Future

#: How long a server's answer holds.
KEPT_S = 600.0
#: How long one server is waited for, ssh's own time-out for connections and a handshake included.
PATIENCE_S = 20.0
#: How much longer than the first to answer the others may take.
_GRACE_S = 2.0
_MAX_SERVERS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Peer:
    """A server and what it says of itself; ``info`` None is upstream's script."""

    server: Server
    info: Info | None

    @property
    def is_legacy(self) -> bool:
        """Whether it runs upstream's script."""
        return self.info is None

    @property
    def load(self) -> float:
        """Jobs a slot; of upstream's script nothing is known, so it is taken for busy."""
        return 1.0 if self.info is None else self.info.load

    def index_files(self) -> Sequence[IndexFile]:
        """Return the index files there; for upstream's script, those of the series that most have."""
        if self.info is None:
            return LIKELY_INDEXES
        return [_index_file(line) for line in self.info.indexes]


def _index_file(line: wire.IndexLine) -> IndexFile:
    quads = Range(line.low_arcmin, line.high_arcmin)
    return IndexFile(
        Path(line.name), line.index_id, line.healpix, line.nside, quads, line.stars, line.quads, line.size_bytes
    )


#: Quad diameters in arcminutes of the 4100 series. Source: data.astrometry.net.
_SERIES_4100 = {
    4107: (22, 30), 4108: (30, 42), 4109: (42, 60), 4110: (60, 85), 4111: (85, 120), 4112: (120, 170),
    4113: (170, 240), 4114: (240, 340), 4115: (340, 480), 4116: (480, 680), 4117: (680, 1000), 4118: (1000, 1400),
    4119: (1400, 2000),
}  # fmt: skip
LIKELY_INDEXES = tuple(
    IndexFile(Path(f"index-{number}.fits"), number, -1, 1, Range(low, high), 0, 0, 0)
    for number, (low, high) in _SERIES_4100.items()
)


class Peers:
    """The servers of one place, asked when first needed."""

    def __init__(self, servers: Sequence[Server], cache: Path) -> None:
        self.servers = tuple(servers)
        self._cache = _Cache(cache / "servers")
        self.errors: dict[str, NovaError] = {}
        self._given_up: dict[Server, NovaError] = {}

    def known(self) -> list[Peer]:
        """Return what the servers are, as it was known a while ago or as they say now; at least one.

        Raises
        ------
        NovaError
            Where none answers: what is wrong with each.
        """
        kept = {server: self._cache.get(server) for server in self.servers}
        found = [peer for peer in kept.values() if peer is not None]
        if len(found) == len(self.servers):
            return found
        return self.ask([server for server in self.servers if kept[server] is None], found)

    def in_order(self) -> list[Peer]:
        """Return the servers that answer, the least busy first; one alone is not asked again."""
        if len(self.servers) == 1:
            return self.known()
        return sorted(self.ask(self.servers), key=lambda peer: peer.load)

    def ask(self, servers: Sequence[Server], known: Sequence[Peer] = ()) -> list[Peer]:
        """Ask servers, all at once, and return those that answer in time beside those that are known already.

        Raises
        ------
        NovaError
            Where there is none.
        """
        # A login that is refused again and again gets its sender locked out.
        self.errors = {server.name: error for server, error in self._given_up.items()}
        asked = [server for server in servers if server not in self._given_up]
        answered = _ask_all(asked, self.errors)
        for peer in answered:
            self._cache.put(peer)
        found = [*known, *answered]
        for server in asked:
            if server.name in self.errors and not may_mend_itself(self.errors[server.name]):
                self._given_up[server] = self.errors[server.name]
        if not found:
            raise joined(list(self.errors.values()))
        by_server = {peer.server: peer for peer in found}
        return [by_server[server] for server in self.servers if server in by_server]

    def forget(self, server: Server) -> None:
        """Ask a server anew next time."""
        self._cache.drop(server)


def joined(errors: Sequence[NovaError]) -> NovaError:
    """Return one error for several servers: of those that may mend themselves, if there are any, else of all.

    One that is busy gives it its class: it is asked more often than those that are not reached.
    """
    chosen = [e for e in errors if may_mend_itself(e)] or errors
    words = "; ".join(dict.fromkeys(str(e) for e in chosen))
    kind = next((type(e) for e in chosen if not isinstance(e, UnreachedError)), type(chosen[0]))
    return kind(words)


def ask_one(server: Server, watch: Watch) -> Peer:
    """Return what a server says of itself now.

    Raises
    ------
    NovaError
        Where it does not answer, or speaks no version of the protocol that is known here.
    """
    try:
        info = server.info(watch)
    except TimeUpError as exc:
        raise no_answer(server.name) from exc
    if info is not None and wire.PROTOCOL not in info.protocols:
        spoken = ", ".join(map(str, info.protocols)) or "none"
        raise UnavailableError(f"{server.name}: it speaks other versions of the protocol ({spoken}): update nova")
    return Peer(server, info)


def _ask_all(servers: Sequence[Server], errors: dict[str, NovaError]) -> list[Peer]:
    if not servers:
        return []
    if len(servers) == 1:
        return _collect([(servers[0], lambda: ask_one(servers[0], Watch.of_seconds(PATIENCE_S)))], errors)
    from concurrent.futures import ThreadPoolExecutor

    is_over = threading.Event()
    watch = Watch(time.monotonic() + PATIENCE_S, cancelled=is_over.is_set)
    with ThreadPoolExecutor(min(len(servers), _MAX_SERVERS_AT_ONCE)) as pool:
        asked = {server: pool.submit(ask_one, server, watch) for server in servers}
        try:
            _wait_for_most(list(asked.values()))
        finally:
            is_over.set()
        return _collect([(server, future.result) for server, future in asked.items()], errors)


def _wait_for_most(asked: Sequence[Future[Peer]]) -> None:
    """Return when all have answered, or some time after the first that answers well."""
    from concurrent.futures import FIRST_COMPLETED, wait

    pending = set(asked)
    deadline = time.monotonic() + PATIENCE_S
    while pending and (left_s := deadline - time.monotonic()) > 0:
        done, pending = wait(pending, left_s, FIRST_COMPLETED)
        if any(future.exception() is None for future in done):
            deadline = min(deadline, time.monotonic() + _GRACE_S)


def _collect(answers: Sequence[tuple[Server, Callable[[], Peer]]], errors: dict[str, NovaError]) -> list[Peer]:
    found = []
    for server, answer in answers:
        try:
            found.append(answer())
        except CancelledError:
            errors[server.name] = RetryLaterError(f"{server.name}: it did not answer as soon as the others")
        except NovaError as exc:
            errors[server.name] = exc
    return found


class _Cache:
    """What servers said, a file each; a file that is damaged, old or another server's is as none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, server: Server) -> Path:
        key = f"{server.ssh.program}\0{server.place.destination}"
        return self._folder / hashlib.sha256(key.encode()).hexdigest()[:32]

    def get(self, server: Server) -> Peer | None:
        path = self._path(server)
        try:
            age_s = time.time() - path.stat().st_mtime
            text = path.read_bytes()
            info = None if json.loads(text) is None else wire.read_info(text)
        except (OSError, ValueError, RecursionError, SolvehostError):
            return None
        return Peer(server, info) if 0 <= age_s < KEPT_S else None

    def put(self, peer: Peer) -> None:
        with contextlib.suppress(OSError, SolvehostError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            line = b"null\n" if peer.info is None else write_line(peer.info)
            write_atomic(self._path(peer.server), line, durable=False)

    def drop(self, server: Server) -> None:
        with contextlib.suppress(OSError):
            self._path(server).unlink(missing_ok=True)
