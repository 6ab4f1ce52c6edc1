"""Solves frames in processes on this machine, each of which serves many frames and has a thread that waits for it.

A process that dies or hangs affects its own frame only, even if its disk blocks it in the kernel without end.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from queue import Empty, SimpleQueue

from novacli.batch.children import child, childmain
from novacli.batch.children.child import ChildProcess
from novacli.batch.executors import GRACE_S, WorkerLostError
from novacli.batch.records import FrameTask, RunSetup, TaskOutcome
from novacli.batch.run import worker
from novacli.errors import UnavailableError

#: How many tasks are in reserve for each worker, so that none waits for the loop.
_AHEAD = 1


def open_executor(setup: RunSetup, workers: int, address: str | None) -> _PoolExecutor:
    """Return a pool of at most ``workers`` processes; the first is being started."""
    del address
    return _PoolExecutor(setup, workers)


def work(task: FrameTask) -> TaskOutcome:
    """Do a task, in a process of the pool."""
    return worker.work(task, childmain.is_alone)


class _PoolExecutor:
    def __init__(self, setup: RunSetup, workers: int) -> None:
        self._workers = workers
        self._limit_s = setup.params.limit_s + GRACE_S
        self._waiting: SimpleQueue[tuple[Future[TaskOutcome], FrameTask] | None] = SimpleQueue()
        self._pending: set[Future[TaskOutcome]] = set()
        self._hired: list[tuple[threading.Thread, ChildProcess]] = []
        self._hire()

    @property
    def workers(self) -> int:
        return self._workers

    @property
    def room(self) -> int:
        return self._workers * (1 + _AHEAD)

    def submit(self, tasks: Sequence[FrameTask], to_come: int) -> Sequence[Future[TaskOutcome]]:
        del to_come
        futures: list[Future[TaskOutcome]] = [Future() for _ in tasks]
        self._pending.update(futures)
        for pair in zip(futures, tasks, strict=True):
            self._waiting.put(pair)
        self._hire()
        return futures

    def _hire(self) -> None:
        """Start workers until there is one more than tasks, so that the next task finds a process."""
        while len(self._hired) < min(self._workers, len(self._pending) + 1):
            process = ChildProcess(f"{__name__}:{work.__name__}", is_quiet=True)
            # A daemon, because the interpreter waits for other threads at its end, and this one may hang with its
            # process.
            thread = threading.Thread(target=self._serve, args=(process,), daemon=True)
            try:
                thread.start()
            except RuntimeError as exc:
                if not self._hired:
                    raise UnavailableError(f"no worker can be started: {exc}: check process limits") from exc
                return  # the workers that were started do all tasks
            self._hired.append((thread, process))

    def _serve(self, process: ChildProcess) -> None:
        """Give waiting tasks to one process, until there are no more."""
        process.start()
        while (taken := self._waiting.get()) is not None:
            future, task = taken
            if not future.set_running_or_notify_cancel():
                continue
            with contextlib.suppress(InvalidStateError):  # the pool was closed
                try:
                    done = process.ask(task, limit_s=self._limit_s)
                except Exception as exc:  # any error: a future without a result would be waited for without end
                    future.set_exception(exc)
                else:
                    future.set_result(done)
        process.end()

    def collect(self, future: Future[TaskOutcome]) -> TaskOutcome:
        self._pending.discard(future)
        return future.result()

    def watch(self) -> None:
        pass  # each worker is watched by its thread

    def close(self) -> None:
        released = WorkerLostError("was released", is_frames_fault=False)
        with contextlib.suppress(Empty):
            while True:
                taken = self._waiting.get_nowait()
                if taken is not None and taken[0].set_running_or_notify_cancel():
                    taken[0].set_exception(released)
        for _ in self._hired:
            self._waiting.put(None)
        for future in self._pending:
            # A future that a thread took and has not begun is cancelled; with an exception, the thread would begin it.
            if not future.cancel():
                with contextlib.suppress(InvalidStateError):
                    future.set_exception(released)
        for number in signal.SIGTERM, signal.SIGKILL:
            for _, process in self._hired:
                process.dismiss(number)
            until_s = time.monotonic() + child.GRACE_S
            for thread, _ in self._hired:
                thread.join(max(0.0, until_s - time.monotonic()))
            self._hired = [(thread, process) for thread, process in self._hired if thread.is_alive()]
        # The processes that are left hang in the kernel, and end when it returns.
