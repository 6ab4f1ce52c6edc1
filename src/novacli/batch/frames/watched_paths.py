"""The paths in watched folders; each is in exactly one state.

- ``YOUNG``: the file is new or has changed, and may be incomplete.  Once it is settled, the planner decides: the frame
  is given to the run (``GIVEN``), or there is nothing to do (``LEFT``).
- ``GIVEN``: the run has the frame.  If the file changes meanwhile, that is noted, and the path becomes ``YOUNG`` when
  the run is done with the frame.
- ``RETRY``: the frame failed for a reason that may pass; the path becomes ``YOUNG`` after some minutes.
- ``DENIED``: permissions did not allow to read the frame or to write its outputs.  A change of permissions changes
  neither the time of a file nor that of its folder, so the path becomes ``YOUNG`` at the next listing.
- ``LEFT``: there is nothing to do until the file changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from novacli.batch.records import FrameFile


class PathState(Enum):
    """The states of a path; see the module's docstring."""

    YOUNG = auto()
    GIVEN = auto()
    RETRY = auto()
    DENIED = auto()
    LEFT = auto()


@dataclass(slots=True)
class WatchedPath:
    """A path with its state.

    Attributes
    ----------
    file
        The file at the last listing.
    since_s
        The time since which the file has been unchanged, by ``time.monotonic``.
    state
        Set by :class:`WatchedPaths` alone.
    retry_at_s
        When a frame in state ``RETRY`` is tried again, by ``time.monotonic``.
    tries
        How many times in a row the frame failed for a reason that may pass.
    has_changed
        True if the file changed in state ``GIVEN``.
    was_planned
        True if the planner has decided about the path at least once.
    """

    file: FrameFile
    since_s: float
    state: PathState = PathState.YOUNG
    retry_at_s: float = 0.0
    tries: int = 0
    has_changed: bool = False
    was_planned: bool = False


class WatchedPaths:
    """All paths that were seen, by path and by state."""

    def __init__(self) -> None:
        self._paths: dict[str, WatchedPath] = {}
        self._by_state: dict[PathState, dict[str, WatchedPath]] = {state: {} for state in PathState}

    def __iter__(self) -> Iterator[WatchedPath]:
        return iter(self._paths.values())

    def get(self, path: str) -> WatchedPath | None:
        """Return the record of a path, None if it was not seen yet."""
        return self._paths.get(path)

    def in_state(self, *states: PathState) -> list[WatchedPath]:
        """Return the paths in one of these states."""
        return [watched for state in states for watched in self._by_state[state].values()]

    def has(self, *states: PathState) -> bool:
        """Return True if a path is in one of these states."""
        return any(self._by_state[state] for state in states)

    def move(self, watched: WatchedPath, state: PathState) -> None:
        """Put a path into a state."""
        path = watched.file.path
        self._by_state[watched.state].pop(path, None)
        self._by_state[state][path] = self._paths[path] = watched
        watched.state = state

    def make_young(self, path: str, file: FrameFile, since_s: float) -> None:
        """Put a path into the state ``YOUNG``; its file is as given since ``since_s``."""
        watched = self._paths.get(path) or WatchedPath(file, since_s)
        watched.file, watched.since_s, watched.has_changed = file, since_s, False
        self.move(watched, PathState.YOUNG)

    def remove(self, watched: WatchedPath) -> None:
        """Forget a path."""
        path = watched.file.path
        del self._paths[path], self._by_state[watched.state][path]
