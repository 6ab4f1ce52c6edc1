"""Workers of a Dask cluster, which see the same files: the same work, on as many machines as there are.

A scheduler gives a task whose worker died to the next one, as often as its own settings say.  So a worker that begins
a frame leaves a mark in the run's working directory, and one that finds it there hands the frame back in place of
dying over it, too.  The mark goes when the run ends: that is how a worker is told to stop.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import pickle
import re
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError, wait
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import novacli
from novacli import config as configuration
from novacli.batch import worker
from novacli.batch.executors import GRACE_S, ExecutorGoneError, TaskHungError, WorkerLostError
from novacli.batch.records import Done, Setup, Task
from novacli.errors import NovaError, RetryLaterError, UnavailableError, UsageError
from novacli.inputs.source import shown_name

if TYPE_CHECKING:
    from distributed import Client

    from novacli.config import Config

_ADDRESS = re.compile(r"(?:(?:tcp|tls|wss?)://)?[^/\s]+:\d{1,5}")
_CONNECT_S = 10.0
#: How long a cluster may be without a worker: at the beginning, and later, while a queueing system brings new ones.
_NO_WORKER_S, _NO_WORKER_LATER_S = 60.0, 600.0
_ABANDON_S = 3.0
_COUNT_S = 1.0
#: Marks of so many tasks that are done stay, for the scheduler may hear late that nobody wants them any more.
_OLD_MARKS = 100
#: A network's file system may show what another machine made only after a while.
_SEEN_S, _LOOK_S = 5.0, 0.5
#: Where workers say which task they begin; one topic for all runs, since a scheduler never forgets a topic.
_TOPIC = "nova-batch"
_BEGUN, _ENDED, _HUNG = "begun", "ended", "hung"
#: What a worker evaluates.  A function of ours would end workers that have no nova, since they unpickle it unguarded.
_ANSWER = f"__import__({__name__!r}, fromlist=['answer']).answer(version, key, limit_s, pickled)"
#: Settings that are a machine's own, unless the call names them itself.
_OF_A_MACHINE = ("engine", "engine_config", "index", "slots", "slots_dir")

#: The words that a worker answers: with what came of the task, the mark that it found, a path, its version.
_DONE, _FOUND, _UNSEEN, _VERSION = "done", "found", "unseen", "version"


def open_executor(setup: Setup, workers: int, address: str | None) -> _Dask:
    """Return the cluster whose scheduler is at ``address``; of its workers at most so many are used, 0 is all."""
    return _Dask(setup, workers, address or "")


class _Dask:
    def __init__(self, setup: Setup, workers: int, address: str) -> None:
        self._setup, self._most, self._address = setup, workers, address
        self._limit_s = setup.params.timeout_s + GRACE_S
        self._numbers = itertools.count(1)
        self._tasks: dict[Future[Done], tuple[str, Task]] = {}
        self._by_key: dict[str, Future[Done]] = {}
        self._theirs: dict[str, Future[Any]] = {}
        self._old_marks: deque[Path] = deque()
        self._wrong: NovaError | None = None
        self._has_worked, self._had_worker_s = False, time.monotonic()
        self._threads, self._counted_s = 0, float("-inf")
        with _quiet():
            self._client = _connect(address)
        self._executor = self._client.get_executor(pure=False)
        self._client.subscribe_topic(_TOPIC, self._note_begun)
        self._count()

    def _count(self) -> None:
        """Learn how many frames the workers that are there can do at a time."""
        if time.monotonic() - self._counted_s > _COUNT_S and self._client.status == "running":
            self._threads = int(self._client.scheduler_info(n_workers=0)["total_threads"])
            self._counted_s = time.monotonic()

    @property
    def workers(self) -> int:
        threads = max(1, self._threads)
        return min(self._most, threads) if self._most else threads

    @property
    def room(self) -> int:
        # One lies ready for each worker, unless a number of frames at a time was asked for.  Never none at all: a
        # cluster that grows by need has no worker before it has a task.
        return self._most if self._most and self._most < self._threads else 2 * self.workers

    def submit(self, task: Task) -> Future[Done]:
        key = f"nova-{self._setup.key}-{next(self._numbers)}"
        ours: Future[Done] = Future()
        self._tasks[ours], self._by_key[key] = (key, task), ours
        given = {"version": novacli.__version__, "key": key, "limit_s": self._limit_s, "pickled": pickle.dumps(task)}
        theirs = self._executor.submit(eval, _ANSWER, given, key=key)
        self._theirs[key] = theirs
        ours.add_done_callback(lambda future: self._let_go(key) if future.cancelled() else None)
        theirs.add_done_callback(lambda future: _hand_over(future, ours))
        return ours

    def _let_go(self, key: str) -> None:
        """Have a task forgotten: what is remembered is done once more where the worker that did it is lost."""
        theirs = self._theirs.pop(key, None)
        if theirs is not None:
            theirs.cancel()

    def _note_begun(self, event: tuple[float, Any]) -> None:
        future = self._by_key.get(str(event[1]))
        if future is not None and not future.running() and not future.done():
            with contextlib.suppress(InvalidStateError, RuntimeError):  # cancelled in this moment
                future.set_running_or_notify_cancel()

    def collect(self, future: Future[Done]) -> Done:
        from distributed import KilledWorker

        key, task = self._tasks.pop(future)
        del self._by_key[key]
        self._let_go(key)
        mark = _mark(task, key)
        self._old_marks.append(mark)
        if len(self._old_marks) > _OLD_MARKS:
            self._old_marks.popleft().unlink(missing_ok=True)
        try:
            word, what = cast("Future[tuple[str, Any]]", future).result()
        except KilledWorker as exc:
            self._raise_lost(_text(mark), exc)
        except ImportError as exc:  # as the worker has it
            self._stop(f"its workers have no nova {novacli.__version__}: install that version there", exc)
        if word == _FOUND:
            self._raise_lost(what, None)
        if word == _VERSION:
            self._stop(f"its workers have nova {what}, and this is {novacli.__version__}: install the same version")
        if word == _UNSEEN and os.path.lexists(what):
            self._stop(f"its workers do not see {shown_name(what)}: they must see the same files by the same paths")
        if word == _UNSEEN:  # removed meanwhile
            return worker.work(task)
        self._has_worked = True
        done: Done = what
        return done

    def _raise_lost(self, found: str, cause: Exception | None) -> NoReturn:
        """Raise what the mark of a task says, whose worker died."""
        if found == _HUNG:
            raise TaskHungError(f"{self._limit_s:.0f} s") from cause
        # One that lay ready for the worker is not to blame, nor one whose answer was lost with it.
        raise WorkerLostError("was lost", is_frames_fault=found == _BEGUN) from cause

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
        for future, (key, task) in self._tasks.items():
            future.cancel()
            with contextlib.suppress(OSError):
                _mark(task, key).unlink(missing_ok=True)
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


def _hand_over(theirs: Future[Any], ours: Future[Any]) -> None:
    with contextlib.suppress(InvalidStateError):  # it was cancelled
        if theirs.cancelled():
            ours.set_exception(WorkerLostError("was let go", is_frames_fault=False))
        elif (error := theirs.exception()) is not None:
            ours.set_exception(error)
        else:
            ours.set_result(theirs.result())


# --- The mark of a task -------------------------------------------------------------------------------------------


def _mark(task: Task, key: str) -> Path:
    return Path(task.setup.work_dir) / f".{key}"


def _text(mark: Path) -> str:
    try:
        return mark.read_text()
    except OSError:
        return ""


# --- In the worker ------------------------------------------------------------------------------------------------


def answer(version: str, key: str, limit_s: float, pickled: bytes) -> tuple[str, Any]:
    """Do a task, if this is the first worker to begin it; return a word, and what belongs to it."""
    if version != novacli.__version__:  # before a record of another version is read
        return _VERSION, novacli.__version__
    task: Task = pickle.loads(pickled)  # noqa: S301 - from the client, whose code a Dask worker runs anyway
    for path in (task.setup.work_dir, task.frame.path):
        if not _is_seen(path):
            return _UNSEEN, path
    mark = _mark(task, key)
    try:
        with mark.open("x") as stream:
            stream.write(_BEGUN)
    except FileExistsError:
        return _FOUND, _text(mark)
    _tell_begun(key)
    with _ending_if_it_hangs(mark, limit_s):
        done = worker.work(replace(task, setup=_for_here(task.setup)), _looking_for(mark))
    if mark.exists():
        mark.write_text(_ENDED)
    return _DONE, done


def _is_seen(path: str) -> bool:
    """Look for a file, for a while where a network's file system may not show it yet."""
    until_s = time.monotonic() + _SEEN_S
    while not os.path.lexists(path):
        if time.monotonic() > until_s:
            return False
        with contextlib.suppress(OSError):
            os.listdir(os.path.dirname(path))  # noqa: PTH120, PTH208 - has what is cached of it asked for anew
        time.sleep(_LOOK_S)
    return True


