"""What the engine said in a job, safe to print: the log it left, and while it runs the logs of its attempts."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Iterable, Iterator

from novacli.errors import InputMissingError
from novacli.jobs.store import FINISHED
from novacli.jobs.summaries import read_result
from novacli.text.printable import printable_text
from solvehost.engine import live_log
from solvehost.formats.jobdir import RUNNING, JobDir


def read_log(job: JobDir) -> Iterator[str]:
    """Yield the log as far as it is, piece by piece, control characters shown and not obeyed.

    Raises
    ------
    InputMissingError
        Where there is none.
    """
    if job.log.exists():
        yield from _shown(live_log.pieces(job))
        return
    so_far = b"".join(live_log.so_far(job))
    if not so_far:
        raise InputMissingError(f"{job.path}: it has no log: the engine was not started, or has said nothing yet")
    yield from _shown([so_far])


def follow_log(job: JobDir, pause: Callable[[float], None] = time.sleep) -> Iterator[str]:
    """Yield the log as it grows, until nobody works on the job any more.

    A job that is finished yields its whole log at once; one that has not begun is waited for a moment.
    """
    if read_result(job).status in FINISHED:
        yield from read_log(job)
    else:
        yield from _shown(live_log.follow(job, lambda: read_result(job).status == RUNNING, pause))


def _shown(pieces: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="backslashreplace")
    for piece in pieces:
        if text := printable_text(decoder.decode(piece)):
            yield text
