"""File descriptors of this process: none of ours where the standard ones belong, none left open for somebody else."""

from __future__ import annotations

import contextlib
import fcntl
import os

_STANDARD = 3


def above_standard(fd: int) -> int:
    """Return ``fd``, or another in its place that is none of 0, 1 and 2.

    New descriptors are one of these where the program was started without.
    """
    if fd >= _STANDARD:
        return fd
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _STANDARD)
    os.close(fd)
    return moved


def hold_standard() -> None:
    """Have what is closed of the three be open on nothing, so that no file of ours gets its number, and the answer."""
    while (fd := os.open(os.devnull, os.O_RDONLY)) < _STANDARD:
        pass
    os.close(fd)


def close_others(*kept: int) -> None:
    """Close all descriptors but 0, 1, 2 and those that are kept (Linux)."""
    for fd in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
        if fd >= _STANDARD and fd not in kept:
            with contextlib.suppress(OSError):  # the one that the list was read by is closed already
                os.close(fd)
