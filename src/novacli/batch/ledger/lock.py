"""One run at a time over a ledger: a lock on a file beside it, which dies with the process that holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from novacli.errors import OutputError, RetryLaterError

_POLL_S = 0.2
_HOLDER_BYTES = 300
#: Descriptors of the locks that are held.  A forked child closes its copies: else workers that outlive a killed run
#: would go on holding its lock.
_held: set[int] = set()


@contextlib.contextmanager
def locked(ledger: Path, *, wait: bool, until_s: float, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a ledger; a signal whose handler raises ends the wait for it.

    ``until_s`` is the time of ``time.monotonic`` at which waiting ends; ``say`` hears once that there is a wait.

    Raises
    ------
    RetryLaterError
        Where another run holds it.
    OutputError
        Where the file cannot be made.
    """
    path = _path(ledger)
    is_said = False
    fd = _acquired(path)
    while fd is None:
        other = holder(ledger)
        if not wait or time.monotonic() >= until_s:
            raise RetryLaterError(f"another run{other} is at these frames (ledger {ledger}): try again later")
        if not is_said:
            say(f"waiting for another run{other} over these frames")
            is_said = True
        time.sleep(_POLL_S)
        fd = _acquired(path)
    _held.add(fd)
    try:
        with contextlib.suppress(OSError):  # on a full disk it holds all the same, and the ledger says what is wrong
            os.pwrite(fd, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.ftruncate(fd, 0)
        _held.discard(fd)
        os.close(fd)


def is_locked(ledger: Path) -> bool:
    """Say whether a run over a ledger is going on, on whichever machine."""
    fd = -1
    try:
        fd = os.open(_path(ledger), os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        if fd >= 0:
            os.close(fd)
    return False


def holder(ledger: Path) -> str:
    """Return what is known of the run that holds a lock, as it follows "another run": `` (pid 4711 on host)`` or none.

    A run that was killed leaves its number, and the next holder may not have written its own yet.
    """
    try:
        with _path(ledger).open("rb") as file:
            text = file.read(_HOLDER_BYTES).decode("ascii", "replace")
    except OSError:
        return ""
    match = re.fullmatch(r"([1-9]\d{0,9}) ([A-Za-z0-9._-]+)\n", text)
    if match is None:
        return ""
    if match[2] != socket.gethostname():
        return f" (pid {match[1]} on {match[2]})"
    return f" (pid {match[1]})" if _is_alive(int(match[1])) else ""


def _path(ledger: Path) -> Path:
    return ledger.with_name(f"{ledger.name}.lock")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _acquired(path: Path) -> int | None:
    """Return a descriptor that holds the lock, emptied of what a killed run left in it; None where it is taken."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise OutputError(f"{path}: {exc.strerror}: the ledger cannot be kept there; name one by --ledger") from exc
    is_ours = False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Where somebody removed the file between opening and locking, another run can lock a new one.
        is_ours = os.path.samestat(os.fstat(fd), os.stat(path))  # noqa: PTH116
        if is_ours:
            os.ftruncate(fd, 0)
    except (BlockingIOError, FileNotFoundError):
        return None
    except OSError as exc:
        is_ours = False
        raise OutputError(f"{path}: {exc.strerror}: it cannot be locked there; name another by --ledger") from exc
    finally:
        if not is_ours:
            os.close(fd)
    return fd if is_ours else None


def _close_in_child() -> None:
    for fd in _held:
        with contextlib.suppress(OSError):
            os.close(fd)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)
