"""The child process of a Dask worker, which solves single frames.  Each thread of a worker has such a process."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from novacli.batch.children import childmain
from novacli.batch.children.child import ChildProcess
from novacli.batch.records import FrameTask, TaskOutcome
from novacli.batch.run import worker
from novacli.errors import InternalError, fault_text
from novacli.records.result import Result, error_of
from novacli.records.status import FAILED

#: The first word of an answer.  ``DONE``: the outcome of the task follows.  ``UNSEEN``: a path follows that does not
#: exist on this machine.
DONE, UNSEEN = "done", "unseen"
#: How long, and how often, to look for a file: a network file system may show it late.
_SEEN_S, _LOOK_S = 5.0, 0.5
#: An idle process ends after this time, because a cluster may live for days after a run.
_IDLE_S = 300.0


def new_child() -> ChildProcess:
    """Return a child process that answers with :func:`answer_of`."""
    return ChildProcess(f"{__name__}:{answer_of.__name__}", idle_s=_IDLE_S)


def answer_of(task: FrameTask, mark: Path) -> tuple[str, Any]:
    """Do a task, until the file ``mark`` is removed; return a word and its value."""
    if not is_seen(task.frame.path):
        return UNSEEN, task.frame.path
    try:
        return DONE, worker.work(task, _ended_by(mark))
    except Exception as exc:
        error = InternalError(fault_text(exc))
        return DONE, TaskOutcome(task.frame, result=Result(task.frame.path, FAILED, error=error_of(error)))


def is_seen(path: str) -> bool:
    """Return True if a file exists; wait some seconds for it, because a network file system may show it late."""
    until_s = time.monotonic() + _SEEN_S
    while not os.path.lexists(path):
        if time.monotonic() > until_s:
            return False
        with contextlib.suppress(OSError):
            os.listdir(os.path.dirname(path))  # noqa: PTH120, PTH208 - makes the file system refresh its cache
        time.sleep(_LOOK_S)
    return True


def _ended_by(mark: Path) -> Callable[[], bool]:
    """Return a function that is True once the worker or the file ``mark`` is gone; it checks twice a second."""
    looked_s, is_gone = time.monotonic(), False

    def cancelled() -> bool:
        nonlocal looked_s, is_gone
        if not is_gone and time.monotonic() - looked_s > _LOOK_S:
            looked_s, is_gone = time.monotonic(), not mark.exists()
        return is_gone or childmain.is_alone()

    return cancelled
