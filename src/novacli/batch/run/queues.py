"""The feeds that the frames of a run come from, and the queues in which they wait.

A feed yields frames over time.  :class:`ListFeed` yields all frames of a list at once, except those that may still be
incomplete; :class:`~novacli.batch.frames.watch.WatchFeed` yields the frames of a folder as they land.  A queue holds
the frames that are not begun yet.  :class:`FifoQueue` is first in, first out;
:class:`~novacli.batch.run.sequences.SequenceQueue` holds frames back until an earlier one of their camera is done.
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
    """Yields the planned frames of a run, as they become ready."""

    def poll(self) -> Sequence[PlannedFrame]:
        """Return the frames that became ready since the last call; called a few times a second."""
        ...

    @property
    def is_over(self) -> bool:
        """True if no more frames will come."""
        ...


class ListFeed:
    """Yields the frames of a list.  Those that were changed a moment ago come after ``settle_s`` seconds.

    Parameters
    ----------
    planned
        The frames.
    settle_s
        How many seconds a file must be unchanged.
    leave
        Called with each frame that was changed or removed (``is_gone``) meanwhile, and is left for the next run.
    now_s
        The present time in seconds since 1970, in place of the clock's.
    """

    def __init__(
        self,
        planned: Iterable[PlannedFrame],
        settle_s: float,
        leave: Callable[[PlannedFrame, bool], None],
        now_s: float | None = None,
    ) -> None:
        now_s = time.time() if now_s is None else now_s
        self._ready: list[PlannedFrame] = []
        self._young: list[PlannedFrame] = []
        for item in planned:
            (self._ready if is_settled(item.frame, now_s, settle_s) else self._young).append(item)
        self._due_s = time.monotonic() + settle_s
        self._leave = leave

    @property
    def is_over(self) -> bool:
        """True if all frames have come."""
        return not (self._ready or self._young)

    def poll(self) -> Sequence[PlannedFrame]:
        """Return the frames that are ready."""
        if self._young and time.monotonic() >= self._due_s:
            self._ready += filter(None, map(self._look_again, self._young))
            self._young = []
        ready, self._ready = self._ready, []
        return ready

    def _look_again(self, planned: PlannedFrame) -> PlannedFrame | None:
        try:
            now = frame_at(planned.frame.path, planned.frame.root)
        except (OSError, ValueError):
            self._leave(planned, True)
            return None
        if now != planned.frame:
            self._leave(replace(planned, frame=now), False)
            return None
        return planned


class FrameQueue(Protocol):
    """Holds the frames that are not begun."""

    def add(self, planned: Iterable[PlannedFrame]) -> None:
        """Add frames."""
        ...

    def take(self) -> PlannedFrame | None:
        """Remove and return the next frame to begin; None if none may be begun now."""
        ...

    def finish(self, planned: PlannedFrame, outcome: TaskOutcome | None) -> None:
        """Finish a frame that was taken; ``outcome`` is None if its task ended without one."""
        ...

    def hints(self, planned: PlannedFrame) -> tuple[SequenceHint, ...]:
        """Return the hints from other frames for one that was taken, the nearest in time first."""
        ...

    @property
    def ready(self) -> int:
        """The number of frames that could be begun now, as far as that is known."""
        ...

    def __len__(self) -> int:
        """Return the number of frames that are not begun."""
        ...


class FifoQueue:
    """First in, first out."""

    def __init__(self) -> None:
        self._waiting: deque[PlannedFrame] = deque()

    def add(self, planned: Iterable[PlannedFrame]) -> None:
        """Add frames."""
        self._waiting.extend(planned)

    def take(self) -> PlannedFrame | None:
        """Remove and return the frame that has waited longest."""
        return self._waiting.popleft() if self._waiting else None

    def finish(self, planned: PlannedFrame, outcome: TaskOutcome | None) -> None:
        """Do nothing: no frame waits for another one."""

    def hints(self, planned: PlannedFrame) -> tuple[SequenceHint, ...]:
        """Return no hints."""
        del planned
        return ()

    @property
    def ready(self) -> int:
        """The number of frames that wait."""
        return len(self)

    def __len__(self) -> int:
        """Return the number of frames that wait."""
        return len(self._waiting)
