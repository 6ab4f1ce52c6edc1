"""The engines' log of a job, safe to print: the finished log, or the logs of the attempts while they run."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Iterable, Iterator

from novacli.errors import InputMissingError
from novacli.jobs.summaries import FINISHED, read_result
from novacli.text.printable import printable_text
from solvehost.engine import live_log
from solvehost.formats.jobdir import RUNNING, JobDir


def read_log(job: JobDir) -> Iterator[str]:
    """Yield the log so far in pieces, with control characters escaped.

    Raises
    ------
    InputMissingError
        If there is no log.
    """
    if job.log.exists():
        yield from _printable(live_log.pieces(job))
        return
    so_far = b"".join(live_log.so_far(job))
    if not so_far:
        raise InputMissingError(f"{job.path}: it has no log: no engine was started, or none has written anything yet")
    yield from _printable([so_far])


def follow_log(job: JobDir, pause: Callable[[float], None] = time.sleep) -> Iterator[str]:
    """Yield the log as it grows, until no process works on the job any more.

    The log of a finished job is yielded at once; a job that has not started yet is waited for briefly.
    """
    if read_result(job).status in FINISHED:
        yield from read_log(job)
    else:
        yield from _printable(live_log.follow(job, lambda: read_result(job).status == RUNNING, pause))


def _printable(pieces: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="backslashreplace")
    for piece in pieces:
        if text := printable_text(decoder.decode(piece)):
            yield text
