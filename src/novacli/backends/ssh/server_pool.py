"""Several servers: what they told of themselves, and the order in which they are asked to solve.

Attempts are planned for the index files of the servers.  These seldom change, so what a server tells of itself is kept
for ten minutes, and forgotten as soon as the server fails.  How busy a server is changes all the time.  So if there are
several, all are asked at once before each solve, and those that take long to answer are left out.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from novacli.backends.ssh.exit_codes import UnreachedError, is_temporary, no_answer
from novacli.backends.ssh.limits import CancelledError, TimeUpError
from novacli.backends.ssh.server import Server
from novacli.errors import NovaError, OutputError, RetryLaterError, UnavailableError
from novacli.files.atomic import write_file
from novacli.records.budget import Budget
from novacli.records.progress import SILENT, Progress
from solvehost import wire
from solvehost.formats.axy import Range
from solvehost.indexes.index_file import IndexFile
from solvehost.record import record
from solvehost.wire import Info
from solvehost.wire.json_lines import write_line

if TYPE_CHECKING:
    from concurrent.futures import Future

#: How long the answer of a server is kept.
MAX_AGE_S = 600.0
#: How long one server is waited for, including the time to connect and log in.
ASK_ONE_S = 20.0
#: How much longer than the first server to answer the others are waited for.
_GRACE_S = 2.0
_MAX_THREADS = 32


@record
class KnownServer:
    """A server, and what it told of itself; ``info`` is None for a server that runs the original script."""

    server: Server
    info: Info | None

    @property
    def is_legacy(self) -> bool:
        """Whether it runs the original script."""
        return self.info is None

    @property
    def load(self) -> float:
        """Jobs per slot.  The original script does not tell, so such a server counts as busy."""
        return 1.0 if self.info is None else self.info.load

    def index_files(self) -> Sequence[IndexFile] | None:
        """Return the index files there; None for the original script, which does not tell."""
        if self.info is None:
            return None
        return [_index_file(line) for line in self.info.indexes]


def _index_file(line: wire.IndexLine) -> IndexFile:
    quads = Range(line.low_arcmin, line.high_arcmin)
    return IndexFile(
        Path(line.name), line.index_id, line.healpix, line.nside, quads, line.stars, line.quads, line.size_bytes
    )


class ServerPool:
    """The servers of one place.  They are asked about themselves when that is first needed.

    ``cache`` is the user's cache folder.  ``errors`` holds, by server name, why servers did not answer when they were
    last asked.
    """

    def __init__(self, servers: Sequence[Server], cache: Path) -> None:
        self.servers = tuple(servers)
        self.errors: dict[str, NovaError] = {}
        self._cache = _Cache(cache / "servers")
        self._given_up: dict[Server, NovaError] = {}

    def known(self) -> list[KnownServer]:
        """Return the servers with what they told in the last minutes or tell now; at least one.

        Raises
        ------
        NovaError
            If none answers; the message names the error of each.
        """
        cached = {server: self._cache.get(server) for server in self.servers}
        found = [known for known in cached.values() if known is not None]
        if len(found) == len(self.servers):
            return found
        return self.ask([server for server in self.servers if cached[server] is None], found)

    def in_order(self) -> list[KnownServer]:
        """Return the servers that answer, the least busy first.  A single server is not asked again."""
        if len(self.servers) == 1:
            return self.known()
        return sorted(self.ask(self.servers), key=lambda known: known.load)

    def ask(self, servers: Sequence[Server], cached: Sequence[KnownServer] = ()) -> list[KnownServer]:
        """Ask servers at once; return those that answer in time and ``cached`` ones, in the order of the place.

        Raises
        ------
        NovaError
            If there are none.
        """
        # A client whose login is refused again and again is locked out, so such a server is not asked again.
        self.errors = {server.name: error for server, error in self._given_up.items()}
        asked = [server for server in servers if server not in self._given_up]
        answered = _ask_all(asked, self.errors)
        for known in answered:
            self._cache.put(known)
        for server in asked:
            if server.name in self.errors and not is_temporary(self.errors[server.name]):
                self._given_up[server] = self.errors[server.name]
        by_server = {known.server: known for known in (*cached, *answered)}
        if not by_server:
            raise joined(list(self.errors.values()))
        return [by_server[server] for server in self.servers if server in by_server]

    def forget(self, server: Server) -> None:
        """Forget what a server told, so that it is asked next time."""
        self._cache.drop(server)


def joined(errors: Sequence[NovaError]) -> NovaError:
    """Return one error for several servers.

    If asking some of them again may help, only their errors count.  The class is that of a busy server if there is one,
    since that is asked more often than one that is out of reach.
    """
    chosen = [error for error in errors if is_temporary(error)] or errors
    message = "; ".join(dict.fromkeys(str(error) for error in chosen))
    kind = next((type(error) for error in chosen if not isinstance(error, UnreachedError)), type(chosen[0]))
    return kind(message)


def ask_one(server: Server, budget: Budget, progress: Progress = SILENT) -> KnownServer:
    """Ask a server about itself.

    Raises
    ------
    NovaError
        If it does not answer, or speaks only versions of the protocol that are unknown here.
    """
    try:
        info = server.info(budget, progress)
    except TimeUpError as exc:
        raise no_answer(server.name) from exc
    if info is not None and wire.PROTOCOL not in info.protocols:
        spoken = ", ".join(map(str, info.protocols)) or "none"
        raise UnavailableError(f"{server.name}: it speaks other versions of the protocol ({spoken}): update nova")
    return KnownServer(server, info)


def _ask_all(servers: Sequence[Server], errors: dict[str, NovaError]) -> list[KnownServer]:
    """Ask servers at once; return those that answered, and put the errors of the others into ``errors``."""
    if not servers:
        return []
    if len(servers) == 1:
        return _collect([(servers[0], lambda: ask_one(servers[0], Budget.of_seconds(ASK_ONE_S)))], errors)
    from concurrent.futures import ThreadPoolExecutor

    is_over = threading.Event()
    budget, progress = Budget.of_seconds(ASK_ONE_S), Progress(cancelled=is_over.is_set)
    with ThreadPoolExecutor(min(len(servers), _MAX_THREADS)) as executor:
        futures = {server: executor.submit(ask_one, server, budget, progress) for server in servers}
        try:
            _wait_for_most(list(futures.values()))
        finally:
            is_over.set()
        return _collect([(server, future.result) for server, future in futures.items()], errors)


def _wait_for_most(futures: Sequence[Future[KnownServer]]) -> None:
    """Return when all servers have answered, or some time after the first that answered without an error."""
    from concurrent.futures import FIRST_COMPLETED, wait

    pending = set(futures)
    deadline = time.monotonic() + ASK_ONE_S
    while pending and (left_s := deadline - time.monotonic()) > 0:
        done, pending = wait(pending, left_s, FIRST_COMPLETED)
        if any(future.exception() is None for future in done):
            deadline = min(deadline, time.monotonic() + _GRACE_S)


def _collect(
    answers: Sequence[tuple[Server, Callable[[], KnownServer]]], errors: dict[str, NovaError]
) -> list[KnownServer]:
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
    """What servers told of themselves, a file for each; a file that is damaged or old counts as missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, server: Server) -> Path:
        key = f"{server.ssh.program}\0{server.host.destination}"
        return self._folder / hashlib.sha256(key.encode()).hexdigest()[:32]

    def get(self, server: Server) -> KnownServer | None:
        path = self._path(server)
        try:
            age_s = time.time() - path.stat().st_mtime
            text = path.read_bytes()
            info = None if json.loads(text) is None else wire.read_info(text)
        except (OSError, ValueError, RecursionError, NovaError):
            return None
        return KnownServer(server, info) if 0 <= age_s < MAX_AGE_S else None

    def put(self, known: KnownServer) -> None:
        with contextlib.suppress(OSError, OutputError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            line = b"null\n" if known.info is None else write_line(known.info)
            write_file(self._path(known.server), line, durable=False)

    def drop(self, server: Server) -> None:
        with contextlib.suppress(OSError):
            self._path(server).unlink(missing_ok=True)
