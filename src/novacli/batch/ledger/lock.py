"""The lock of a ledger, on a file beside it, for one run at a time; it ends with the process that holds it."""

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
#: Descriptors of the locks of this process.  A forked child closes its copies; otherwise workers that survive a killed
#: run would keep its lock.
_held: set[int] = set()


@contextlib.contextmanager
def locked(ledger: Path, *, wait: bool, until_s: float, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a ledger; a signal whose handler raises an exception ends the wait for it.

    Parameters
    ----------
    ledger
        The ledger's path.
    wait
        True to wait for another run that holds the lock.
    until_s
        When to stop waiting, by ``time.monotonic``.
    say
        Shows a line to the user; called once if there is a wait.

    Raises
    ------
    RetryLaterError
        If another run holds the lock.
    OutputError
        If the file cannot be created.
    """
    path = _path(ledger)
    is_said = False
    fd = _acquired(path)
    while fd is None:
        other = holder(ledger)
        if not wait or time.monotonic() >= until_s:
            raise RetryLaterError(f"another run{other} is solving these frames (ledger {ledger}): try again later")
        if not is_said:
            say(f"waiting for another run{other} over these frames")
            is_said = True
        time.sleep(_POLL_S)
        fd = _acquired(path)
    _held.add(fd)
    try:
        with contextlib.suppress(OSError):  # the lock holds on a full disk too, and the ledger gives the error message
            os.pwrite(fd, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.ftruncate(fd, 0)
        _held.discard(fd)
        os.close(fd)


def is_locked(ledger: Path) -> bool:
    """Return True if a run over a ledger is in progress, on any machine."""
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
    """Return the holder of a lock, in words that follow "another run": `` (pid 4711 on host)``, or empty if unknown.

    A killed run leaves its number in the file, and the next holder may not have written its own yet.
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
    """Return a descriptor that holds the lock, and empty the file; return None if another process holds the lock."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise OutputError(f"{path}: {exc.strerror}: the ledger cannot be kept there; name one by --ledger") from exc
    is_ours = False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # If the file was removed between opening and locking, another run can lock a new one.
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
