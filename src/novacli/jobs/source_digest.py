"""The SHA-256 of a job's source: of a small file at once, of a large one beside the race, so that engines do not wait.

With a thread beside it, the race cannot start engines by a fork and starts an interpreter for each: that takes longer
than the digest of a small file.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from novacli.errors import NovaError
from novacli.jobs.request import JobRequest, sha256_of
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
    """Take the digest of the source in a thread while the body runs; at the end of the body it is in ``job.json``.

    A request that has a digest already, or a source without a file, is left as it is.
    """
    if request.sha256 is not None or request.source is None or request.source.path is None:
        yield
        return
    thread = threading.Thread(target=_record_digest, args=(job, request, request.source.path), daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _record_digest(job: JobDir, request: JobRequest, path: str) -> None:
    sha256 = sha256_of(path)
    if sha256 is not None:
        # Without its digest a job can still be solved; a full disk is reported when the result is written.
        with contextlib.suppress(OSError, NovaError):
            job.write_json(REQUEST, replace(request, sha256=sha256).to_json())
