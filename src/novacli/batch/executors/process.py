"""A process that works on frames for another one, and ends with it: what it did after that, nobody would know."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from novacli.batch import worker
from novacli.batch.records import Done, Task

_PR_SET_PDEATHSIG = 1

_parent_pid = 0
_is_dismissed = False


class _Dismissed(SystemExit):
    """The parent ends the process: unwinds what it does, so that no half of a file stays."""


def begin(parent_pid: int) -> None:
    """Make this process a worker of the one with that pid."""
    global _parent_pid  # noqa: PLW0603 - of this process
    _parent_pid = parent_pid
    signal.signal(signal.SIGTERM, _dismiss)
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if is_alone():
        os._exit(1)
    gc.set_threshold(50_000)  # as in nova's own main


def _dismiss(_number: int, _frame: FrameType | None) -> None:
    global _is_dismissed  # noqa: PLW0603 - of this process
    _is_dismissed = True
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Where the exception meets a callback that swallows it, the interpreter would say so to whoever reads stderr.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    raise _Dismissed(128 + signal.SIGTERM)


def is_alone() -> bool:
    """Say whether nobody waits for this process's answers any more."""
    return _is_dismissed or os.getppid() != _parent_pid


def work(task: Task, cancelled: Callable[[], bool] = is_alone) -> Done:
    """Do a task; a process that is dismissed meanwhile ends here, whatever would catch it further up."""
    try:
        return worker.work(task, cancelled)
    except _Dismissed:
        os._exit(128 + signal.SIGTERM)


def how(exit_code: int | None) -> str:
    """Return in words how a process ended, to follow "its worker"."""
    if exit_code is None or exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was killed by signal {-exit_code}"
