"""What the engines of a running job say, as it is said: the logs of its attempts, followed as they grow.

These logs go when the race ends; files that are open stay readable, so nothing of them is lost.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

from solvehost.engine import engine
from solvehost.errors import SolvehostError
from solvehost.formats import axy
from solvehost.formats.jobdir import RUN_LOG, JobDir

#: As much of an attempt's log is read at one look: an engine that writes faster holds nobody up.
_CHUNK = 1 << 18
_POLL_S = 0.1


class Tails:
    """The logs of all attempts that run, each piece under a line that names its attempt."""

    def __init__(self, job: JobDir) -> None:
        self._job = job
        self._open: dict[int, BinaryIO] = {}
        self._last: int | None = None

    @property
    def has_seen_any(self) -> bool:
        """Whether an attempt was seen to run."""
        return bool(self._open)

    def read(self) -> bytes:
        """Return what was added since the last look, of a log that grew a lot the first part."""
        self._look_for_new()
        pieces = []
        for number, tail in sorted(self._open.items()):
            if text := tail.read(_CHUNK):
                if number != self._last:
                    pieces.append(f"== {label_of(self._job, number)}\n".encode())
                    self._last = number
                pieces.append(text)
        return b"".join(pieces)

    def _look_for_new(self) -> None:
        for where in self._job.run_dirs():
            number = where.name.rpartition("-")[2]
            log = where / RUN_LOG
            # What a server sent lies in such a directory, too, for a moment.
            if number.isdecimal() and int(number) not in self._open:
                with contextlib.suppress(OSError):
                    self._open[int(number)] = engine.open_plain_file(log)

    def rest(self) -> Iterator[bytes]:
        """Yield all that is there and was not read, piece by piece."""
        while text := self.read():
            yield text

    def close(self) -> None:
        """Close the files."""
        for tail in self._open.values():
            tail.close()


def so_far(job: JobDir) -> Iterator[bytes]:
    """Yield what the engines of a running job have said so far, piece by piece."""
    with contextlib.closing(Tails(job)) as tails:
        yield from tails.rest()


def label_of(job: JobDir, number: int) -> str:
    """Return what an attempt is called in tables and logs."""
    try:
        label = axy.read(job.axy(number)).schedule.label
    except (SolvehostError, OSError):
        label = ""
    return label or f"attempt {number}"


def follow(
    job: JobDir, is_worked_on: Callable[[], bool], pause: Callable[[float], None] = time.sleep
) -> Iterator[bytes]:
    """Yield a job's log as it grows, until nobody works on it any more; empty where nothing is new.

    A job that has not begun is waited for a moment.
    """
    tails = Tails(job)
    quiet_looks = 0
    with contextlib.closing(tails):
        while quiet_looks < 2:  # a job is let go for an instant between being made and being started
            quiet_looks = 0 if is_worked_on() else quiet_looks + 1
            yield tails.read()
            pause(_POLL_S)
        yield from tails.rest()
    if tails.has_seen_any:
        with contextlib.suppress(FileNotFoundError), job.log.open("rb") as lines:
            yield from (line for line in lines if line.startswith(b"== "))
    elif job.log.exists():
        yield from pieces(job)


def pieces(job: JobDir) -> Iterator[bytes]:
    """Yield a finished job's log, piece by piece."""
    with job.log.open("rb") as stream:
        while text := stream.read(_CHUNK):
            yield text
