"""Guards: processes that wait, and see to it that nothing outlives a job, whoever is killed.

A chain of three: the process that sshd started, a second guard, and the worker, which does all the work and starts the
engines.  Each guard adopts the descendants that lose their parent (child subreaper), and ends them all once the process
below it has ended; the second one also when the first is gone.  The worker asks the kernel to die with its guard.  So
after a kill -9 of any one of them another is left to clean up, and what an engine forks and puts into a session of its
own is found, too.

Linux alone has what this takes; elsewhere the worker runs without guards, and its own clean-up must do.
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

_STOPS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
#: How long a worker that was told to stop has for its own clean-up, in seconds.
_GRACE_S = 1.0
_PATIENCE_S = 30.0
_LOOK_S = 0.01
#: A worker's end is looked for as often as this where no signal tells of it (it may be blocked).
_TICK_S = 1.0
_CHUNK = 64


def enter() -> None:
    """Return as the worker, with two guards above it; the guards never return, but exit as the worker does.

    Raises
    ------
    UnavailableError
        Where no process can be started.
    """
    if not sys.platform.startswith("linux"):
        return
    alive, held = os.pipe()  # ``held`` is in the first guard alone: its end says that the first guard is gone
    exec_helper.prctl(exec_helper.PR_SET_CHILD_SUBREAPER, 1)
    second = _fork()
    if second:
        _watch(second, None, keep=held)
    os.close(held)
    exec_helper.prctl(exec_helper.PR_SET_CHILD_SUBREAPER, 1)
    guard = os.getpid()
    worker = _fork()
    if worker:
        _watch(worker, alive, keep=alive)
    # Of the three the worker alone dies with its parent: the second guard has to outlive the first, and clean up.
    exec_helper.die_with_parent(guard, exit_code=128 + signal.SIGKILL)
    os.close(alive)


def _fork() -> int:
    try:
        return os.fork()
    except OSError as exc:
        raise UnavailableError(f"no process can be started: {exc.strerror}: check process limits") from exc


def _watch(worker: int, alive: int | None, keep: int) -> None:
    """Wait for ``worker`` to end, or the other side of ``alive`` to close; end all that is left, and exit."""
    _let_go_of_files(keep)
    told = _hear_of_signals()
    poller = select.poll()
    for fd in (told, *([] if alive is None else [alive])):
        poller.register(fd, select.POLLIN)
    deadline = math.inf
    while not _has_ended(worker) and (left_s := deadline - time.monotonic()) > 0:
        ready = {fd for fd, _ in poller.poll(1000 * min(left_s, _TICK_S))}
        if alive in ready:
            break
        for number in os.read(told, _CHUNK) if told in ready else b"":
            if number in _STOPS:
                os.kill(worker, number)  # it is not reaped, so the number is still its own
                deadline = min(deadline, time.monotonic() + _GRACE_S)
    os._exit(_end_all(worker))


def _hear_of_signals() -> int:
    """Return a descriptor on which the number of each signal comes in that asks to stop, or says that a child ended.

    A pidfd would say so of the worker alone, but many Pythons are built without.
    """
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    for number in (*_STOPS, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return told


def _has_ended(worker: int) -> bool:
    """Say whether the worker has ended, and leave it to be reaped."""
    try:
        return os.waitid(os.P_PID, worker, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # whoever started this process had it ignore SIGCHLD
        return True


def _let_go_of_files(keep: int) -> None:
    """Leave standard input and output, and the locks of open files, to the worker: where it ends, they are free."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    close_others(keep)


def _end_all(worker: int) -> int:
    """Kill and reap every descendant; return the exit code of ``worker``, 128 + n where signal n ended it."""
    code = 128 + signal.SIGKILL
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        left = False
        for pid, status in _reap():
            if pid == worker:
                found = os.waitstatus_to_exitcode(status)
                code = found if found >= 0 else 128 - found
        for pid in descendants(os.getpid()):
            left = True
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            break
        time.sleep(_LOOK_S)
    return code


def _reap() -> Iterator[tuple[int, int]]:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            yield pid, status


def descendants(ancestor: int) -> list[int]:
    """Return the processes below ``ancestor`` that are there now."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - a Path for each process costs more than the look
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123
                children.setdefault(int(stat.read().rpartition(b")")[2].split()[1]), []).append(int(name))
    found: list[int] = []
    left = [ancestor]
    while left:
        below = children.get(left.pop(), [])
        found += below
        left += below
    return found
