"""Where the frames of a run come from over time, and the queues in which they wait to be begun.

A listing gives all at once, but for those that may still be being written; a watched folder would give them as they
land.  A queue holds what has come and is not begun: first in, first out here; one that hands the answer of a frame on
to the next ones would hold those back until it is :meth:`~FrameQueue.settled`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from novacli.batch.frames.listing import frame_at, is_settled
from novacli.batch.ledger.plan import PlannedFrame
from novacli.batch.records import SequenceHint, TaskOutcome


class FrameFeed(Protocol):
    """Something that frames to do come from."""

    def poll(self) -> Sequence[PlannedFrame]:
        """Return what has come since the last time; called a few times a second."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        ...


class ListFeed:
    """Frames of a list.  One that was written to a moment ago comes once it was let be for ``settle_s`` seconds.

    ``give_up`` hears of those that are written to meanwhile, or removed (``is_gone``): they are for the next run.
    """

    def __init__(
        self,
        todo: Iterable[PlannedFrame],
        settle_s: float,
        give_up: Callable[[PlannedFrame, bool], None],
        now_s: float | None = None,
    ) -> None:
        now_s = time.time() if now_s is None else now_s
        self._ready: list[PlannedFrame] = []
        self._young: list[PlannedFrame] = []
        for item in todo:
            (self._ready if is_settled(item.frame, now_s, settle_s) else self._young).append(item)
        self._due_s = time.monotonic() + settle_s
        self._give_up = give_up

    @property
    def is_over(self) -> bool:
        """Whether all have come."""
        return not (self._ready or self._young)

    def poll(self) -> Sequence[PlannedFrame]:
        """Return those that are ready."""
        if self._young and time.monotonic() >= self._due_s:
            self._ready += filter(None, map(self._look_again, self._young))
            self._young = []
        ready, self._ready = self._ready, []
        return ready

    def _look_again(self, todo: PlannedFrame) -> PlannedFrame | None:
        try:
            now = frame_at(todo.frame.path, todo.frame.root)
        except (OSError, ValueError):
            self._give_up(todo, True)
            return None
        if now != todo.frame:
            self._give_up(replace(todo, frame=now), False)
            return None
        return todo


class FrameQueue(Protocol):
    """What has come and is not begun."""

    def add(self, todo: Iterable[PlannedFrame]) -> None:
        """Take what has come."""
        ...

    def take(self) -> PlannedFrame | None:
        """Return the next one to begin, None where none may be begun now."""
        ...

    def settled(self, todo: PlannedFrame, done: TaskOutcome | None) -> None:
        """Hear what came of one that was taken; None where nothing did."""
        ...

    def taught(self, todo: PlannedFrame) -> tuple[SequenceHint, ...]:
        """Return what other frames taught of one that was taken, the nearest first."""
        ...

    @property
    def ready(self) -> int:
        """How many could be begun now, as far as that is known."""
        ...

    def __len__(self) -> int:
        """Return how many are not begun."""
        ...


class FifoQueue:
    """First come, first served."""

    def __init__(self) -> None:
        self._waiting: deque[PlannedFrame] = deque()

    def add(self, todo: Iterable[PlannedFrame]) -> None:
        """Take what has come."""
        self._waiting.extend(todo)

    def take(self) -> PlannedFrame | None:
        """Return the one that has waited longest."""
        return self._waiting.popleft() if self._waiting else None

    def settled(self, todo: PlannedFrame, done: TaskOutcome | None) -> None:
        """Do nothing: no frame waits for another."""

    def taught(self, todo: PlannedFrame) -> tuple[SequenceHint, ...]:
        """Return nothing: no frame says anything of another."""
        del todo
        return ()

    @property
    def ready(self) -> int:
        """All of them."""
        return len(self)

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)
