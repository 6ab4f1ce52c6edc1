"""Supervisors: processes that wait for a job to end, and then end everything that it left behind.

A job runs in a chain of three processes: the one that sshd started, which becomes the first supervisor; a second
supervisor; and the worker, which does all the work and starts the engines.  Each supervisor adopts descendants that
lose their parent (PR_SET_CHILD_SUBREAPER), and kills all its descendants once the process below it has ended; the
second one also once the first has ended.  The kernel kills the worker if its supervisor ends.  If any one of the three
is killed, another is left to clean up.  It also finds processes that an engine forked into a session of their own.

This needs Linux.  On other systems the worker runs without supervisors, and cleans up after itself.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import sys
import time
from collections.abc import Iterator

from solvehost.engine import exec_helper
from solvehost.engine.descriptors import close_others
from solvehost.errors import UnavailableError

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
#: Seconds that a worker has for its own cleanup after a signal to stop.
_CLEANUP_S = 1.0
#: Seconds after which a supervisor exits even if descendants that it has killed have not disappeared.
_END_ALL_S = 30.0
_POLL_S = 0.01
#: Interval at which a supervisor looks for the worker's end in case SIGCHLD is blocked, in seconds.
_CHECK_S = 1.0
_CHUNK = 64


def enter_worker() -> None:
    """Return in the worker, with two supervisors above it; they never return, and exit with the worker's exit code.

    Raises
    ------
    UnavailableError
        If no process can be started.
    """
    if not sys.platform.startswith("linux"):
        return
    # The first supervisor alone keeps the write end, so the second one sees the end of the pipe once the first is gone.
    first_alive, write_end = os.pipe()
    exec_helper.prctl(exec_helper.PR_SET_CHILD_SUBREAPER, 1)
    second = _fork()
    if second:
        _supervise(second, None, keep=write_end)
    os.close(write_end)
    exec_helper.prctl(exec_helper.PR_SET_CHILD_SUBREAPER, 1)
    second = os.getpid()
    worker = _fork()
    if worker:
        _supervise(worker, first_alive, keep=first_alive)
    # Only the worker dies with its parent: the second supervisor must outlive the first one to clean up.
    exec_helper.die_with_parent(second, exit_code=128 + signal.SIGKILL)
    os.close(first_alive)


def _fork() -> int:
    try:
        return os.fork()
    except OSError as exc:
        raise UnavailableError(f"no process can be started: {exc.strerror}: check process limits") from exc


def _supervise(child: int, first_alive: int | None, keep: int) -> None:
    """Wait for ``child`` to end, or for the end of the pipe ``first_alive``; then kill all descendants, and exit."""
    _release_files(keep)
    signals = _receive_signals()
    poller = select.poll()
    for fd in (signals, *([] if first_alive is None else [first_alive])):
        poller.register(fd, select.POLLIN)
    deadline = math.inf
    while not _has_ended(child) and (left_s := deadline - time.monotonic()) > 0:
        ready = {fd for fd, _ in poller.poll(1000 * min(left_s, _CHECK_S))}
        if first_alive in ready:
            break
        for number in os.read(signals, _CHUNK) if signals in ready else b"":
            if number in _STOP_SIGNALS:
                os.kill(child, number)  # not reaped yet, so the pid cannot belong to another process
                deadline = min(deadline, time.monotonic() + _CLEANUP_S)
    os._exit(_end_all(child))


def _receive_signals() -> int:
    """Return a descriptor from which the numbers of arriving signals can be read: those to stop, and SIGCHLD.

    A pidfd would report the child's end too, but many builds of Python lack it.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in (*_STOP_SIGNALS, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return read_end


def _has_ended(child: int) -> bool:
    """Return True if the child has ended, without reaping it."""
    try:
        return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # SIGCHLD is ignored, as the program that started this one left it
        return True


def _release_files(keep: int) -> None:
    """Close standard input and output and all other files but ``keep``, so that they end with the worker.

    Otherwise a client would wait for the end of the reply, and locks of the worker would stay taken.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    close_others(keep)


def _end_all(child: int) -> int:
    """Kill and reap all descendants; return the exit code of ``child``, which is 128 + n if signal n ended it."""
    code = 128 + signal.SIGKILL
    deadline = time.monotonic() + _END_ALL_S
    while time.monotonic() < deadline:
        for pid, status in _reap():
            if pid == child:
                exit_code = os.waitstatus_to_exitcode(status)
                code = exit_code if exit_code >= 0 else 128 - exit_code
        remaining = descendants(os.getpid())
        for pid in remaining:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not remaining:
            break
        time.sleep(_POLL_S)
    return code


def _reap() -> Iterator[tuple[int, int]]:
    """Yield pid and wait status of each child that has ended."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            yield pid, status


def descendants(ancestor: int) -> list[int]:
    """Return the pids of all processes that descend from ``ancestor`` now."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - a Path for each process takes longer than reading it
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123
                children.setdefault(int(stat.read().rpartition(b")")[2].split()[1]), []).append(int(name))
    found: list[int] = []
    parents = [ancestor]
    while parents:
        below = children.get(parents.pop(), [])
        found += below
        parents += below
    return found
