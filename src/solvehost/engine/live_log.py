"""The log of a running job: the logs of its attempts, followed as they grow.

The attempts' logs are deleted when the race ends.  Files that are open stay readable, so no text is lost.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

from solvehost.engine.logs import label_of
from solvehost.engine.result_files import open_plain_file
from solvehost.formats.jobdir import RUN_LOG, JobDir

#: Bytes of an attempt's log that are read at a time, so that one engine that logs fast does not hold up its reader.
_CHUNK = 1 << 18
_POLL_S = 0.1
#: A job is unlocked for an instant between its creation and its start, so one idle poll is not its end.
_IDLE_POLLS_AT_END = 2


class LiveLog:
    """The logs of all running attempts, each piece after a line that names its attempt."""

    def __init__(self, job: JobDir) -> None:
        self._job = job
        self._open: dict[int, BinaryIO] = {}
        self._last: int | None = None

    @property
    def has_seen_any(self) -> bool:
        """True if an attempt's log was found."""
        return bool(self._open)

    def read(self) -> bytes:
        """Return what was added since the last call, at most ``_CHUNK`` bytes of each log."""
        self._open_new_logs()
        pieces = []
        for number, log in sorted(self._open.items()):
            if text := log.read(_CHUNK):
                if number != self._last:
                    pieces.append(f"== {label_of(self._job, number)}\n".encode())
                    self._last = number
                pieces.append(text)
        return b"".join(pieces)

    def _open_new_logs(self) -> None:
        for run_dir in self._job.run_dirs():
            number = run_dir.name.rpartition("-")[2]
            # The directory for a server's reply has a similar name without a number.
            if number.isdecimal() and int(number) not in self._open:
                with contextlib.suppress(OSError):
                    self._open[int(number)] = open_plain_file(run_dir / RUN_LOG)

    def rest(self) -> Iterator[bytes]:
        """Yield everything that was not read yet, piece by piece."""
        while text := self.read():
            yield text

    def close(self) -> None:
        """Close the files."""
        for log in self._open.values():
            log.close()


def so_far(job: JobDir) -> Iterator[bytes]:
    """Yield what the engines of a running job have logged so far, piece by piece."""
    with contextlib.closing(LiveLog(job)) as live:
        yield from live.rest()


def follow(
    job: JobDir, is_worked_on: Callable[[], bool], pause: Callable[[float], None] = time.sleep
) -> Iterator[bytes]:
    """Yield a job's log as it grows, until the job has ended.

    Parameters
    ----------
    job
        The job; it may not have begun yet.
    is_worked_on
        Returns True while a process works on the job.
    pause
        Waits for a number of seconds between two looks.

    Yields
    ------
    bytes
        What was added; empty if nothing was.
    """
    live = LiveLog(job)
    idle_polls = 0
    with contextlib.closing(live):
        while idle_polls < _IDLE_POLLS_AT_END:
            idle_polls = 0 if is_worked_on() else idle_polls + 1
            yield live.read()
            pause(_POLL_S)
        yield from live.rest()
    if live.has_seen_any:
        with contextlib.suppress(FileNotFoundError), job.log.open("rb") as lines:
            yield from (line for line in lines if line.startswith(b"== "))
    elif job.log.exists():
        yield from pieces(job)


def pieces(job: JobDir) -> Iterator[bytes]:
    """Yield a finished job's log, piece by piece."""
    with job.log.open("rb") as stream:
        while text := stream.read(_CHUNK):
            yield text
