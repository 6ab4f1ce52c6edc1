"""What the engine said in a job: the log it left, and while it runs the logs of its attempts as they grow.

The logs of running attempts go when the race ends; files that are open stay readable, so nothing of them is lost.
"""

from __future__ import annotations

import codecs
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from novacli.errors import InputMissingError
from novacli.printable import printable_line, printable_text
from novacli.stores.base import FINISHED
from novacli.stores.reading import read_result
from solvehost import axy
from solvehost.errors import SolvehostError
from solvehost.jobdir import RUNNING, JobDir

_CHUNK = 1 << 20
_POLL_S = 0.1
_RUN_LOG = "log"


def read_log(job: JobDir) -> Iterator[str]:
    """Yield the log as far as it is, piece by piece, control characters shown and not obeyed.

    Raises
    ------
    InputMissingError
        Where there is none.
    """
    if job.log.exists():
        yield from _pieces(job.log)
        return
    tails = _Tails(job)
    text = tails.read()
    tails.close()
    if not text:
        raise InputMissingError(f"{job.path}: it has no log: the engine was not started, or has said nothing yet")
    yield text


def follow_log(job: JobDir, pause: Callable[[float], None] = time.sleep) -> Iterator[str]:
    """Yield the log as it grows, until nobody works on the job any more.

    A job that is finished yields its whole log at once; one that has not begun is waited for a moment.
    """
    if _state(job) in FINISHED:
        yield from read_log(job)
        return
    tails = _Tails(job)
    quiet_looks = 0
    with contextlib.closing(tails):
        while quiet_looks < 2:  # a job is let go for an instant between being made and being started
            quiet_looks = 0 if _state(job) == RUNNING else quiet_looks + 1
            text = tails.read()
            if text:
                yield text
            pause(_POLL_S)
    if tails.has_seen_any:
        yield from _endings(job)
    elif job.log.exists():
        yield from _pieces(job.log)


def _state(job: JobDir) -> str:
    return read_result(job).status


def _pieces(path: Path) -> Iterator[str]:
    """Yield a file's text safe to print."""
    tail = _Tail(path.open("rb"))
    with contextlib.closing(tail):
        while text := tail.read():
            yield text


def _endings(job: JobDir) -> Iterator[str]:
    """Yield the lines of the finished log that say how each attempt ended."""
    with contextlib.suppress(FileNotFoundError), job.log.open("rb") as lines:
        yield from (printable_text(line.decode(errors="backslashreplace")) for line in lines if line.startswith(b"== "))


class _Tail:
    """A growing file, read from where the last look ended."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="backslashreplace")

    def read(self) -> str:
        return printable_text(self._decoder.decode(self._stream.read(_CHUNK)))

    def close(self) -> None:
        self._stream.close()


class _Tails:
    """The logs of all attempts that run, each piece under a line that names its attempt."""

    def __init__(self, job: JobDir) -> None:
        self._job = job
        self._open: dict[int, _Tail] = {}
        self._last: int | None = None

    @property
    def has_seen_any(self) -> bool:
        return bool(self._open)

    def read(self) -> str:
        """Return what was added since the last look."""
        self._look_for_new()
        pieces = []
        for number, tail in sorted(self._open.items()):
            while text := tail.read():
                if number != self._last:
                    pieces.append(f"== {_label(self._job, number)}\n")
                    self._last = number
                pieces.append(text)
        return "".join(pieces)

    def _look_for_new(self) -> None:
        for number in self._job.attempts():
            if number not in self._open:
                with contextlib.suppress(OSError):
                    self._open[number] = _Tail((self._job.run_dir(number) / _RUN_LOG).open("rb"))

    def close(self) -> None:
        for tail in self._open.values():
            tail.close()


def _label(job: JobDir, number: int) -> str:
    try:
        label = axy.read(job.axy(number)).schedule.label
    except (SolvehostError, OSError):
        label = ""
    return printable_line(label) or f"attempt {number}"
