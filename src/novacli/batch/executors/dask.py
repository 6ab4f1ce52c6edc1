"""Solves frames on the workers of a Dask cluster, which must see the same files by the same paths.

Frames travel in groups (:mod:`~novacli.batch.executors.groups`); what a worker does with a group is in
:mod:`~novacli.batch.executors.daskworker`, and a mark file (:mod:`~novacli.batch.executors.mark_file`) shows its
progress.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import re
import time
import warnings
from collections.abc import Awaitable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, InvalidStateError, wait
from typing import TYPE_CHECKING, Any, NoReturn, cast

import novacli
from novacli.batch.executors import GRACE_S, ExecutorGoneError, TaskHungError, WorkerLostError, daskchild, daskworker
from novacli.batch.executors.groups import GROUP_S, GroupMember, GroupTracker
from novacli.batch.executors.mark_file import is_at_frame
from novacli.batch.records import FrameTask, RunSetup, TaskOutcome
from novacli.batch.run import worker
from novacli.errors import NovaError, RetryLaterError, UnavailableError, UsageError
from novacli.text.printable import shown_name

if TYPE_CHECKING:
    from distributed import Client
    from distributed import Future as DaskFuture

_ADDRESS = re.compile(r"(?:(?:tcp|tls|wss?)://)?[^/\s]+:\d{1,5}")
_CONNECT_S = 10.0
#: How long a cluster may have no worker: at the beginning, and later, while a queueing system starts new ones.
_NO_WORKER_S, _NO_WORKER_LATER_S = 60.0, 600.0
#: How long to wait for frames in progress, and for the scheduler, when the run ends.
_ABANDON_S = 3.0
#: How often the workers are counted, in seconds.
_COUNT_S = 1.0
#: The expression that a worker evaluates.  It is text, and not a pickled function of this package, because a worker
#: without the package could not unpickle that function, and Dask ends such a worker.  Evaluating the text raises
#: ImportError there instead, which comes back as the error of the task.
_ANSWER = (
    "__import__('novacli.batch.executors.daskworker', fromlist=['answer'])"
    ".answer(version, key, limit_s, group_s, pickled)"
)


def open_executor(setup: RunSetup, workers: int, address: str | None) -> _DaskExecutor:
    """Return the cluster whose scheduler is at ``address``; at most ``workers`` of its workers are used, all if 0."""
    return _DaskExecutor(setup, workers, address or "")


class _WorkerCount:
    """Knows how many frames the workers of a cluster can solve at a time, and since when there are none."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._counted_s = float("-inf")
        self._had_workers_s = time.monotonic()
        self.threads = 0

    def update(self, *, is_needed: bool) -> None:
        """Count the workers, if the last count is old; ``is_needed`` if there are tasks for them."""
        if time.monotonic() - self._counted_s > _COUNT_S and self._client.status == "running":
            with contextlib.suppress(OSError):  # a busy scheduler answers later
                self.threads = sum(self._client.nthreads(callback_timeout=_COUNT_S).values())
            self._counted_s = time.monotonic()
        if self.threads or not is_needed:
            self._had_workers_s = time.monotonic()

    @property
    def missing_s(self) -> float:
        """For how many seconds there has been no worker although there were tasks."""
        return time.monotonic() - self._had_workers_s


