"""The manifest: how a race went, as a file in the job directory and as the first part of a server's reply."""

from __future__ import annotations

import dataclasses
from typing import Any

from solvehost import __version__
from solvehost.engine.records import RaceResult
from solvehost.formats.jobdir import LOG, MANIFEST_FORMAT, OUTPUTS, JobDir


def build_manifest(
    job: JobDir,
    result: RaceResult,
    *,
    engine: str,
    client: str = "",
    job_id: str | None = None,
    damaged: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the manifest of a finished race, with size and SHA-256 of each file that it left.

    Parameters
    ----------
    job, result
        The job directory, and how its race ended.
    engine
        Path of the engine.
    client
        Who asked for the solve, if that is another machine.
    job_id
        The job's id; by default the directory's name.
    damaged
        Names of index files that were left out of the race because they do not load.
    """
    return {
        "format": MANIFEST_FORMAT,
        "id": job.job_id if job_id is None else job_id,
        "client": client,
        "status": result.status,
        "reason": result.reason,
        "winner": result.winner,
        "attempts": [dataclasses.asdict(a) for a in result.attempts],
        "indexes": {"loaded": list(result.indexes), "failed": [*damaged, *result.indexes_failed]},
        "files": {name: _describe(job, name) for name in (LOG, *OUTPUTS) if (job.path / name).is_file()},
        "engine": engine,
        "version": __version__,
        "seconds": result.seconds,
        "cpu_s": result.cpu_s,
        "candidate": None if result.candidate is None else dataclasses.asdict(result.candidate),
    }


def _describe(job: JobDir, name: str) -> dict[str, Any]:
    import hashlib  # loads OpenSSL, which takes 4 MB of memory in each job that waits for its turn

    data = (job.path / name).read_bytes()
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
