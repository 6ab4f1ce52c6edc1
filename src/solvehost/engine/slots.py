"""Engine tokens: each locked file is one running engine, and all programs on a machine share the same files.

A job is owed one token and waits for it in a queue.  The owners (the clients of a server) take turns: next is the one
that holds the fewest tokens, then the one whose last turn is longest ago; jobs of one owner are served in the order in
which they came.  A race borrows further tokens only while they are idle, and returns them when another job waits
(:meth:`Tokens.others_wait`).

A waiting process sleeps until another one wakes it through a FIFO beside its ticket: a process that releases a token or
leaves the queue wakes those that are next.  Since a killed process wakes none, those that are next also look for a free
token several times a second, and all others about once.  The kernel releases the locks of a process that ends.  A
ticket that a killed process left in the queue is recognised by its free lock, and removed by the next process that
reads the queue.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from pathlib import Path

from solvehost.errors import OutputError, RetryLaterError
from solvehost.record import record

_WAITING, _QUEUE, _TURNS = "waiting", "queue", "turns"
#: The longest sleep of a waiting process, in seconds: of one that is next in the queue, and of all others.
_SLEEP_NEXT_S, _SLEEP_S = 0.2, 1.0
#: A process that has not looked for this long (suspended by Ctrl-Z) is skipped until it looks again.
_ASLEEP_S = 5.0
#: Maximum size of a file of the queue, which contains the name of an owner or a time.
_MAX_BYTES = 100
#: The ending of a ticket's FIFO.
_WAKE = ".wake"
_CREATE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
#: Pause between two checks of a lock that another process may hold only to check it.
_LOOK_S = 0.001


def default_slots() -> int:
    """Return the default number of engines that may run at once: the cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


@record
class Token:
    """A token that this process holds."""

    _fd: int
    _tokens: Tokens

    def release(self) -> None:
        """Give the token back, and wake the process that waits for it."""
        os.close(self._fd)
        self._tokens.wake_next()


@contextlib.contextmanager
def hold(tokens: list[Token]) -> Iterator[list[Token]]:
    """Give back the tokens that are still in the list when the block ends."""
    try:
        yield tokens
    finally:
        while tokens:
            tokens.pop().release()


