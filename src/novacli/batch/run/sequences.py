"""A queue that makes sequences of the frames of a camera, by time, and hands on what each solved one taught.

The first frame of a sequence goes alone, the others once it is done, each with what is known by then: scale, parity and
position.  Whatever of that is wrong, such as the position after the telescope was turned to a new target, costs that
frame a blind search, and the next ones know better.
"""

from __future__ import annotations

import time
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from operator import itemgetter

from novacli.batch.frames.header_reader import Exposure, glance
from novacli.batch.ledger.plan import PlannedFrame
from novacli.batch.records import RETRIABLE, FrameFile, SequenceHint, TaskOutcome
from novacli.rigs.store import POINTING_S

#: So many frames are in order at a time, later ones by folder and last change alone: the first is begun at once,
#: however many there are.
_WINDOW = 128
#: The first frame of a sequence holds the others back for so long at most: one that hides behind clouds takes a minute.
_HOLD_S = 5.0
#: What is kept of a sequence's cameras and targets, and what of it goes with a frame.
_MOST_KEPT, _MOST_HANDED = 64, 8

#: (whether it failed before, seconds since 1970, path), and the frame: in the order in which frames are begun.
_Item = tuple[tuple[bool, float, str], PlannedFrame]


@dataclass(slots=True)
class _Sequence:
    """Frames that may be of one camera; ``held_until_s`` is by ``time.monotonic``."""

    waiting: list[_Item] = field(default_factory=list)
    held_until_s: float = 0.0
    leader: str | None = None
    is_open: bool = False
    #: (rig, target) → when the frame was taken, and what it taught.
    known: dict[tuple[str, str], tuple[float, SequenceHint]] = field(default_factory=dict)

    def may_begin(self, now_s: float) -> bool:
        return self.is_open or self.leader is None or now_s >= self.held_until_s

    def learn(self, taken_s: float, taught: SequenceHint) -> None:
        key = (taught.rig, taught.target)
        self.known.pop(key, None)
        self.known[key] = (taken_s, taught)
        while len(self.known) > _MOST_KEPT:
            del self.known[next(iter(self.known))]

    def handed(self, taken_s: float) -> tuple[SequenceHint, ...]:
        """Return what is known, the nearest in time first; where a frame looks, none knows hours later."""
        near = sorted(((abs(taken_s - then_s), taught) for then_s, taught in self.known.values()), key=itemgetter(0))
        return tuple(
            taught if apart_s < POINTING_S else replace(taught, centre_deg=None)
            for apart_s, taught in near[:_MOST_HANDED]
        )


class SequenceQueue:
    """Frames by camera and time, which ``glance`` tells of each."""

    def __init__(self, glance: Callable[[FrameFile], Exposure] = glance) -> None:
        self._glance = glance
        self._unseen: deque[PlannedFrame] = deque()
        self._sequences: dict[str, _Sequence] = {}
        #: Those that have frames which are not begun, the one that is being worked on first.
        self._busy: dict[str, _Sequence] = {}
        self._in_order = 0
        #: Path → (sequence, time) of frames that were taken.
        self._taken: dict[str, tuple[str, float]] = {}

    def add(self, todo: Iterable[PlannedFrame]) -> None:
        """Take what has come."""
        came = sorted(todo, key=lambda item: (_is_again(item), item.frame.root or "", *_place(item)))
        self._unseen.extend(came)

    def take(self) -> PlannedFrame | None:
        """Return the next frame of the sequence that is being worked on, else of another one that need not wait."""
        self._look_ahead()
        now_s = time.monotonic()
        free = [(name, each) for name, each in self._busy.items() if each.may_begin(now_s)]
        if not free:
            return None
        # Those that failed before come after all others.
        name, chosen = min(free, key=lambda pair: pair[1].waiting[0][0][0])
        (_, taken_s, path), todo = chosen.waiting.pop(0)
        self._in_order -= 1
        if not chosen.waiting:
            del self._busy[name]
        if not chosen.is_open and todo.known_sha256 is None:
            chosen.leader, chosen.held_until_s = path, now_s + _HOLD_S
        self._taken[path] = (name, taken_s)
        return todo

    def taught(self, todo: PlannedFrame) -> tuple[SequenceHint, ...]:
        """Return what earlier frames of its sequence taught."""
        name, taken_s = self._taken[todo.frame.path]
        return self._sequences[name].handed(taken_s)

    def settled(self, todo: PlannedFrame, done: TaskOutcome | None) -> None:
        """Hear what a frame taught, and let those go that waited for it."""
        name, taken_s = self._taken.pop(todo.frame.path)
        sequence = self._sequences[name]
        if sequence.leader == todo.frame.path:
            sequence.leader = None
        if done is None or done.result is not None:
            sequence.is_open = True  # solved or not: a cloudy night's frames do not wait for one another
        if done is not None and done.taught is not None:
            sequence.learn(taken_s, done.taught)

    @property
    def ready(self) -> int:
        """How many could be begun now."""
        now_s = time.monotonic()
        return sum(len(each.waiting) for each in self._busy.values() if each.may_begin(now_s))

    def __len__(self) -> int:
        """Return how many are not begun."""
        return len(self._unseen) + self._in_order

    def _look_ahead(self) -> None:
        while self._unseen and self._in_order < _WINDOW:
            todo = self._unseen.popleft()
            seen = self._glance(todo.frame)
            sequence = self._sequences.setdefault(seen.group, _Sequence())
            insort(sequence.waiting, ((_is_again(todo), seen.taken_s, todo.frame.path), todo), key=itemgetter(0))
            self._busy[seen.group] = sequence
            self._in_order += 1


def _is_again(todo: PlannedFrame) -> bool:
    return todo.known is not None and todo.known.fate == RETRIABLE


def _place(todo: PlannedFrame) -> tuple[str, int, str]:
    folder = todo.frame.path.rpartition("/")[0]
    return folder, todo.frame.mtime_ns, todo.frame.path