def _tell_begun(key: str) -> None:
    from distributed import get_worker

    get_worker().log_event(_TOPIC, key)


def _looking_for(mark: Path) -> Callable[[], bool]:
    """Return what says whether the mark is gone, looked for no more than twice a second."""
    looked_s, is_gone = time.monotonic(), False

    def cancelled() -> bool:
        nonlocal looked_s, is_gone
        if not is_gone and time.monotonic() - looked_s > _LOOK_S:
            looked_s, is_gone = time.monotonic(), not mark.exists()
        return is_gone

    return cancelled


@contextlib.contextmanager
def _ending_if_it_hangs(mark: Path, limit_s: float) -> Iterator[None]:
    """End this worker where the task does not end: a thread cannot be ended by itself."""

    def end() -> None:
        with contextlib.suppress(OSError):
            mark.write_text(_HUNG)
        os._exit(1)

    timer = threading.Timer(limit_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _for_here(setup: Setup) -> Setup:
    """Return a setup with this machine's own engine, index files and slots, unless the call named others."""
    here = configuration.load()
    settings = setup.config.settings
    own = {name: here.settings[name] for name in _OF_A_MACHINE if not settings[name].source.startswith(("--", "$"))}
    config: Config = replace(setup.config, settings={**settings, **own})
    return replace(setup, config=config)
