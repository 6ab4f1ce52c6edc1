"""File descriptors of this process: keep 0, 1 and 2 for the standard streams, and close what a child must not have."""

from __future__ import annotations

import contextlib
import fcntl
import os

_STANDARD = 3


def above_standard(fd: int) -> int:
    """Return ``fd`` if it is 3 or more, else a duplicate that is, and close ``fd``.

    A new descriptor can be 0, 1 or 2 if this program was started without standard streams.
    """
    if fd >= _STANDARD:
        return fd
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _STANDARD)
    os.close(fd)
    return moved


def hold_standard() -> None:
    """Open /dev/null on each of 0, 1 and 2 that is closed, so that no other file gets that number."""
    while (fd := os.open(os.devnull, os.O_RDONLY)) < _STANDARD:
        pass
    os.close(fd)


def close_others(*kept: int) -> None:
    """Close all descriptors but 0, 1, 2 and ``kept`` (Linux)."""
    for fd in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
        if fd >= _STANDARD and fd not in kept:
            with contextlib.suppress(OSError):  # the descriptor of the listing itself is closed already
                os.close(fd)
