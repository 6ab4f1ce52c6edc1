"""Engine tokens: one flock token is one running engine, whoever runs it on this machine.

A job is owed one token and waits for it.  Its race borrows further ones only while they are idle, and returns them
when another job waits (:meth:`Tokens.others_wait`).  Locks die with their process, so nothing needs cleaning up.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from solvehost.errors import BusyError, DiskError

_WAITING = "waiting"
_POLL_S = 0.05
_LOOK_S = 0.001


def default_slots() -> int:
    """Return how many engines may run at once where nobody said: the cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Token:
    """A held token; :meth:`release` gives it back."""

    _fd: int

    def release(self) -> None:
        """Give the token back."""
        os.close(self._fd)


@contextlib.contextmanager
def held(tokens: list[Token]) -> Iterator[list[Token]]:
    """Give back, in the end, those of the tokens that are still in the list."""
    try:
        yield tokens
    finally:
        while tokens:
            tokens.pop().release()


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one machine: ``count`` lock files in ``directory``."""

    directory: Path
    count: int = field(default_factory=default_slots)

    def __post_init__(self) -> None:
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise DiskError(f"{self.directory}: {exc.strerror}: engine slots cannot be kept there") from exc

    def try_acquire(self) -> Token | None:
        """Return an idle token, None where all are in use."""
        for number in range(self.count):
            fd = self._open(f"slot-{number}")
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
            except OSError as exc:
                os.close(fd)
                raise DiskError(f"{self.directory}: {exc.strerror}: engine slots cannot be locked there") from exc
            else:
                return Token(fd)
        return None

    def acquire(self, wait_s: float, cancelled: Callable[[], bool] = lambda: False) -> Token:
        """Return a token, waiting up to ``wait_s`` seconds for one to come free.

        Raises
        ------
        BusyError
            Where none did, or ``cancelled`` says to stop waiting.
        """
        token = self.try_acquire()
        if token is not None:
            return token
        began = time.monotonic()
        waiting = self._open(_WAITING)
        try:
            fcntl.flock(waiting, fcntl.LOCK_SH)
            while time.monotonic() < began + wait_s and not cancelled():
                time.sleep(_POLL_S)
                token = self.try_acquire()
                if token is not None:
                    return token
        finally:
            os.close(waiting)
        waited_s = time.monotonic() - began
        raise BusyError(f"all {self.count} engine slots were in use for {waited_s:.1f} s: try again later")

    def others_wait(self) -> bool:
        """Say whether some job waits for its first token."""
        fd = self._open(_WAITING)
        try:
            for pause_s in (_LOOK_S, 0.0):  # twice: the first may meet another race that only looks, as this one does
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(pause_s)
                else:
                    return False
        finally:
            os.close(fd)
        return True

    def count_held(self) -> int:
        """Return how many tokens are in use just now."""
        held = 0
        for number in range(self.count):
            try:
                fd = os.open(self.directory / f"slot-{number}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except OSError:  # tokens are made in order, as they are needed
                break
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                held += 1
            finally:
                os.close(fd)
        return held

    def _open(self, name: str) -> int:
        try:
            return os.open(self.directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as exc:
            raise DiskError(f"{self.directory / name}: {exc.strerror}: engine slots cannot be kept there") from exc
