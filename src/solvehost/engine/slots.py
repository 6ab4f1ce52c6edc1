"""Engine tokens: each locked file is one running engine, and all programs on a machine share the same files.

A job is owed one token and waits for it in a queue, first come, first served.  Its race borrows further ones only
while they are idle, and returns them when another job waits (:meth:`Tokens.others_wait`).  The kernel releases the
locks of a process that ends.  A ticket that a killed process left in the queue is recognised by its free lock, and
removed by the next process that reads the queue.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import field
from pathlib import Path

from solvehost.errors import OutputError, RetryLaterError
from solvehost.record import record

_WAITING, _QUEUE = "waiting", "queue"
#: Seconds between two looks for a token: of a process that is next in the queue, and of all others.
_POLL_NEXT_S, _POLL_S = 0.01, 0.05
#: A process that has not looked for this long (suspended by Ctrl-Z) is skipped until it looks again.
_ASLEEP_S = 2.0
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

    def release(self) -> None:
        """Give the token back."""
        os.close(self._fd)


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
    """The tokens of one machine: ``count`` lock files in ``directory``; messages call them ``what``."""

    directory: Path
    count: int = field(default_factory=default_slots)
    what: str = "engine slots"

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
                return Token(fd)
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
            return token
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            waiting = self._open(_WAITING)
            stack.callback(os.close, waiting)
            fcntl.flock(waiting, fcntl.LOCK_SH)
            ticket, ticket_fd = stack.enter_context(self._ticket())
            while time.monotonic() < began + wait_s and not cancelled():
                os.utime(ticket_fd)
                is_next = self._is_among_first(ticket)
                token = self.try_acquire() if is_next else None
                if token is not None:
                    return token
                time.sleep(_POLL_NEXT_S if is_next else _POLL_S)
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
    def _ticket(self) -> Iterator[tuple[str, int]]:
        """Join the queue: a file whose name sorts by its time, locked while this process waits."""
        name = f"{time.monotonic_ns():020d}-{os.getpid()}-{os.urandom(4).hex()}"
        queue = self.directory / _QUEUE
        queue.mkdir(mode=0o700, exist_ok=True)
        fd = self._open(f"{_QUEUE}/.{name}")  # others ignore a hidden file, which is not locked yet
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            (queue / f".{name}").rename(queue / name)
            yield name, fd
        finally:
            (queue / name).unlink(missing_ok=True)
            os.close(fd)

    def _is_among_first(self, ticket: str) -> bool:
        """Return True if fewer processes wait before this ticket than there are tokens, so that it may look for one."""
        return sum(1 for _ in zip(range(self.count), self._waiting_tickets(before=ticket), strict=False)) < self.count

    def _has_queue(self) -> bool:
        return next(self._waiting_tickets(), None) is not None

    def _waiting_tickets(self, before: str = "~") -> Iterator[str]:
        """Yield the tickets of waiting processes, oldest first, and remove those of killed ones."""
        try:
            names = sorted(os.listdir(self.directory / _QUEUE))  # noqa: PTH208
        except FileNotFoundError:
            return
        for name in names:
            if name >= before:
                return
            age_s = self._age_of_locked(f"{_QUEUE}/{name}")
            if age_s is None and not name.startswith("."):
                (self.directory / _QUEUE / name).unlink(missing_ok=True)
            elif age_s is not None and age_s < _ASLEEP_S:
                yield name

    def _age_of_locked(self, name: str) -> float | None:
        """Return the seconds since a file was touched, None if it is missing or not locked."""
        try:
            fd = os.open(self.directory / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return time.time() - os.fstat(fd).st_mtime
        finally:
            os.close(fd)
        return None

    def count_held(self) -> int:
        """Return how many tokens are in use."""
        return sum(self._age_of_locked(f"slot-{number}") is not None for number in range(self.count))

    def _open(self, name: str) -> int:
        try:
            return os.open(self.directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as exc:
            raise OutputError(f"{self.directory / name}: {exc.strerror}: engine slots cannot be kept there") from exc
