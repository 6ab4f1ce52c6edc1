"""Executors solve the frames of a batch side by side: ``pool`` on this machine, ``dask`` on a cluster.

A new kind is a module here and a line in ``MODULES``.  Each module has ``open_executor(setup: RunSetup, workers: int,
address: str | None) -> Executor``; ``address`` is that of a cluster, and ``workers`` is 0 for all of its workers.
``daskworker`` and ``daskchild`` run on the cluster; ``groups`` and ``mark_file`` keep track of submitted tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from importlib import import_module
from typing import Protocol

from novacli.batch.records import FrameTask, RunSetup, TaskOutcome

#: The kind with its workers on this machine.
HERE = "pool"
#: Kind → module, which is imported when it is used.
MODULES = {HERE: "novacli.batch.executors.pool", "dask": "novacli.batch.executors.dask"}
#: Seconds that a task may take beyond the time limit of the solve, to read the frame, find stars and write outputs.
GRACE_S = 120.0


class WorkerLostError(Exception):
    """The worker ended during a task; the message says how, and follows the words "its worker".

    ``is_frames_fault`` is False if the frame cannot be the reason.
    """

    def __init__(self, how: str, *, is_frames_fault: bool = True) -> None:
        super().__init__(how)
        self.is_frames_fault = is_frames_fault


class TaskHungError(Exception):
    """A task did not end in time; the message states the time limit, and follows "it did not end"."""


class ExecutorGoneError(Exception):
    """No worker can do any more tasks; the message says why.  The remaining frames are left for the next run."""


class Executor(Protocol):
    """Runs tasks side by side, with futures as in ``concurrent.futures``."""

    @property
    def workers(self) -> int:
        """The number of tasks that run at a time."""
        ...

    @property
    def room(self) -> int:
        """The number of tasks that should be submitted at a time, so that no worker waits for one."""
        ...

    def submit(self, tasks: Sequence[FrameTask], to_come: int) -> Sequence[Future[TaskOutcome]]:
        """Have tasks done by :func:`novacli.batch.run.worker.work`; return at once.

        ``to_come`` is the number of further tasks, for which there is no room yet.
        """
        ...

    def collect(self, future: Future[TaskOutcome]) -> TaskOutcome:
        """Return the outcome of a task whose future is done.

        Raises
        ------
        WorkerLostError
            If its worker died.
        TaskHungError
            If it took too long.
        NovaError
            If its worker cannot run any task; the frame is to be tried again.
        """
        ...

    def watch(self) -> None:
        """Check the workers; called a few times a second.

        Raises
        ------
        ExecutorGoneError
            If no worker is left.
        """
        ...

    def close(self) -> None:
        """End the workers and abandon tasks in progress, within a few seconds.  May be called twice."""
        ...


def open_executor(kind: str, setup: RunSetup, workers: int, address: str | None = None) -> Executor:
    """Return an executor of a kind, whose workers are being started."""
    executor: Executor = import_module(MODULES[kind]).open_executor(setup, workers, address)
    return executor
