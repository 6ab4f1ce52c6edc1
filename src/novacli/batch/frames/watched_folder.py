"""A folder that is watched; its disk may be unmounted and mounted again."""

from __future__ import annotations

import os
from collections.abc import Callable

from novacli.batch.frames.listing import FoundFrames, identity_of
from novacli.text.printable import shown_name
from novacli.text.quantities import count_text


class WatchedFolder:
    """A folder that is watched.

    Attributes
    ----------
    path
        Its absolute path.
    is_away
        True if it does not exist, or an empty folder is in its place.
    """

    def __init__(self, path: str, say: Callable[[str], None]) -> None:
        self.path, self._say = path, say
        self.is_away = False
        self._identity = identity_of(path)
        self._frames = 0

    def update(self, found: FoundFrames | None) -> bool:
        """Compare a listing with earlier ones; return True if the folder exists again or is on another device.

        ``found`` is None if the folder could not be listed.

        An empty folder in place of one that held frames is a mount point without its disk; a new device that holds
        frames is the disk, mounted again.
        """
        identity = identity_of(self.path)
        is_other = identity != self._identity
        is_away = found is None or identity is None or (is_other and self._frames > 0 and not found.frames)
        was_away, self.is_away = self.is_away, is_away
        if is_away and not was_away:
            self._say(f"{shown_name(self.path)} does not exist any more: check the mount; its frames wait")
        if found is None or is_away:
            return False
        if was_away:
            self._say(f"{shown_name(self.path)} exists again, with {count_text(len(found.frames), 'frame')}")
        self._identity, self._frames = identity, len(found.frames)
        return was_away or is_other


def changed_ns(folder: str) -> int:
    """Return the time at which a folder's list of names changed, in nanoseconds; 0 if it is gone."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116
    except (OSError, ValueError):
        return 0


def is_below(path: str, folder: str) -> bool:
    """Return True if a path lies below a folder."""
    return path.startswith(folder.rstrip(os.sep) + os.sep)
