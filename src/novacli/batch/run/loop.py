"""The loop of a batch: keeps the workers busy, records the outcome of each frame, and stops when it has to.

It has one thread, the only one that writes to the ledger.  A frame whose worker dies is tried once more, then failed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from novacli.batch.executors import Executor, ExecutorGoneError, TaskHungError, WorkerLostError
from novacli.batch.frames.existing_outputs import FrameFiles, replaceable
from novacli.batch.ledger.plan import PlannedFrame
from novacli.batch.records import FrameTask, RunSetup, TaskOutcome
from novacli.batch.run.queues import FrameFeed, FrameQueue
from novacli.batch.run.recorder import FrameDisplay, Recorder, RunCounts
from novacli.errors import InternalError, NovaError, fault_text

#: How often the loop checks the clock, signals and the feed while no frame is done.
_TICK_S = 0.2
#: A frame is failed after this many workers died over it.
_MAX_DEATHS = 2
#: How long frames in progress may go on after the run has to stop.
_GRACE_S = 10.0


@dataclass(slots=True)
class StopConditions:
    """When a run has to stop.

    Attributes
    ----------
    until_s
        The time after which no frame is begun, by ``time.monotonic``.
    signal
        The signal that asked the run to stop, None without one.
    finishes_on_signal
        True if frames in progress may go on for some seconds after a signal, as they may after ``until_s``.
    """

    until_s: float = float("inf")
    signal: int | None = None
    finishes_on_signal: bool = False

    @property
    def is_due(self) -> bool:
        """True if no more frames may be begun."""
        return self.signal is not None or time.monotonic() >= self.until_s


class FrameLoop:
    """Solves the frames of a run.

    Parameters
    ----------
    setup
        What the tasks of the run have in common.
    files
        The outputs to write, by the frame's path.
    executor
        Solves the frames; closed at the end.
    recorder, display
        Record each outcome, and show how far the run is.
    stop
        When the run has to stop.
    """

    def __init__(
        self,
        setup: RunSetup,
        files: Mapping[str, FrameFiles],
        executor: Executor,
        recorder: Recorder,
        display: FrameDisplay,
        stop: StopConditions,
    ) -> None:
        self._setup, self._files = setup, files
        self._executor, self._recorder, self._display, self._stop = executor, recorder, display, stop
        self._pending: dict[Future[TaskOutcome], PlannedFrame] = {}
        self._submitted_s: dict[str, float] = {}
        self._again: list[PlannedFrame] = []
        self._deaths: Counter[str] = Counter()

    @property
    def _counts(self) -> RunCounts:
        return self._recorder.counts

    def run(self, feed: FrameFeed, queue: FrameQueue) -> RunCounts:
        """Do the frames that ``feed`` gives, in the order of ``queue``, until none are left or the run has to stop."""
        try:
            while not self._stop.is_due and self._counts.stopped is None:
                new = feed.poll()
                for planned in new:
                    self._recorder.expect(planned)
                queue.add(new)
                self._submit_tasks(queue)
                if not self._pending and feed.is_over and not len(queue):
                    break
                self._collect(queue)
            self._wind_up(queue)
        except ExecutorGoneError as exc:
            self._counts.stopped = str(exc)
        finally:
            self._executor.close()
        return self._counts

    def _submit_tasks(self, queue: FrameQueue) -> None:
        """Submit as many tasks as the executor has room for."""
        chosen: list[PlannedFrame] = []
        tasks: list[FrameTask] = []
        while len(self._pending) + len(tasks) < self._room(len(self._again) + len(queue)):
            planned = self._again.pop() if self._again else queue.take()
            if planned is None:
                break
            # A core that another frame will keep busy is not available to this frame's further engines.
            others = len(self._pending) + len(tasks) + len(self._again) + queue.ready
            tasks.append(self._task(planned, others, queue))
            chosen.append(planned)
        if tasks:
            self._submitted_s.update((task.frame.path, time.monotonic()) for task in tasks)
            futures = self._executor.submit(tasks, len(self._again) + queue.ready)
            self._pending.update(zip(futures, chosen, strict=True))

    def _room(self, left: int) -> int:
        """Return how many tasks may be submitted.  The last frames get only free workers, and so all idle cores."""
        return self._executor.room if left >= self._executor.workers else self._executor.workers

    def _task(self, planned: PlannedFrame, others: int, queue: FrameQueue) -> FrameTask:
        path = planned.frame.path
        files = self._files.get(path, ())
        own = replaceable(files, self._recorder.written, planned.record, self._setup.outputs)
        if path in self._deaths:  # the worker that died over it may have written them
            own = tuple(output for _, output in files)
        return FrameTask(
            setup=self._setup,
            frame=planned.frame,
            files=files,
            known_content=planned.known_content,
            may_be_own_output=planned.may_be_own_output,
            engines=1 if others >= self._executor.workers else None,
            hints=queue.hints(planned),
            replaceable=own,
        )

    def _collect(self, queue: FrameQueue) -> None:
        """Wait a moment for frames to be done, and record those that are."""
        done: set[Future[TaskOutcome]] = set()
        if self._pending:
            done, _ = wait(self._pending, timeout=_TICK_S, return_when=FIRST_COMPLETED)
        else:
            time.sleep(_TICK_S)
        for future in done:
            self._finish(self._pending.pop(future), future, queue)
        self._executor.watch()
        self._counts.running = min(len(self._pending), self._executor.workers)
        self._display.tick(self._counts)

    def _finish(self, planned: PlannedFrame, future: Future[TaskOutcome], queue: FrameQueue) -> None:
        """Record the outcome of a task, or have the frame tried again if its worker died."""
        path = planned.frame.path
        outcome: TaskOutcome | None = None
        elapsed_s = time.monotonic() - self._submitted_s.pop(path)
        try:
            outcome = self._executor.collect(future)
        except WorkerLostError as exc:
            self._deaths[path] += exc.is_frames_fault
            if self._deaths[path] < _MAX_DEATHS:
                self._again.append(planned)
                return
            error: NovaError = InternalError(
                f"a worker {exc} over it, twice: the file may be damaged, or the memory too small"
            )
            self._recorder.record_failure(planned, error, elapsed_s=elapsed_s, is_final=True)
        except TaskHungError as exc:
            self._recorder.record_hang(planned, str(exc), elapsed_s=elapsed_s)
        except Exception as exc:
            error = exc if isinstance(exc, NovaError) else InternalError(fault_text(exc))
            self._recorder.record_failure(planned, error, elapsed_s=elapsed_s)
        else:
            self._recorder.record(planned, outcome)
        queue.finish(planned, outcome)

    def _wind_up(self, queue: FrameQueue) -> None:
        """Wait some seconds for the frames in progress, unless a signal asks to stop at once; the others are left."""
        for future in [f for f in self._pending if not f.running()]:
            if future.cancel():
                del self._pending[future]
        until_s = time.monotonic() + _GRACE_S
        may_finish = self._stop.signal is None or self._stop.finishes_on_signal
        while self._pending and may_finish and time.monotonic() < until_s:
            self._collect(queue)
        if self._counts.stopped is None and self._counts.left:
            by_signal = "it was ended by a signal" if self._stop.finishes_on_signal else "it was interrupted"
            self._counts.stopped = "the time limit passed" if self._stop.signal is None else by_signal
