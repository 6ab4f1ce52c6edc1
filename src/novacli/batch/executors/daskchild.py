"""What is done with a frame in the process in which a thread of a Dask worker has its frames solved."""

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
from novacli.records.result import FAILED, Result, error_of

#: What came of a task: its record, or a path that is not seen here.
DONE, UNSEEN = "done", "unseen"
#: A network's file system may show what another machine made only after a while.
_SEEN_S, _LOOK_S = 5.0, 0.5
#: A process that has nothing to do for so long ends: a cluster may live on for days after a run.
_IDLE_S = 300.0


def new_child() -> ChildProcess:
    """Return such a process."""
    return ChildProcess(f"{__name__}:{came_of.__name__}", idle_s=_IDLE_S)


def came_of(task: FrameTask, mark: Path) -> tuple[str, Any]:
    """Do a task, unless ``mark`` goes meanwhile; return a word, and what belongs to it."""
    if not is_seen(task.frame.path):
        return UNSEEN, task.frame.path
    try:
        return DONE, worker.work(task, _ended_by(mark))
    except Exception as exc:
        error = InternalError(fault_text(exc))
        return DONE, TaskOutcome(task.frame, result=Result(task.frame.path, FAILED, error=error_of(error)))


def is_seen(path: str) -> bool:
    """Look for a file, for a while where a network's file system may not show it yet."""
    until_s = time.monotonic() + _SEEN_S
    while not os.path.lexists(path):
        if time.monotonic() > until_s:
            return False
        with contextlib.suppress(OSError):
            os.listdir(os.path.dirname(path))  # noqa: PTH120, PTH208 - has what is cached of it asked for anew
        time.sleep(_LOOK_S)
    return True


def _ended_by(mark: Path) -> Callable[[], bool]:
    """Return what says whether nobody waits any more: the worker is gone, or the mark, looked for twice a second."""
    looked_s, is_gone = time.monotonic(), False

    def cancelled() -> bool:
        nonlocal looked_s, is_gone
        if not is_gone and time.monotonic() - looked_s > _LOOK_S:
            looked_s, is_gone = time.monotonic(), not mark.exists()
        return is_gone or childmain.is_alone()

    return cancelled
