"""Frames as they land in folders that are watched, for a whole night.

Folders are looked at every few seconds, which works on NFS too, where no machine hears of what another one writes.
They are listed only where one has changed, or once a minute, and never so often that it takes more than a hundredth of
a core; what is young is looked at by itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from novacli.batch.frames.listing import FoundFrames, find_frames, frame_at, identity_of, is_settled
from novacli.batch.ledger.plan import PlannedFrame, is_denied
from novacli.batch.records import RETRIABLE, WAITING, FrameFile, FrameRecord, TaskOutcome
from novacli.errors import NovaError
from novacli.text.printable import shown_name
from novacli.text.quantities import count_text
from solvehost.errors import SolvehostError
from solvehost.formats import fitsfile

#: A listing takes no more than this part of a core.
_SHARE = 0.01
#: Folders that have not changed are listed again after so long: a frame may have been written anew in place.
_RELIST_S = 60.0
#: A folder that changed less than so long before it was listed may have changed after it, in one tick of its clock.
_TICK_NS = 2_000_000_000
#: A FITS file that is shorter than its headers say, or an empty file, is still being written for so long.
_CUT_SHORT_S = 30.0
#: A frame that failed in a way that may pass is tried again after so long, and so often.
_AGAIN_S = 600.0
_MOST_AGAIN = 3
#: Names of files that are still being written, whatever pattern matches.
_UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", "~")


class WatchPlanner(Protocol):
    """Who knows what is known of frames."""

    def todo(self, frames: Sequence[FrameFile]) -> Sequence[PlannedFrame]:
        """Return what is to be done of frames that have settled."""
        ...

    def known(self, path: str) -> FrameRecord | None:
        """Return what is known of a frame."""
        ...

    def anew(self, paths: Iterable[str]) -> None:
        """Hear that these folders are there again, perhaps on another device."""
        ...


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """How to watch: times in seconds, ``ends_s`` since 1970; ``idle_s`` is how long nothing may come before the end."""

    settle_s: float = 2.0
    poll_s: float = 2.0
    ends_s: float = float("inf")
    idle_s: float = float("inf")
    patterns: tuple[str, ...] = ()
    newer_s: float | None = None
    exclude: tuple[str, ...] = ()


class WatchFeed:
    """A feed of frames as they settle; ``folders`` are absolute.

    ``seen`` has the frames that were given or left as they are, ``under_way`` those given that are not done with, and
    ``young`` those that may still be being written, with the time since when they are as they are.
    """

    def __init__(
        self, folders: Sequence[str], terms: WatchSettings, judge: WatchPlanner, say: Callable[[str], None]
    ) -> None:
        self._terms, self._judge = terms, judge
        self._roots = [_Root(folder, say) for folder in folders]
        self._say = say
        #: Path → when it is tried again, by ``time.monotonic``.
        self._again: dict[str, float] = {}
        self._tries: dict[str, int] = {}
        #: Frames that permissions were against, which change neither a file's time nor its folder's.
        self._denied: set[str] = set()
        self._stamps: dict[str, int] = {}
        self._told: set[str] = set()
        self._look_s = self._list_s = self._relist_s = 0.0
        self._last_news_s = time.monotonic()
        self._has_closed = False
        self.seen: dict[str, tuple[int, int]] = {}
        self.young: dict[str, tuple[FrameFile, float]] = {}
        self.under_way: set[str] = set()
        self.siblings: tuple[FrameFile, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        if self._has_closed:
            return not self.young
        now_s = time.monotonic()
        if self.under_way or self.young:
            self._last_news_s = now_s
        return now_s - self._last_news_s >= self._terms.idle_s

    def poll(self) -> Sequence[PlannedFrame]:
        """Return what has settled since the last time."""
        now_s = time.monotonic()
        if now_s < self._look_s or (self._has_closed and not self.young):
            return ()
        self._look_s = now_s + self._terms.poll_s
        if not self._has_closed:
            closes = time.time() >= self._terms.ends_s
            if closes or (now_s >= self._list_s and self._is_changed(now_s)):
                self._list(now_s)
            self._has_closed = closes
        self._take_again(now_s)
        return self._ripe(now_s)

    def settled(self, todo: PlannedFrame, done: TaskOutcome | None) -> None:
        """Hear that a frame that was given is done with; what may be done another time is tried again later."""
        del done
        path = todo.frame.path
        self.under_way.discard(path)
        known = self._judge.known(path)
        may_wait = known is not None and (known.fate in (RETRIABLE, WAITING) or is_denied(known))
        if known is None or not may_wait:
            self._tries.pop(path, None)
            return
        tries = self._tries[path] = self._tries.get(path, 0) + 1
        if tries >= _MOST_AGAIN:  # also where permissions only seem to allow it
            return
        if is_denied(known):
            self._denied.add(path)
        else:
            self._again[path] = time.monotonic() + _AGAIN_S

    # -- listing --------------------------------------------------------------------------------------------------

    def _is_changed(self, now_s: float) -> bool:
        """Say whether there is a reason to list the folders."""
        if now_s >= self._relist_s or any(root.is_away for root in self._roots):
            return True
        return any(_stamp(folder) != stamp for folder, stamp in self._stamps.items())

    def _list(self, now_s: float) -> None:
        """List the folders that are there, and see which frames are new or have changed."""
        began_s, now_ns = time.monotonic(), time.time_ns()
        here = []
        for root in self._roots:
            found = self._found(root)
            back = root.look(found)
            if back:
                self._forget_waiting(root)
            if found is not None and not root.is_away:
                here.append(found)
        self._tell([remark for found in here for remark in found.remarks])
        self.siblings = tuple(frame for found in here for frame in found.frames)
        for path in self._denied:
            self.seen.pop(path, None)
        self._denied.clear()
        for frame in self.siblings:
            self._see(frame, now_s)
        self._stamps = {}
        for folder in {folder for found in here for folder in found.folders}:
            stamp = _stamp(folder)
            self._stamps[folder] = -1 if now_ns - stamp < _TICK_NS else stamp
        ended_s = time.monotonic()
        self._list_s = ended_s + (ended_s - began_s) / _SHARE
        self._relist_s = ended_s + _RELIST_S

    def _found(self, root: _Root) -> FoundFrames | None:
        """Return the frames below a folder; None where it cannot be listed."""
        terms = self._terms
        try:
            return find_frames([root.path], patterns=terms.patterns, newer_s=terms.newer_s, exclude=terms.exclude)
        except NovaError:
            return None

    def _forget_waiting(self, root: _Root) -> None:
        """Have the frames of a folder that is there again done that waited for it."""
        self._judge.anew([root.path])
        for path in [path for path in self.seen if _is_below(path, root.path)]:
            known = self._judge.known(path)
            if path not in self.under_way and known is not None and known.fate in (RETRIABLE, WAITING):
                del self.seen[path]

    def _tell(self, remarks: Sequence[str]) -> None:
        """Say what could not be looked at, once until it can."""
        for remark in remarks:
            if remark not in self._told:
                self._say(remark)
        self._told = set(remarks)

    def _see(self, frame: FrameFile, now_s: float) -> None:
        path, sign = frame.path, (frame.size, frame.mtime_ns)
        if self.seen.get(path) == sign or path.lower().endswith(_UNFINISHED):
            return
        known = self.young.get(path)
        if known is None or known[0] != frame:
            self.young[path] = (frame, now_s)

    # -- settling -------------------------------------------------------------------------------------------------

    def _take_again(self, now_s: float) -> None:
        for path in [path for path, due_s in self._again.items() if now_s >= due_s]:
            del self._again[path]
            size, mtime_ns = self.seen.pop(path, (0, 0))
            root = next((root.path for root in self._roots if _is_below(path, root.path)), None)
            self.young.setdefault(path, (FrameFile(path, size, mtime_ns, root), now_s))

    def _ripe(self, now_s: float) -> Sequence[PlannedFrame]:
        """Return what is to be done of the young frames that nobody writes to any more."""
        ripe: list[FrameFile] = []
        wall_s = time.time()
        for path, (before, since_s) in list(self.young.items()):
            try:
                now = frame_at(path, before.root)
            except (OSError, ValueError):  # it was removed, or its disk is gone
                del self.young[path]
                continue
            if now != before:
                self.young[path] = (now, now_s)
            quiet_s = now_s - since_s if now == before else 0.0
            if path not in self.under_way and self._is_settled(now, quiet_s, wall_s):
                ripe.append(now)
                del self.young[path]
        return self._given(ripe, now_s) if ripe else ()

    def _is_settled(self, frame: FrameFile, quiet_s: float, wall_s: float) -> bool:
        """Say whether nobody writes to a file any more, which was as it is for ``quiet_s`` seconds."""

        def is_let_be(settle_s: float) -> bool:
            return quiet_s >= settle_s or is_settled(frame, wall_s, settle_s)

        if is_let_be(self._terms.settle_s):
            # A camera's program may pause in the middle, and NFS tells of what another machine writes only later.
            return is_let_be(_CUT_SHORT_S) or _is_whole(frame) is not False
        return _is_put_in_place(frame)

    def _given(self, ripe: Sequence[FrameFile], now_s: float) -> Sequence[PlannedFrame]:
        self.seen |= {frame.path: (frame.size, frame.mtime_ns) for frame in ripe}
        given = self._judge.todo(ripe)
        self.under_way |= {todo.frame.path for todo in given}
        left = {frame.path for frame in ripe} - self.under_way
        self._denied |= {path for path in left if (known := self._judge.known(path)) and is_denied(known)}
        if given:
            self._last_news_s = now_s
        return given


class _Root:
    """A folder that is watched, which may go away with its disk and come back."""

    def __init__(self, path: str, say: Callable[[str], None]) -> None:
        self.path, self._say = path, say
        self.is_away = False
        self._identity = identity_of(path)
        self._frames = 0

    def look(self, found: FoundFrames | None) -> bool:
        """Hear what a listing found, None for nothing; return whether the folder is there again.

        An empty folder in place of one that had frames is where a disk should be mounted; a new device that has frames
        is the disk, mounted anew.
        """
        identity = identity_of(self.path)
        is_other = identity != self._identity
        is_away = found is None or identity is None or (is_other and self._frames > 0 and not found.frames)
        was_away, self.is_away = self.is_away, is_away
        if is_away and not was_away:
            self._say(f"{shown_name(self.path)} is not there any more: check the mount; its frames wait")
        if found is None or is_away:
            return False
        if was_away:
            self._say(f"{shown_name(self.path)} is there again, with {count_text(len(found.frames), 'frame')}")
        self._identity, self._frames = identity, len(found.frames)
        return was_away or is_other


def _stamp(folder: str) -> int:
    """Return when a folder's list of names changed, in nanoseconds; 0 where it is gone."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116
    except (OSError, ValueError):
        return 0


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _is_put_in_place(frame: FrameFile) -> bool:
    """Say whether a file was written under another name and is whole: then nobody waits for it to settle.

    What changes a file's status and not its content, as a rename does, leaves the two times apart.  Programs do other
    things of the kind while they write, so only FITS images are taken by that, whose length their headers tell.
    """
    try:
        status = os.stat(frame.path)  # noqa: PTH116
    except (OSError, ValueError):
        return False
    return status.st_ctime_ns > status.st_mtime_ns and _is_whole(frame) is True


def _is_whole(frame: FrameFile) -> bool | None:
    """Say whether a FITS file is as long as its headers say; None where it is no FITS file, or cannot be read."""
    try:
        with open(frame.path, "rb") as file:  # noqa: PTH123
            if file.read(6) != b"SIMPLE":
                return None if frame.size else False
            file.seek(0)
            return sum(1 for _ in fitsfile.iter_hdus(file)) > 0
    except (OSError, ValueError):
        return None
    except SolvehostError:
        return False
