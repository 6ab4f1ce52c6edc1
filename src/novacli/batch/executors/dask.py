"""Workers of a Dask cluster, which see the same files: the same work, on as many machines as there are.

What a scheduler and its workers say to each other about a task takes some ten milliseconds of CPU, so frames that are
solved in a few times that go to a worker in groups; :mod:`~novacli.batch.executors.daskworker` is what it does there.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import pickle
import re
import time
import warnings
from collections import deque
from collections.abc import Awaitable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, InvalidStateError, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import novacli
from novacli.batch.executors import GRACE_S, ExecutorGoneError, TaskHungError, WorkerLostError, daskchild, daskworker
from novacli.batch.records import FrameTask, RunSetup, TaskOutcome
from novacli.batch.run import worker
from novacli.errors import NovaError, RetryLaterError, UnavailableError, UsageError
from novacli.text.printable import shown_name

if TYPE_CHECKING:
    from distributed import Client
    from distributed import Future as DaskFuture

_ADDRESS = re.compile(r"(?:(?:tcp|tls|wss?)://)?[^/\s]+:\d{1,5}")
_CONNECT_S = 10.0
#: How long a cluster may be without a worker: at the beginning, and later, while a queueing system brings new ones.
_NO_WORKER_S, _NO_WORKER_LATER_S = 60.0, 600.0
_ABANDON_S = 3.0
_COUNT_S = 1.0
#: Marks of so many groups that are done stay, for the scheduler may hear late that nobody wants them any more.
_OLD_MARKS = 100
#: A group is as many frames as take about so long, of those that came last, and no more than so many.
_GROUP_S, _MOST_IN_GROUP = 0.5, 8
#: How much each answer counts in how long a frame takes.
_NEWS = 0.3
#: So many groups are for each worker at least, or they are smaller: the last ones must not be waited for.
_GROUPS_A_WORKER = 4
#: What a worker evaluates.  A function of ours would end workers that have no nova, since they unpickle it unguarded.
_ANSWER = (
    "__import__('novacli.batch.executors.daskworker', fromlist=['answer'])"
    ".answer(version, key, limit_s, group_s, pickled)"
)


@dataclass(frozen=True, slots=True)
class _Member:
    """A task's place in its group: the key and the mark of that, and its number in it."""

    key: str
    mark: Path
    number: int


def open_executor(setup: RunSetup, workers: int, address: str | None) -> _DaskExecutor:
    """Return the cluster whose scheduler is at ``address``; of its workers at most so many are used, 0 is all."""
    return _DaskExecutor(setup, workers, address or "")


