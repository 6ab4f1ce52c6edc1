"""Workers on this machine: processes that live on from frame to frame, each watched by itself.

The standard library's pool fails every pending task where one worker dies; ``pebble`` fails the one that it died over,
and ends a worker whose task takes too long.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

from novacli.batch.executors import GRACE_S, TaskHungError, WorkerLostError, process
from novacli.batch.records import Done, Setup, Task
from novacli.errors import InternalError

if TYPE_CHECKING:
    from pebble import ProcessPool

#: Tasks that lie ready for each worker, so that none waits for the parent.
_AHEAD = 1
#: Where so many pools were lost one after the other, and no task was done in between, something is wrong for all.
_MOST_LOST_POOLS = 3


def open_executor(setup: Setup, workers: int, address: str | None) -> _Pool:
    """Return a pool of so many processes; they are started with the first task."""
    del address
    return _Pool(setup, workers)


class _Pool:
    def __init__(self, setup: Setup, workers: int) -> None:
        self._workers = workers
        self._limit_s = setup.params.timeout_s + GRACE_S
        self._pending: set[Future[Done]] = set()
        self._lost_pools = 0
        self._last_news_s = time.monotonic()
        self._pool = self._make()

    def _make(self) -> ProcessPool:
        from pebble import ProcessPool

        # Where this process is killed, multiprocessing's own helper would say so to whoever reads stderr.
        os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
        # Spawned, not forked: a worker has one thread, so engines start by a fork, and copies no lock that is held.
        context: Any = multiprocessing.get_context("spawn")
        return ProcessPool(self._workers, initializer=process.begin, initargs=(os.getpid(),), context=context)

    @property
    def workers(self) -> int:
        return self._workers

    @property
    def room(self) -> int:
        return self._workers * (1 + _AHEAD)

    def submit(self, tasks: Sequence[Task], to_come: int) -> Sequence[Future[Done]]:
        del to_come
        return [self._submit(task) for task in tasks]

    def _submit(self, task: Task) -> Future[Done]:
        if not self._pending:
            self._last_news_s = time.monotonic()
        try:
            future: Future[Done] = self._pool.schedule(process.work, args=(task,), timeout=self._limit_s)
        except RuntimeError:  # it broke while nobody looked
            self._replace()
            future = self._pool.schedule(process.work, args=(task,), timeout=self._limit_s)
        self._pending.add(future)
        return future

    def collect(self, future: Future[Done]) -> Done:
        from pebble import ProcessExpired

        self._pending.discard(future)
        self._last_news_s = time.monotonic()
        try:
            done = future.result()
        except ProcessExpired as exc:
            raise WorkerLostError(process.how(exc.exitcode)) from exc
        except BrokenProcessPool as exc:
            raise WorkerLostError("ended before it began", is_frames_fault=False) from exc
        except TimeoutError as exc:
            raise TaskHungError(f"{self._limit_s:.0f} s") from exc
        self._lost_pools = 0
        return done

    def watch(self) -> None:
        # A worker that dies in the instant in which it takes a task takes it along, and may keep the channel locked.
        is_stuck = time.monotonic() - self._last_news_s > 2 * self._limit_s
        if self._pending and (is_stuck or not self._pool.active):
            self._replace()

    def _replace(self) -> None:
        """Start anew, and give back all tasks."""
        self._lost_pools += 1
        self.close()
        if self._lost_pools >= _MOST_LOST_POOLS:
            raise InternalError("the workers end as soon as they are started: check memory and process limits")
        self._last_news_s = time.monotonic()
        self._pool = self._make()

    def close(self) -> None:
        self._pool.stop()  # type: ignore[no-untyped-call]
        with contextlib.suppress(RuntimeError):  # one that hangs in the kernel cannot be ended
            self._pool.join()
        for future in list(self._pending):
            with contextlib.suppress(InvalidStateError):
                future.set_exception(WorkerLostError("was let go", is_frames_fault=False))
