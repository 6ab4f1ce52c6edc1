"""The SHA-256 of a job's source, taken beside the race, so that no engine waits for it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace

from novacli.errors import NovaError
from novacli.jobs.request import JobRequest, sha256_of
from solvehost.formats.jobdir import REQUEST, JobDir


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