class _DaskExecutor:
    def __init__(self, setup: RunSetup, workers: int, address: str) -> None:
        self._max_workers, self._address = workers, address
        self._limit_s = setup.params.limit_s + GRACE_S
        self._groups = GroupTracker(setup)
        self._submitted: dict[str, DaskFuture] = {}
        #: An error that concerns all workers; it ends the run.
        self._common_error: NovaError | None = None
        self._has_worked = False
        with _quiet():
            self._client = _connect(address)
        self._client.subscribe_topic(daskworker.TOPIC, self._note_begun)
        self._count = _WorkerCount(self._client)
        self._count.update(is_needed=False)

    @property
    def workers(self) -> int:
        threads = max(1, self._count.threads)
        return min(self._max_workers, threads) if self._max_workers else threads

    @property
    def room(self) -> int:
        # Each worker has a group in progress and one in reserve.  The room is never 0: a cluster that grows on demand
        # has no worker until it has a task.
        return self._max_workers if self._is_limited else 2 * self.workers * self._group_size

    @property
    def _is_limited(self) -> bool:
        """True if the user wants fewer frames at a time than the cluster could solve."""
        return 0 < self._max_workers < self._count.threads

    @property
    def _group_size(self) -> int:
        return 1 if self._is_limited else self._groups.usual_size

    def submit(self, tasks: Sequence[FrameTask], to_come: int) -> Sequence[Future[TaskOutcome]]:
        groups = self._groups.split(tasks, to_come, self.workers, self._group_size)
        return [future for group in groups for future in self._submit(group)]

    def _submit(self, tasks: Sequence[FrameTask]) -> Sequence[Future[TaskOutcome]]:
        """Submit a group as one task of Dask: the evaluation of :data:`_ANSWER` with these names."""
        key, futures = self._groups.add(tasks)
        names = {
            "version": novacli.__version__,
            "key": key,
            "limit_s": self._limit_s,
            "group_s": 2 * GROUP_S,
            "pickled": pickle.dumps(tasks),
        }
        submitted = self._client.submit(eval, _ANSWER, names, key=key, pure=False)
        self._submitted[key] = submitted
        for future in futures:
            future.add_done_callback(lambda future: self._release(key) if future.cancelled() else None)
        self._client.loop.add_callback(_pass_on, submitted, futures)
        return futures

    def _release(self, key: str) -> None:
        """Release a group's result: the scheduler would compute it again if the worker that holds it is lost."""
        submitted = self._submitted.pop(key, None)
        if submitted is not None and not submitted.done():
            submitted.cancel()

    def _note_begun(self, event: tuple[float, Any]) -> None:
        """Mark the futures of a group as running; its worker has begun."""
        for future in self._groups.futures_of(str(event[1])):
            if not future.running() and not future.done():
                with contextlib.suppress(InvalidStateError, RuntimeError):  # it was cancelled at this moment
                    future.set_running_or_notify_cancel()

    def collect(self, future: Future[TaskOutcome]) -> TaskOutcome:
        from distributed import KilledWorker

        member = self._groups.take(future)
        if member.number == 0:
            self._finish_group(future, member)
        try:
            word, value = cast("Future[tuple[str, Any]]", future).result()
        except KilledWorker as exc:
            self._raise_lost(member, member.mark.text(), exc)
        except ImportError as exc:  # from the worker
            self._stop(f"its workers have no nova {novacli.__version__}: install that version there", exc)
        if word == daskworker.FOUND:
            self._raise_lost(member, value, None)
        if word == daskworker.VERSION:
            self._stop(f"its workers have nova {value}, and this is {novacli.__version__}: install the same version")
        if word == daskchild.UNSEEN:
            self._stop_unseen(value)
        self._has_worked = True
        answers: Sequence[tuple[str, Any]] = value[1]
        if member.number >= len(answers):  # the frames before it took too long
            raise WorkerLostError("had no time for it", is_frames_fault=False)
        return self._outcome(member.task, *answers[member.number])

    def _outcome(self, task: FrameTask, word: str, value: Any) -> TaskOutcome:
        """Return the outcome of a task that its worker began."""
        if word == daskworker.LOST:
            raise WorkerLostError(value)
        if word == daskworker.HUNG:
            raise TaskHungError(value)
        if word == daskchild.UNSEEN:
            if os.path.lexists(value):
                self._stop_unseen(value)
            return worker.work(task)  # the frame was removed, and this gives the error message
        outcome: TaskOutcome = value
        return outcome

    def _finish_group(self, future: Future[TaskOutcome], member: GroupMember) -> None:
        """Remove a group that is done, and use its time for the size of the next groups."""
        self._groups.finish(member)
        self._release(member.key)
        if not future.cancelled() and future.exception() is None:
            word, value = cast("Future[tuple[str, Any]]", future).result()
            if word == daskchild.DONE:
                seconds, answers = value
                self._groups.note_time(seconds, len(answers))

    def _raise_lost(self, member: GroupMember, mark_text: str, cause: Exception | None) -> NoReturn:
        """Raise WorkerLostError for a task whose worker died; ``mark_text`` is that of the group's mark file."""
        # The cause is neither a frame that was not begun nor one that was done and whose answer was lost.
        raise WorkerLostError("was lost", is_frames_fault=is_at_frame(mark_text, member.number)) from cause

    def _stop_unseen(self, path: str) -> NoReturn:
        self._stop(f"its workers do not see {shown_name(path)}: they must see the same files by the same paths")

    def _stop(self, why: str, cause: Exception | None = None) -> NoReturn:
        """Have :meth:`watch` end the run, and raise WorkerLostError for this task."""
        self._common_error = UnavailableError(f"{self._address}: {why}")
        raise WorkerLostError("cannot be used", is_frames_fault=False) from cause

    def watch(self) -> None:
        if self._common_error is not None:
            raise self._common_error
        if self._client.status != "running":
            raise ExecutorGoneError(f"{self._address}: the scheduler is gone")
        self._count.update(is_needed=len(self._groups) > 0)
        patience_s = _NO_WORKER_LATER_S if self._has_worked else _NO_WORKER_S
        if self._count.missing_s > patience_s:
            raise ExecutorGoneError(f"{self._address}: it had no worker for {patience_s:.0f} s: start some")

    def close(self) -> None:
        in_progress = self._groups.abandon()
        with _quiet():
            if self._client.status == "running":
                wait(in_progress, timeout=_ABANDON_S)
            with contextlib.suppress(Exception):  # the scheduler may be gone, and the run ends anyway
                self._client.close(timeout=_ABANDON_S)


def _connect(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError as exc:
        raise UnavailableError("--dask needs: pip install 'novacli[dask]'") from exc
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # nova reports errors itself, in one line
    if not _ADDRESS.fullmatch(address):
        raise UsageError(f"--dask {address}: this is not the address of a scheduler, such as tcp://host:8786")
    try:
        return Client(address, timeout=_CONNECT_S, set_as_default=False, name="nova-batch")
    except (OSError, TimeoutError) as exc:
        raise RetryLaterError(f"{address}: no Dask scheduler answers there: start one, or call again later") from exc
    except Exception as exc:
        why = str(exc).strip().partition("\n")[0] or type(exc).__name__
        raise UnavailableError(f"{address}: the scheduler refuses: {why}: is its version of Dask another one?") from exc


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


async def _pass_on(submitted: Awaitable[Any], futures: Sequence[Future[Any]]) -> None:
    """Give the answer of a group to the future of each of its tasks, which picks its own part when it is collected."""
    answer: Any = None
    error: Exception | None = None
    try:
        answer = await submitted
    except CancelledError:
        error = WorkerLostError("was released", is_frames_fault=False)
    except Exception as exc:  # any error: a future without an answer would be waited for without end
        error = exc
    for future in futures:
        with contextlib.suppress(InvalidStateError):  # it was cancelled
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(answer)
