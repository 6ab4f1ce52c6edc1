"""The SHA-256 of a job's source: of a small file at once, of a large one by a child process beside the race.

A thread would do as well, but with a thread beside it the race starts an interpreter for each engine instead of a fork,
which takes 20 ms of CPU time more: as long as the digest of 25 MB.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

from novacli.errors import NovaError
from novacli.jobs.request import JobRequest, sha256_of
from novacli.parallel.iteration import iterate_in_child, when_ready
from novacli.records.result import SourceRecord
from solvehost.formats.jobdir import REQUEST, JobDir

#: Files of up to this size are small: the digest takes some 3 ms.
_SMALL_BYTES = 4 * 2**20


def digest_of_small(source: SourceRecord) -> str | None:
    """Return the SHA-256 of a source in hexadecimal; None if it is no file, a large one, or cannot be read."""
    if source.path is None:
        return None
    try:
        is_small = Path(source.path).stat().st_size <= _SMALL_BYTES
    except OSError:
        return None
    return sha256_of(source.path) if is_small else None


@contextlib.contextmanager
def digest_recorded(job: JobDir, request: JobRequest) -> Iterator[None]:
    """Take the digest of the source beside the body; at the end of the body it is in ``job.json``.

    A request that has a digest already, or a source without a file, is left as it is.
    """
    if request.sha256 is not None or request.source is None or request.source.path is None:
        yield
        return
    with contextlib.closing(iterate_in_child(_record_digest(job, request, request.source.path))) as recording:
        with contextlib.suppress(NovaError):  # without its digest a job can still be solved
            next(recording)
        try:
            yield
        finally:
            with contextlib.suppress(NovaError):
                list(when_ready(recording))


def _record_digest(job: JobDir, request: JobRequest, path: str) -> Generator[bool]:
    """Write the digest to ``job.json``, and yield True if that was possible."""
    sha256 = sha256_of(path)
    try:
        if sha256 is not None:
            job.write_json(REQUEST, replace(request, sha256=sha256).to_json())
    except (OSError, NovaError):  # a full disk is reported when the result is written
        yield False
    else:
        yield sha256 is not None
