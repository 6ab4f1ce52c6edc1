"""Workers on this machine: processes that live on from frame to frame, each with a thread that waits for it alone.

So one that dies or hangs takes its own frame along and no other, even where its disk holds it in the kernel for ever.
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

#: Tasks that lie ready for each worker, so that none waits for the one who hands them out.
_AHEAD = 1


def open_executor(setup: RunSetup, workers: int, address: str | None) -> _PoolExecutor:
    """Return a pool of so many processes at most, of which the first is on its way."""
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
        """Have one worker more than there are tasks, so that the next one need not wait for a process to start."""
        while len(self._hired) < min(self._workers, len(self._pending) + 1):
            process = ChildProcess(f"{__name__}:{work.__name__}", is_quiet=True)
            # A daemon: the interpreter waits for no other thread at its end, and this one may hang with its process.
            thread = threading.Thread(target=self._serve, args=(process,), daemon=True)
            try:
                thread.start()
            except RuntimeError as exc:
                if not self._hired:
                    raise UnavailableError(f"no worker can be started: {exc}: check process limits") from exc
                return  # those that are there do all
            self._hired.append((thread, process))

    def _serve(self, process: ChildProcess) -> None:
        """Have one process do what waits, until there is no more."""
        process.start()
        while (taken := self._waiting.get()) is not None:
            future, task = taken
            if not future.set_running_or_notify_cancel():
                continue
            with contextlib.suppress(InvalidStateError):  # the pool was closed
                try:
                    done = process.ask(task, limit_s=self._limit_s)
                except Exception as exc:  # whatever it is: who is told nothing waits for ever
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
        let_go = WorkerLostError("was let go", is_frames_fault=False)
        with contextlib.suppress(Empty):
            while True:
                taken = self._waiting.get_nowait()
                if taken is not None and taken[0].set_running_or_notify_cancel():
                    taken[0].set_exception(let_go)
        for _ in self._hired:
            self._waiting.put(None)
        for future in self._pending:
            # One that a thread took and has not begun is cancelled: to end it would have the thread begin what is done.
            if not future.cancel():
                with contextlib.suppress(InvalidStateError):
                    future.set_exception(let_go)
        for number in signal.SIGTERM, signal.SIGKILL:
            for _, process in self._hired:
                process.dismiss(number)
            until_s = time.monotonic() + child.GRACE_S
            for thread, _ in self._hired:
                thread.join(max(0.0, until_s - time.monotonic()))
            self._hired = [(thread, process) for thread, process in self._hired if thread.is_alive()]
        # What is left hangs in the kernel, and ends when that lets it go.
