"""The loop of a batch: keep the workers busy, have what became of each frame noted, stop when told to.

One thread, the only one that writes the ledger.  A frame is tried once more if its worker dies over it, then failed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from novacli.batch.executors import Executor, ExecutorGoneError, TaskHungError, WorkerLostError
from novacli.batch.ledger.plan import PlannedFrame
from novacli.batch.records import FrameTask, RunSetup, TaskOutcome
from novacli.batch.run.queues import FrameFeed, FrameQueue
from novacli.batch.run.recorder import Display, Recorder, RunCounts
from novacli.errors import InternalError, NovaError, fault_text

#: How often the loop looks at the clock, at signals and at the feed where no frame is done.
_TICK_S = 0.2
#: A frame that so many workers died over is failed.
_DEATHS = 2
#: What is being worked on when the time is up, or all would fail, may take so much longer.
_GRACE_S = 10.0


@dataclass(slots=True)
class StopConditions:
    """What a run is told while it goes on: when to stop, by ``time.monotonic``, and the signal that said so.

    ``finishes`` has a signal mean what the end of the time does: what is being worked on has a little time yet.
    """

    until_s: float = float("inf")
    signal: int | None = None
    finishes: bool = False

    @property
    def stop(self) -> bool:
        """Whether no further frame is to be begun."""
        return self.signal is not None or time.monotonic() >= self.until_s


class FrameLoop:
    """One run; ``files`` are the outputs to write, by the frame's path."""

    def __init__(
        self,
        setup: RunSetup,
        files: Mapping[str, tuple[tuple[str, str], ...]],
        executor: Executor,
        notes: Recorder,
        show: Display,
        orders: StopConditions,
    ) -> None:
        self._setup, self._files = setup, files
        self._executor, self._notes, self._show, self._orders = executor, notes, show, orders
        self._pending: dict[Future[TaskOutcome], PlannedFrame] = {}
        self._again: list[PlannedFrame] = []
        self._deaths: Counter[str] = Counter()

    @property
    def _tally(self) -> RunCounts:
        return self._notes.tally

    def over(self, feed: FrameFeed, queue: FrameQueue) -> RunCounts:
        """Do what ``feed`` gives, in the order of ``queue``, until there is no more or it is time to stop."""
        try:
            while not self._orders.stop and self._tally.stopped is None:
                came = feed.poll()
                for todo in came:
                    self._notes.expect(todo)
                queue.add(came)
                self._fill(queue)
                if not self._pending and feed.is_over and not len(queue):
                    break
                self._collect(queue)
            self._wind_up(queue)
        except ExecutorGoneError as exc:
            self._tally.stopped = str(exc)
        finally:
            self._executor.close()
        return self._tally

    def _fill(self, queue: FrameQueue) -> None:
        chosen: list[PlannedFrame] = []
        tasks: list[FrameTask] = []
        while len(self._pending) + len(tasks) < self._most(len(self._again) + len(queue)):
            todo = self._again.pop() if self._again else queue.take()
            if todo is None:
                break
            # Cores that other frames will keep busy are not for this one's race.
            others = len(self._pending) + len(tasks) + len(self._again) + queue.ready
            tasks.append(self._task(todo, others, queue))
            chosen.append(todo)
        if tasks:
            futures = self._executor.submit(tasks, len(self._again) + queue.ready)
            self._pending.update(zip(futures, chosen, strict=True))

    def _most(self, left: int) -> int:
        """Return how many may be handed out: the last ones only to workers that are free, for idle cores are theirs."""
        return self._executor.room if left >= self._executor.workers else self._executor.workers

    def _task(self, todo: PlannedFrame, others: int, queue: FrameQueue) -> FrameTask:
        return FrameTask(
            setup=self._setup,
            frame=todo.frame,
            files=self._files.get(todo.frame.path, ()),
            known_sha256=todo.known_sha256,
            may_be_ours=todo.may_be_ours,
            engines=1 if others >= self._executor.workers else None,
            taught=queue.taught(todo),
        )

    def _collect(self, queue: FrameQueue) -> None:
        """Wait a moment for frames to be done, and see to those that are."""
        done: set[Future[TaskOutcome]] = set()
        if self._pending:
            done, _ = wait(self._pending, timeout=_TICK_S, return_when=FIRST_COMPLETED)
        else:
            time.sleep(_TICK_S)
        for future in done:
            self._settle(self._pending.pop(future), future, queue)
        self._executor.watch()
        self._tally.running = min(len(self._pending), self._executor.workers)
        self._show.tick(self._tally)

    def _settle(self, todo: PlannedFrame, future: Future[TaskOutcome], queue: FrameQueue) -> None:
        done: TaskOutcome | None = None
        try:
            done = self._executor.collect(future)
        except WorkerLostError as exc:
            self._deaths[todo.frame.path] += exc.is_frames_fault
            if self._deaths[todo.frame.path] < _DEATHS:
                self._again.append(todo)
                return
            error = InternalError(f"a worker {exc} over it, twice: the file may be damaged, or the memory too small")
            self._notes.failure(todo, error, is_final=True)
        except TaskHungError as exc:
            self._notes.hung(todo, str(exc))
        except Exception as exc:
            self._notes.failure(todo, exc if isinstance(exc, NovaError) else InternalError(fault_text(exc)))
        else:
            self._notes.done(todo, done)
        queue.settled(todo, done)

    def _wind_up(self, queue: FrameQueue) -> None:
        """Wait a little for what is being worked on, unless a signal says to go at once; the rest is left."""
        for future in [f for f in self._pending if not f.running()]:
            if future.cancel():
                del self._pending[future]
        until_s = time.monotonic() + _GRACE_S
        may_finish = self._orders.signal is None or self._orders.finishes
        while self._pending and may_finish and time.monotonic() < until_s:
            self._collect(queue)
        if self._tally.stopped is None and self._tally.left:
            self._tally.stopped = "the time was up" if self._orders.signal is None else "it was interrupted"
