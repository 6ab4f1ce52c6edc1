"""One run at a time over a ledger: a lock on a file beside it, which dies with the process that holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from novacli.errors import OutputError, RetryLaterError

_POLL_S = 0.2


@contextlib.contextmanager
def locked(ledger: Path, *, wait: bool, until_s: float, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a ledger.

    ``until_s`` is the time of ``time.monotonic`` at which waiting ends; ``say`` hears once that there is a wait.

    Raises
    ------
    RetryLaterError
        Where another run holds it.
    OutputError
        Where the file cannot be made.
    """
    path = ledger.with_name(f"{ledger.name}.lock")
    try:
        ledger.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise OutputError(f"{path}: {exc.strerror}: the ledger cannot be kept there; name one by --ledger") from exc
    try:
        _take(fd, ledger, wait=wait, until_s=until_s, say=say)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(fd)


def _take(fd: int, ledger: Path, *, wait: bool, until_s: float, say: Callable[[str], None]) -> None:
    is_said = False
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = _holder(fd)
        except OSError as exc:
            raise OutputError(f"{ledger}: {exc.strerror}: it cannot be locked there; name another by --ledger") from exc
        else:
            return
        if not wait or time.monotonic() >= until_s:
            raise RetryLaterError(f"another run{other} is at these frames (ledger {ledger}): try again later")
        if not is_said:
            say(f"waiting for another run{other} over these frames")
            is_said = True
        time.sleep(_POLL_S)


def _holder(fd: int) -> str:
    """Return what is known of the run that holds a lock."""
    text = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
    return f" (pid {text})" if text.isdigit() else ""
