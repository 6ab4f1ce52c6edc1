"""Workers on this machine: processes that live on from frame to frame, each watched by itself.

The standard library's pool fails every pending task where one worker dies; ``pebble`` fails the one that it died over,
and ends a worker whose task takes too long.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import Future, InvalidStateError
from concurrent.futures.process import BrokenProcessPool
from types import FrameType
from typing import TYPE_CHECKING, Any

from novacli.batch import worker
from novacli.batch.executors import GRACE_S, TaskHungError, WorkerLostError
from novacli.batch.records import Done, Setup, Task
from novacli.errors import InternalError

if TYPE_CHECKING:
    from pebble import ProcessPool

#: Tasks that lie ready for each worker, so that none waits for the parent.
_AHEAD = 1
#: Where so many pools were lost one after the other, and no task was done in between, something is wrong for all.
_MOST_LOST_POOLS = 3
_PR_SET_PDEATHSIG = 1


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
        return ProcessPool(self._workers, initializer=_begin, initargs=(os.getpid(),), context=context)

    @property
    def workers(self) -> int:
        return self._workers

    @property
    def room(self) -> int:
        return self._workers * (1 + _AHEAD)

    def submit(self, task: Task) -> Future[Done]:
        if not self._pending:
            self._last_news_s = time.monotonic()
        try:
            future: Future[Done] = self._pool.schedule(_work, args=(task,), timeout=self._limit_s)
        except RuntimeError:  # it broke while nobody looked
            self._replace()
            future = self._pool.schedule(_work, args=(task,), timeout=self._limit_s)
        self._pending.add(future)
        return future

    def collect(self, future: Future[Done]) -> Done:
        from pebble import ProcessExpired

        self._pending.discard(future)
        self._last_news_s = time.monotonic()
        try:
            done = future.result()
        except ProcessExpired as exc:
            raise WorkerLostError(_how(exc.exitcode)) from exc
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


def _how(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"ended with exit code {exit_code}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-exit_code).name}"
    return f"was killed by signal {-exit_code}"


# --- In the worker ------------------------------------------------------------------------------------------------


class _Dismissed(SystemExit):
    """The parent ends the worker: unwinds what it does, so that no half of a file stays."""


_parent_pid = 0
_is_dismissed = False


def _begin(parent_pid: int) -> None:
    """Make this process a worker, which ends with its parent: what it did after that, nobody would know."""
    global _parent_pid  # noqa: PLW0603 - of this process
    _parent_pid = parent_pid
    signal.signal(signal.SIGTERM, _dismiss)
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if _is_alone():
        os._exit(1)
    gc.set_threshold(50_000)  # as in nova's own main


def _dismiss(_number: int, _frame: FrameType | None) -> None:
    global _is_dismissed  # noqa: PLW0603 - of this process
    _is_dismissed = True
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Where the exception meets a callback that swallows it, the interpreter would say so to whoever reads stderr.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    raise _Dismissed(128 + signal.SIGTERM)


def _is_alone() -> bool:
    """Say whether nobody waits for this worker's answers any more."""
    return _is_dismissed or os.getppid() != _parent_pid


def _work(task: Task) -> Done:
    try:
        return worker.work(task, _is_alone)
    except _Dismissed:
        os._exit(128 + signal.SIGTERM)  # pebble would take it for a task's failure, and go on
