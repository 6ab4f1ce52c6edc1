"""Who solves the frames of a batch; a new kind is a module here and a line in ``MODULES``.

Each module has ``open_executor(setup: Setup, workers: int, address: str | None) -> Executor``; ``address`` is where
those are that are not here, which may be taken all (``workers`` is 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from importlib import import_module
from typing import Protocol

from novacli.batch.records import FrameTask, RunSetup, TaskOutcome

#: The kind whose workers are on this machine.
HERE = "pool"
#: Kind → module; imported when first asked for.
MODULES = {HERE: "novacli.batch.executors.pool", "dask": "novacli.batch.executors.dask"}
#: What a task may take beyond its own limit before its worker is ended: reading, finding stars, writing outputs.
GRACE_S = 120.0


class WorkerLostError(Exception):
    """The worker ended in the middle of a task; the message says how, in words that follow "its worker".

    ``is_frames_fault`` is False where workers were lost for a reason that has nothing to do with the task.
    """

    def __init__(self, how: str, *, is_frames_fault: bool = True) -> None:
        super().__init__(how)
        self.is_frames_fault = is_frames_fault


class TaskHungError(Exception):
    """A task did not come to an end in the time that it had.

    The message says how long that was, and what became of it, in words that follow "it did not come to an end".
    """


class ExecutorGoneError(Exception):
    """No worker will do any further task; the message says why.  What is left is for the next run."""


class Executor(Protocol):
    """Something that solves tasks side by side, as ``concurrent.futures`` has it."""

    @property
    def workers(self) -> int:
        """How many tasks are worked on at a time."""
        ...

    @property
    def room(self) -> int:
        """How many tasks it should have at a time, so that no worker waits for one."""
        ...

    def submit(self, tasks: Sequence[FrameTask], to_come: int) -> Sequence[Future[TaskOutcome]]:
        """Have tasks done by :func:`novacli.batch.run.worker.work`; returns at once.

        ``to_come`` is how many more there are now, for which there is no room yet.
        """
        ...

    def collect(self, future: Future[TaskOutcome]) -> TaskOutcome:
        """Return what came of a task whose future is done.

        Raises
        ------
        WorkerLostError
            Where its worker died.
        TaskHungError
            Where it took too long.
        NovaError
            Where its worker can do none: it is to be tried again.
        """
        ...

    def watch(self) -> None:
        """Look after the workers; called a few times a second.

        Raises
        ------
        ExecutorGoneError
            Where there are none any more.
        """
        ...

    def close(self) -> None:
        """End the workers: what they still work on is abandoned, within a few seconds.  May be called twice."""
        ...


def open_executor(kind: str, setup: RunSetup, workers: int, address: str | None = None) -> Executor:
    """Return the executor of a kind, its workers on their way."""
    executor: Executor = import_module(MODULES[kind]).open_executor(setup, workers, address)
    return executor