class _DaskExecutor:
    def __init__(self, setup: RunSetup, workers: int, address: str) -> None:
        self._setup, self._most, self._address = setup, workers, address
        self._limit_s = setup.params.limit_s + GRACE_S
        self._numbers = itertools.count(1)
        self._tasks: dict[Future[TaskOutcome], tuple[_Member, FrameTask]] = {}
        self._groups: dict[str, Sequence[Future[TaskOutcome]]] = {}
        self._theirs: dict[str, DaskFuture] = {}
        self._old_marks: deque[Path] = deque()
        self._frame_s = _GROUP_S
        self._wrong: NovaError | None = None
        self._has_worked, self._had_worker_s = False, time.monotonic()
        self._threads, self._counted_s = 0, float("-inf")
        with _quiet():
            self._client = _connect(address)
        self._client.subscribe_topic(daskworker.TOPIC, self._note_begun)
        self._count()

    def _count(self) -> None:
        """Learn how many frames the workers that are there can do at a time."""
        if time.monotonic() - self._counted_s > _COUNT_S and self._client.status == "running":
            with contextlib.suppress(OSError):  # a scheduler that has no time for it is asked again
                self._threads = sum(self._client.nthreads(callback_timeout=_COUNT_S).values())
            self._counted_s = time.monotonic()

    @property
    def workers(self) -> int:
        threads = max(1, self._threads)
        return min(self._most, threads) if self._most else threads

    @property
    def room(self) -> int:
        # A group lies ready for each worker, unless a number of frames at a time was asked for.  Never none at all: a
        # cluster that grows by need has no worker before it has a task.
        return self._most if self._is_held else 2 * self.workers * self._in_group

    @property
    def _is_held(self) -> bool:
        return 0 < self._most < self._threads

    @property
    def _in_group(self) -> int:
        return 1 if self._is_held else max(1, min(_MOST_IN_GROUP, int(_GROUP_S / self._frame_s)))

    def submit(self, tasks: Sequence[FrameTask], to_come: int) -> Sequence[Future[TaskOutcome]]:
        share = (len(self._tasks) + len(tasks) + to_come) // (_GROUPS_A_WORKER * self.workers)
        size = max(1, min(self._in_group, share))
        groups = [tasks[at : at + size] for at in range(0, len(tasks), size)]
        return [future for group in groups for future in self._submit(group)]

    def _submit(self, tasks: Sequence[FrameTask]) -> Sequence[Future[TaskOutcome]]:
        key = f"nova-{self._setup.key}-{next(self._numbers)}"
        mark = daskworker.mark_of(self._setup, key)
        ours: list[Future[TaskOutcome]] = [Future() for _ in tasks]
        for number, (future, task) in enumerate(zip(ours, tasks, strict=True)):
            self._tasks[future] = _Member(key, mark, number), task
        self._groups[key] = ours
        given = {
            "version": novacli.__version__,
            "key": key,
            "limit_s": self._limit_s,
            "group_s": 2 * _GROUP_S,
            "pickled": pickle.dumps(tasks),
        }
        theirs = self._client.submit(eval, _ANSWER, given, key=key, pure=False)
        self._theirs[key] = theirs
        for future in ours:
            future.add_done_callback(lambda future: self._let_go(key) if future.cancelled() else None)
        self._client.loop.add_callback(_hand_over, theirs, ours)
        return ours

    def _let_go(self, key: str) -> None:
        """Have a group forgotten: what is remembered is done once more where the worker that did it is lost."""
        theirs = self._theirs.pop(key, None)
        if theirs is not None and not theirs.done():
            theirs.cancel()

    def _note_begun(self, event: tuple[float, Any]) -> None:
        for future in self._groups.get(str(event[1]), ()):
            if not future.running() and not future.done():
                with contextlib.suppress(InvalidStateError, RuntimeError):  # cancelled in this moment
                    future.set_running_or_notify_cancel()

    def collect(self, future: Future[TaskOutcome]) -> TaskOutcome:
        from distributed import KilledWorker

        member, task = self._tasks.pop(future)
        if member.number == 0:
            self._close_group(future, member)
        try:
            word, what = cast("Future[tuple[str, Any]]", future).result()
        except KilledWorker as exc:
            self._raise_lost(member, daskworker.text_of(member.mark), exc)
        except ImportError as exc:  # as the worker has it
            self._stop(f"its workers have no nova {novacli.__version__}: install that version there", exc)
        if word == daskworker.FOUND:
            self._raise_lost(member, what, None)
        if word == daskworker.VERSION:
            self._stop(f"its workers have nova {what}, and this is {novacli.__version__}: install the same version")
        if word == daskchild.UNSEEN:
            self._stop_unseen(what)
        self._has_worked = True
        came: Sequence[tuple[str, Any]] = what[1]
        if member.number >= len(came):  # those before it took long
            raise WorkerLostError("had no time for it", is_frames_fault=False)
        return self._done(task, *came[member.number])

    def _done(self, task: FrameTask, word: str, what: Any) -> TaskOutcome:
        if word == daskworker.LOST:
            raise WorkerLostError(what)
        if word == daskworker.HUNG:
            raise TaskHungError(what)
        if word == daskchild.UNSEEN:
            if os.path.lexists(what):
                self._stop_unseen(what)
            return worker.work(task)  # it was removed meanwhile, and that is what is told
        done: TaskOutcome = what
        return done

    def _close_group(self, future: Future[TaskOutcome], member: _Member) -> None:
        """See to what a group that is done leaves: its mark, its place in the scheduler's memory, how long it took."""
        del self._groups[member.key]
        self._let_go(member.key)
        self._old_marks.append(member.mark)
        if len(self._old_marks) > _OLD_MARKS:
            self._old_marks.popleft().unlink(missing_ok=True)
        if not future.cancelled() and future.exception() is None:
            word, what = cast("Future[tuple[str, Any]]", future).result()
            if word == daskchild.DONE:
                seconds, came = what
                self._frame_s += _NEWS * (seconds / len(came) - self._frame_s)

    def _raise_lost(self, member: _Member, found: str, cause: Exception | None) -> NoReturn:
        """Raise what the mark of a group says, whose worker died."""
        # Those that lay ready for the worker are not to blame, nor those whose answers were lost with it.
        is_it = found == f"{daskworker.BEGUN} {member.number}"
        raise WorkerLostError("was lost", is_frames_fault=is_it) from cause

    def _stop_unseen(self, path: str) -> NoReturn:
        self._stop(f"its workers do not see {shown_name(path)}: they must see the same files by the same paths")

    def _stop(self, why: str, cause: Exception | None = None) -> NoReturn:
        self._wrong = UnavailableError(f"{self._address}: {why}")
        raise WorkerLostError("is of no use", is_frames_fault=False) from cause

    def watch(self) -> None:
        if self._wrong is not None:
            raise self._wrong
        if self._client.status != "running":
            raise ExecutorGoneError(f"{self._address}: the scheduler is gone")
        self._count()
        if self._threads or not self._tasks:
            self._had_worker_s = time.monotonic()
        patience_s = _NO_WORKER_LATER_S if self._has_worked else _NO_WORKER_S
        if time.monotonic() - self._had_worker_s > patience_s:
            raise ExecutorGoneError(f"{self._address}: it had no worker for {patience_s:.0f} s: start some")

    def close(self) -> None:
        for future, (member, _) in self._tasks.items():
            future.cancel()
            with contextlib.suppress(OSError):
                member.mark.unlink(missing_ok=True)
        with _quiet():
            if self._client.status == "running":
                wait([future for future in self._tasks if future.running()], timeout=_ABANDON_S)
            with contextlib.suppress(Exception):  # the scheduler may be gone, and this is the end
                self._client.close(timeout=_ABANDON_S)


def _connect(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError as exc:
        raise UnavailableError("--dask needs: pip install 'novacli[dask]'") from exc
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # what there is to say, one line of ours says
    if not _ADDRESS.fullmatch(address):
        raise UsageError(f"--dask {address}: this is no scheduler's address, such as tcp://host:8786")
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


async def _hand_over(theirs: Awaitable[Any], ours: Sequence[Future[Any]]) -> None:
    """Give each task of a group what came of all: which of it is its own, it learns where it is collected."""
    came: Any = None
    error: Exception | None = None
    try:
        came = await theirs
    except CancelledError:
        error = WorkerLostError("was let go", is_frames_fault=False)
    except Exception as exc:  # whatever it is: who is told nothing waits for ever
        error = exc
    for future in ours:
        with contextlib.suppress(InvalidStateError):  # it was cancelled
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(came)