@record
class Tokens:
    """The tokens of one machine: ``count`` lock files in ``directory``; messages call them ``what``.

    Those who share them take turns by ``owner``.
    """

    directory: Path
    count: int = field(default_factory=default_slots)
    what: str = "engine slots"
    owner: str = ""

    def __post_init__(self) -> None:
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise OutputError(f"{self.directory}: {exc.strerror}: engine slots cannot be kept there") from exc

    def try_acquire(self) -> Token | None:
        """Return an idle token, None if all are in use."""
        for number in range(self.count):
            fd = self._open(f"slot-{number}")
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
            except OSError as exc:
                os.close(fd)
                raise OutputError(f"{self.directory}: {exc.strerror}: engine slots cannot be locked there") from exc
            else:
                _write_note(fd, self.owner)
                return Token(fd, self)
        return None

    def acquire(self, wait_s: float, cancelled: Callable[[], bool] = lambda: False) -> Token:
        """Return a token; wait for one to come free if necessary.

        Parameters
        ----------
        wait_s
            The longest wait, in seconds.
        cancelled
            Called often; the wait ends when it returns True.

        Raises
        ------
        RetryLaterError
            If no token came free in time, or the wait was cancelled.
        """
        token = None if self._has_queue() else self.try_acquire()
        if token is not None:
            self._note_turn()
            return token
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            waiting = self._open(_WAITING)
            stack.callback(os.close, waiting)
            fcntl.flock(waiting, fcntl.LOCK_SH)
            ticket = stack.enter_context(self._ticket())
            while (left_s := began + wait_s - time.monotonic()) > 0 and not cancelled():
                ticket.note_time()
                is_next = ticket.name in self._next_tickets()
                token = self.try_acquire() if is_next else None
                if token is not None:
                    self._note_turn()
                    return token
                ticket.sleep(min(left_s, _SLEEP_NEXT_S if is_next else _SLEEP_S))
        waited_s = time.monotonic() - began
        raise RetryLaterError(f"all {self.count} {self.what} were in use for {waited_s:.1f} s: try again later")

    def others_wait(self) -> bool:
        """Return True if a job waits for its first token."""
        fd = self._open(_WAITING)
        try:
            for pause_s in (_LOOK_S, 0.0):  # twice: another race may hold the lock only to check it
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(pause_s)
                else:
                    return False
        finally:
            os.close(fd)
        return True

    # -- the queue ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _ticket(self) -> Iterator[_Ticket]:
        """Join the queue: a file whose name has its time and owner, locked while this process waits."""
        name = f"{time.monotonic_ns():020d}-{os.getpid()}-{os.urandom(4).hex()}@{self.owner}"
        queue = self.directory / _QUEUE
        queue.mkdir(mode=0o700, exist_ok=True)
        fd = self._open(f"{_QUEUE}/.{name}")  # others ignore a hidden file, which is not locked yet
        ticket = _Ticket(name, fd, _make_fifo(queue / f".{name}{_WAKE}"))
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            ticket.note_time()
            (queue / f".{name}").rename(queue / name)
            yield ticket
        finally:
            _remove_ticket(queue, name)
            ticket.close()
            self.wake_next()

    def wake_next(self) -> None:
        """Wake the processes that are next in the queue; raise no exception, so that a token is always released."""
        with contextlib.suppress(OSError):
            for name in self._next_tickets():
                with contextlib.suppress(OSError):  # it has left the queue, or its FIFO could not be made
                    fd = os.open(self._wake_path(name), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
                    try:
                        os.write(fd, b"!")
                    finally:
                        os.close(fd)

    def _wake_path(self, name: str) -> Path:
        return self.directory / _QUEUE / f".{name}{_WAKE}"

    def _has_queue(self) -> bool:
        return next(self._waiting_tickets(self._ticket_names()), None) is not None

    def _next_tickets(self) -> list[str]:
        """Return the tickets that may look for a token: as many as there are tokens."""
        ordered = self._in_turn(self._ticket_names())
        return [name for name, _ in zip(self._waiting_tickets(ordered), range(self.count), strict=False)]

    def _ticket_names(self) -> list[str]:
        """Return the tickets in the queue, oldest first, including those of killed and suspended processes."""
        try:
            names = os.listdir(self.directory / _QUEUE)  # noqa: PTH208
        except FileNotFoundError:
            return []
        return sorted(name for name in names if not name.startswith("."))

    def _in_turn(self, names: list[str]) -> list[str]:
        """Sort tickets by the turns of their owners: each further job of an owner counts like a token that it holds."""
        owners = {_owner_of(name) for name in names}
        if len(owners) < 2:
            return names
        held = self._count_held_by(owners)
        turns = {owner: self._last_turn(owner) for owner in owners}
        keys = {}
        for name in names:
            owner = _owner_of(name)
            keys[name] = (held[owner], turns[owner], name)
            held[owner] += 1
        return sorted(names, key=keys.__getitem__)

    def _count_held_by(self, owners: Iterable[str]) -> dict[str, int]:
        """Return how many tokens each owner holds."""
        held = dict.fromkeys(owners, 0)
        for number in range(self.count):
            owner = self._note_of_locked(f"slot-{number}")
            if owner in held:
                held[owner] += 1
        return held

    def _last_turn(self, owner: str) -> str:
        """Return when a job of an owner last got its token, as text that sorts by time."""
        try:
            return (self.directory / _TURNS / f"@{owner}").read_text("latin-1")[:_MAX_BYTES]
        except OSError:
            return ""

    def _note_turn(self) -> None:
        """Record that a job of the owner gets its token now."""
        if not self.owner:
            return
        with contextlib.suppress(OSError):  # on a full disk, the order of turns is not worth an error
            (self.directory / _TURNS).mkdir(mode=0o700, exist_ok=True)
            fd = os.open(self.directory / _TURNS / f"@{self.owner}", _CREATE, 0o600)
            try:
                _write_note(fd, f"{time.monotonic_ns():020d}")
            finally:
                os.close(fd)

    def _waiting_tickets(self, names: Iterable[str]) -> Iterator[str]:
        """Yield the tickets whose processes wait, and remove those of killed ones; suspended ones are skipped."""
        for name in names:
            noted = self._note_of_locked(f"{_QUEUE}/{name}")
            if noted is None:
                _remove_ticket(self.directory / _QUEUE, name)
            elif not noted.isdigit() or time.monotonic_ns() - int(noted) < _ASLEEP_S * 1e9:
                yield name

    def _note_of_locked(self, name: str) -> str | None:
        """Return the content of a file, None if it is missing or not locked."""
        try:
            fd = os.open(self.directory / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return os.pread(fd, _MAX_BYTES, 0).decode("latin-1")
        finally:
            os.close(fd)
        return None

    def count_held(self) -> int:
        """Return how many tokens are in use."""
        return sum(self._note_of_locked(f"slot-{number}") is not None for number in range(self.count))

    def _open(self, name: str) -> int:
        try:
            return os.open(self.directory / name, _CREATE, 0o600)
        except OSError as exc:
            raise OutputError(f"{self.directory / name}: {exc.strerror}: engine slots cannot be kept there") from exc


@record
class _Ticket:
    """The ticket of this process: its name, the locked file, and the FIFO that wakes it, None if there is none."""

    name: str
    _fd: int
    _fifo: int | None

    def note_time(self) -> None:
        """Write the time into the ticket, since a process that does not wait for a token any more is skipped.

        The time of the file does not count: an engine can change that, but not the content.
        """
        _write_note(self._fd, f"{time.monotonic_ns():020d}")

    def sleep(self, seconds: float) -> None:
        """Sleep until another process wakes this one, at most for some seconds."""
        if self._fifo is None:
            time.sleep(min(seconds, _SLEEP_NEXT_S))
            return
        poller = select.poll()
        poller.register(self._fifo, select.POLLIN)
        if poller.poll(1000 * seconds):
            with contextlib.suppress(OSError):
                os.read(self._fifo, 4096)

    def close(self) -> None:
        """Close the files."""
        os.close(self._fd)
        if self._fifo is not None:
            os.close(self._fifo)


def _make_fifo(path: Path) -> int | None:
    """Make and open a FIFO; return None if the file system has none."""
    try:
        os.mkfifo(path, 0o600)
        # Open for writing as well: otherwise poll(2) would report for ever that the last writer is gone.
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None


def _remove_ticket(queue: Path, name: str) -> None:
    for path in (queue / f".{name}{_WAKE}", queue / f".{name}", queue / name):
        path.unlink(missing_ok=True)


def _owner_of(ticket: str) -> str:
    return ticket.partition("@")[2]


def _write_note(fd: int, text: str) -> None:
    """Replace the content of a small file, unless it is the same; a full disk is no error."""
    data = text.encode("latin-1")
    with contextlib.suppress(OSError):
        if os.pread(fd, _MAX_BYTES, 0) != data:
            os.pwrite(fd, data, 0)
            os.ftruncate(fd, len(data))
