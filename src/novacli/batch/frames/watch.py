"""Yields the frames that land in watched folders, for a whole night.

Folders are checked every few seconds, which works on NFS too, where a machine is not notified of what another one
writes.  They are listed only after one of them changed, or once a minute, and never so often that listing takes more
than one hundredth of a core.  Files that may be incomplete are checked one by one.  The states of a path, and the
events that change them, are described in :mod:`~novacli.batch.frames.watched_paths`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from novacli.batch.frames.listing import FoundFrames, find_frames, frame_at, is_settled
from novacli.batch.frames.watched_folder import WatchedFolder, changed_ns, is_below
from novacli.batch.frames.watched_paths import PathState, WatchedPath, WatchedPaths
from novacli.batch.ledger.plan import PlannedFrame, is_denied
from novacli.batch.records import RETRIABLE, WAITING, FrameFile, FrameRecord
from novacli.errors import NovaError
from solvehost.formats import fitsfile
from solvehost.record import record

#: Listing the folders takes at most this part of a core.
_LISTING_SHARE = 0.01
#: Folders that have not changed are listed again after this time: a frame may have been rewritten in place.
_RELIST_S = 60.0
#: A folder that changed less than this before it was listed may have changed again within one tick of its clock.
_TICK_NS = 2_000_000_000
#: How long a FITS file that is shorter than its headers say, or an empty file, counts as incomplete.
_INCOMPLETE_S = 30.0
#: A frame that failed for a reason that may pass is tried again after this time, and at most this many times in all.
_RETRY_S = 600.0
_MAX_TRIES = 3
#: Suffixes of files that are incomplete, whatever pattern matches.
_INCOMPLETE_SUFFIXES = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", "~")


class WatchPlanner(Protocol):
    """Decides which frames a run has to solve, and knows their records."""

    def plan(self, frames: Sequence[FrameFile], siblings: Sequence[FrameFile]) -> Sequence[PlannedFrame]:
        """Return what is to be done with frames that are settled; ``siblings`` are all frames of the folders."""
        ...

    def record(self, path: str) -> FrameRecord | None:
        """Return the record of a frame."""
        ...

    def forget_folders(self, paths: Iterable[str]) -> None:
        """Accept that these folders exist again, perhaps on another device."""
        ...


@record
class WatchSettings:
    """How to watch folders.

    Attributes
    ----------
    settle_s
        A file is complete if it has not changed for this many seconds.
    poll_s
        How often the folders are checked, in seconds.
    ends_s
        When to stop, in seconds since 1970.
    idle_s
        Stop if nothing landed for this many seconds.
    patterns, newer_s, exclude
        Which files are frames, as for :func:`~novacli.batch.frames.listing.find_frames`.
    """

    settle_s: float = 2.0
    poll_s: float = 2.0
    ends_s: float = float("inf")
    idle_s: float = float("inf")
    patterns: tuple[str, ...] = ()
    newer_s: float | None = None
    exclude: tuple[str, ...] = ()


class WatchFeed:
    """Yields frames as they are settled.

    Parameters
    ----------
    folders
        Absolute paths.
    settings
        How to watch them.
    planner
        Decides what is to be done with each frame.
    say
        Shows a line to the user.
    """

    def __init__(
        self, folders: Sequence[str], settings: WatchSettings, planner: WatchPlanner, say: Callable[[str], None]
    ) -> None:
        self._settings, self._planner, self._say = settings, planner, say
        self._folders = [WatchedFolder(folder, say) for folder in folders]
        self._paths = WatchedPaths()
        self._siblings: tuple[FrameFile, ...] = ()
        #: Folder → the time of its last change when it was listed.
        self._changed_ns: dict[str, int] = {}
        self._shown_remarks: frozenset[str] = frozenset()
        self._next_poll_s = self._next_list_s = self._relist_at_s = 0.0
        self._last_news_s = time.monotonic()
        self._has_closed = False

    @property
    def is_over(self) -> bool:
        """True if no more frames will come."""
        if self._has_closed:
            return not self._paths.has(PathState.YOUNG)
        now_s = time.monotonic()
        if self._paths.has(PathState.YOUNG, PathState.GIVEN):
            self._last_news_s = now_s
        return now_s - self._last_news_s >= self._settings.idle_s

    def poll(self) -> Sequence[PlannedFrame]:
        """Return the frames that were settled since the last call."""
        now_s = time.monotonic()
        if now_s < self._next_poll_s or (self._has_closed and not self._paths.has(PathState.YOUNG)):
            return ()
        self._next_poll_s = now_s + self._settings.poll_s
        if not self._has_closed:
            closes = time.time() >= self._settings.ends_s
            if closes or (now_s >= self._next_list_s and self._must_list(now_s)):
                self._list(now_s)
            self._has_closed = closes
        self._start_retries(now_s)
        settled = list(self._settled(now_s))
        return self._planned(settled, now_s) if settled else ()

    def finish(self, planned: PlannedFrame) -> None:
        """Finish a frame that the run is done with; one that may succeed later is tried again."""
        path = planned.frame.path
        watched = self._paths.get(path)
        if watched is None:
            return
        record = self._planner.record(path)
        denied = record is not None and is_denied(record)
        may_pass = record is not None and (denied or record.fate in (RETRIABLE, WAITING))
        watched.tries = watched.tries + 1 if may_pass else 0
        if watched.has_changed:
            self._paths.make_young(path, watched.file, watched.since_s)
        elif not may_pass or watched.tries >= _MAX_TRIES:  # also if permissions only seem to allow it
            self._paths.move(watched, PathState.LEFT)
        elif denied:
            self._paths.move(watched, PathState.DENIED)
        else:
            watched.retry_at_s = time.monotonic() + _RETRY_S
            self._paths.move(watched, PathState.RETRY)

    def planned_paths(self) -> frozenset[str]:
        """Return the paths about which the planner has decided, except those that are unfinished."""
        unfinished = self.unfinished_paths()
        return frozenset(each.file.path for each in self._paths if each.was_planned) - unfinished

    def unfinished_paths(self) -> frozenset[str]:
        """Return the paths whose files may be incomplete, or whose frames the run is not done with."""
        return frozenset(each.file.path for each in self._paths.in_state(PathState.YOUNG, PathState.GIVEN))

    # -- listing --------------------------------------------------------------------------------------------------

    def _must_list(self, now_s: float) -> bool:
        """Return True if there is a reason to list the folders."""
        if now_s >= self._relist_at_s or any(folder.is_away for folder in self._folders):
            return True
        return any(changed_ns(folder) != before for folder, before in self._changed_ns.items())

    def _list(self, now_s: float) -> None:
        """List the folders, and find the frames that are new or have changed."""
        began_s, now_ns = time.monotonic(), time.time_ns()
        listings = []
        for folder in self._folders:
            found = self._find(folder)
            if folder.update(found):
                self._retry_waiting(folder)
            if found is not None and not folder.is_away:
                listings.append(found)
        self._show_remarks([remark for found in listings for remark in found.remarks])
        self._siblings = tuple(frame for found in listings for frame in found.frames)
        for watched in self._paths.in_state(PathState.DENIED):
            self._paths.make_young(watched.file.path, watched.file, now_s)
        for frame in self._siblings:
            self._see(frame, now_s)
        times = {folder: changed_ns(folder) for found in listings for folder in found.folders}
        self._changed_ns = {folder: -1 if now_ns - ns < _TICK_NS else ns for folder, ns in times.items()}
        ended_s = time.monotonic()
        self._next_list_s = ended_s + (ended_s - began_s) / _LISTING_SHARE
        self._relist_at_s = ended_s + _RELIST_S

    def _find(self, folder: WatchedFolder) -> FoundFrames | None:
        """Return the frames below a folder; None if it cannot be listed."""
        s = self._settings
        try:
            return find_frames([folder.path], patterns=s.patterns, newer_s=s.newer_s, exclude=s.exclude)
        except NovaError:
            return None

    def _retry_waiting(self, folder: WatchedFolder) -> None:
        """Try the frames again that waited for a folder which exists again."""
        self._planner.forget_folders([folder.path])
        for watched in self._paths.in_state(PathState.RETRY, PathState.LEFT):
            path = watched.file.path
            record = self._planner.record(path)
            if record is not None and record.fate in (RETRIABLE, WAITING) and is_below(path, folder.path):
                self._paths.make_young(path, watched.file, time.monotonic())

    def _show_remarks(self, remarks: Sequence[str]) -> None:
        """Show remarks on paths that could not be read, each once until the path can be read again."""
        for remark in remarks:
            if remark not in self._shown_remarks:
                self._say(remark)
        self._shown_remarks = frozenset(remarks)

    def _see(self, frame: FrameFile, now_s: float) -> None:
        """Compare a file of a listing with what is known of its path."""
        watched = self._paths.get(frame.path)
        if frame.path.lower().endswith(_INCOMPLETE_SUFFIXES) or (watched is not None and watched.file == frame):
            return
        if watched is not None and watched.state is PathState.GIVEN:
            watched.file, watched.since_s, watched.has_changed = frame, now_s, True
        else:
            self._paths.make_young(frame.path, frame, now_s)

    # -- settling -------------------------------------------------------------------------------------------------

    def _start_retries(self, now_s: float) -> None:
        for watched in self._paths.in_state(PathState.RETRY):
            if now_s >= watched.retry_at_s:
                self._paths.make_young(watched.file.path, watched.file, now_s)

    def _settled(self, now_s: float) -> Iterator[WatchedPath]:
        """Yield the young paths whose files are complete; forget those that are gone."""
        wall_s = time.time()
        for watched in self._paths.in_state(PathState.YOUNG):
            before = watched.file
            try:
                now = frame_at(before.path, before.root)
            except (OSError, ValueError):  # it was removed, or its disk is gone
                self._forget(watched)
                continue
            quiet_s = now_s - watched.since_s if now == before else 0.0
            if now != before:
                watched.file, watched.since_s = now, now_s
            if self._is_complete(now, quiet_s, wall_s):
                yield watched

    def _forget(self, watched: WatchedPath) -> None:
        """Forget a path whose file is gone; if it was planned before, it still counts for the exit code."""
        if watched.was_planned:
            watched.file = replace(watched.file, size=-1)  # unlike any file that appears later
            self._paths.move(watched, PathState.LEFT)
        else:
            self._paths.remove(watched)

    def _is_complete(self, frame: FrameFile, quiet_s: float, wall_s: float) -> bool:
        """Return True if a file that has been unchanged for ``quiet_s`` seconds is complete."""

        def has_settled(settle_s: float) -> bool:
            return quiet_s >= settle_s or is_settled(frame, wall_s, settle_s)

        if has_settled(self._settings.settle_s):
            # A camera's program may pause while it writes, and NFS shows late what another machine writes.
            return has_settled(_INCOMPLETE_S) or _is_whole(frame) is not False
        return _is_renamed(frame)

    def _planned(self, settled: Sequence[WatchedPath], now_s: float) -> Sequence[PlannedFrame]:
        """Return what is to be done with settled files; the others are skipped."""
        planned = self._planner.plan([watched.file for watched in settled], self._siblings)
        given = {item.frame.path for item in planned}
        for watched in settled:
            path = watched.file.path
            watched.was_planned = True
            record = self._planner.record(path)
            if path in given:
                self._paths.move(watched, PathState.GIVEN)
            else:
                denied = record is not None and is_denied(record)
                self._paths.move(watched, PathState.DENIED if denied else PathState.LEFT)
        if planned:
            self._last_news_s = now_s
        return planned


def _is_renamed(frame: FrameFile) -> bool:
    """Return True if a file was written under another name, renamed, and is whole: then it need not settle.

    A rename changes the status time of a file and not its modification time, so that the two differ.  A program that
    still writes can cause that, too; therefore only FITS files count, whose headers define their length.
    """
    try:
        status = os.stat(frame.path)  # noqa: PTH116
    except (OSError, ValueError):
        return False
    return status.st_ctime_ns > status.st_mtime_ns and _is_whole(frame) is True


def _is_whole(frame: FrameFile) -> bool | None:
    """Return True if a FITS file is as long as its headers say; None if it is not a FITS file, or cannot be read."""
    try:
        with open(frame.path, "rb") as file:  # noqa: PTH123
            if file.read(6) != b"SIMPLE":
                return None if frame.size else False
            file.seek(0)
            return sum(1 for _ in fitsfile.iter_hdus(file)) > 0
    except (OSError, ValueError):
        return None
    except NovaError:
        return False
