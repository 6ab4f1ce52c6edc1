"""A queue that orders the frames of each camera by time, and passes hints from solved frames to the next ones.

The first frame of a sequence is begun alone, and the others after it is done.  Each gets the scale, the parity and the
position that are known by then.  A wrong hint, such as the position after the telescope moved to a new target, costs
that frame a blind search; the next frames get better hints from it.
"""

from __future__ import annotations

import time
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from operator import itemgetter

from novacli.batch.frames.header_reader import Exposure, read_exposure
from novacli.batch.ledger.plan import PlannedFrame
from novacli.batch.records import RETRIABLE, FrameFile, SequenceHint, TaskOutcome
from novacli.rigs.store import POINTING_S

#: How many headers are read ahead.  Frames beyond them are ordered by folder and modification time alone, so that the
#: first frame is begun at once even if there are many.
_WINDOW = 128
#: The first frame of a sequence holds the others back for at most this long; a clouded one takes a minute.
_HOLD_S = 5.0
#: How many hints a sequence keeps, and how many of them a frame gets.
_MAX_KEPT, _MAX_PASSED = 64, 8

#: A sort key (whether the frame failed before, seconds since 1970, path), and the frame.
_Item = tuple[tuple[bool, float, str], PlannedFrame]


@dataclass(slots=True)
class _Sequence:
    """Frames that may be of one camera.

    Attributes
    ----------
    waiting
        The frames that are not begun, sorted.
    leader
        The path of the first frame while it is being solved.
    held_until_s
        The time at which the others stop waiting for the leader, by ``time.monotonic``.
    is_open
        True if a frame is done, so that the others need not wait.
    known
        (rig, target) → the time of the frame that was solved last, and its hint.
    """

    waiting: list[_Item] = field(default_factory=list)
    held_until_s: float = 0.0
    leader: str | None = None
    is_open: bool = False
    known: dict[tuple[str, str], tuple[float, SequenceHint]] = field(default_factory=dict)

    def may_begin(self, now_s: float) -> bool:
        return self.is_open or self.leader is None or now_s >= self.held_until_s

    def learn(self, taken_s: float, hint: SequenceHint) -> None:
        key = (hint.rig, hint.target)
        self.known.pop(key, None)
        self.known[key] = (taken_s, hint)
        while len(self.known) > _MAX_KEPT:
            del self.known[next(iter(self.known))]

    def hints(self, taken_s: float) -> tuple[SequenceHint, ...]:
        """Return the hints for a frame, the nearest in time first; positions are left out after some hours."""
        near = sorted(((abs(taken_s - then_s), hint) for then_s, hint in self.known.values()), key=itemgetter(0))
        return tuple(
            hint if apart_s < POINTING_S else replace(hint, centre_deg=None) for apart_s, hint in near[:_MAX_PASSED]
        )


class SequenceQueue:
    """Orders frames by camera and time, which ``read`` returns for each."""

    def __init__(self, read: Callable[[FrameFile], Exposure] = read_exposure) -> None:
        self._read = read
        self._unread: deque[PlannedFrame] = deque()
        self._sequences: dict[str, _Sequence] = {}
        #: The sequences with frames that are not begun; the one in progress comes first.
        self._busy: dict[str, _Sequence] = {}
        self._in_order = 0
        #: Path → (sequence, time) of the frames that were taken and are not done.
        self._taken: dict[str, tuple[str, float]] = {}

    def add(self, planned: Iterable[PlannedFrame]) -> None:
        """Add frames."""
        came = sorted(planned, key=lambda item: (_has_failed(item), item.frame.root or "", *_order(item)))
        self._unread.extend(came)

    def take(self) -> PlannedFrame | None:
        """Remove and return the next frame of the sequence in progress, else of another one that need not wait."""
        self._look_ahead()
        now_s = time.monotonic()
        free = [(name, each) for name, each in self._busy.items() if each.may_begin(now_s)]
        if not free:
            return None
        # Frames that failed before come after all others.
        name, chosen = min(free, key=lambda pair: pair[1].waiting[0][0][0])
        (_, taken_s, path), planned = chosen.waiting.pop(0)
        self._in_order -= 1
        if not chosen.waiting:
            del self._busy[name]
        if not chosen.is_open and planned.known_content is None:
            chosen.leader, chosen.held_until_s = path, now_s + _HOLD_S
        self._taken[path] = (name, taken_s)
        return planned

    def hints(self, planned: PlannedFrame) -> tuple[SequenceHint, ...]:
        """Return the hints from earlier frames of its sequence."""
        name, taken_s = self._taken[planned.frame.path]
        return self._sequences[name].hints(taken_s)

    def finish(self, planned: PlannedFrame, outcome: TaskOutcome | None) -> None:
        """Store the frame's hint, and let the frames begin that waited for it."""
        name, taken_s = self._taken.pop(planned.frame.path)
        sequence = self._sequences[name]
        if sequence.leader == planned.frame.path:
            sequence.leader = None
        if outcome is None or outcome.result is not None:
            sequence.is_open = True  # also if it is unsolved: in a cloudy night frames need not wait for each other
        if outcome is not None and outcome.hint is not None:
            sequence.learn(taken_s, outcome.hint)

    @property
    def ready(self) -> int:
        """The number of frames that could be begun now."""
        now_s = time.monotonic()
        return sum(len(each.waiting) for each in self._busy.values() if each.may_begin(now_s))

    def __len__(self) -> int:
        """Return the number of frames that are not begun."""
        return len(self._unread) + self._in_order

    def _look_ahead(self) -> None:
        while self._unread and self._in_order < _WINDOW:
            planned = self._unread.popleft()
            exposure = self._read(planned.frame)
            sequence = self._sequences.setdefault(exposure.group, _Sequence())
            insort(
                sequence.waiting,
                ((_has_failed(planned), exposure.taken_s, planned.frame.path), planned),
                key=itemgetter(0),
            )
            self._busy[exposure.group] = sequence
            self._in_order += 1


def _has_failed(planned: PlannedFrame) -> bool:
    return planned.record is not None and planned.record.fate == RETRIABLE


def _order(planned: PlannedFrame) -> tuple[str, int, str]:
    folder = planned.frame.path.rpartition("/")[0]
    return folder, planned.frame.mtime_ns, planned.frame.path
