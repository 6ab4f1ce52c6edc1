"""State directories with jobs, for tests."""

from __future__ import annotations

import os
import time
from pathlib import Path

from solvehost.formats import jobdir
from solvehost.formats.jobdir import MANIFEST, RESULT, JobDir
from solvehost.server import settings
from solvehost.server.settings import Settings
from solvehost.server.state_dir import StateDir
from solvehost.server.stored_job import RECORD, StoredJob
from solvehost.wire.json_lines import SOLVED, UNSOLVED

DAY_S = 86400.0


def config(state: Path, **flags: str) -> Settings:
    """Return settings with a state directory, without a configuration file."""
    return settings.load({"config": os.devnull, "state": str(state), **flags})


def add_stored(
    state: StateDir, client: str, job_id: str, *, result: dict[str, object] | None = None, age_days: float = 0.0,
    created: str = "2026-01-02T03:04:05.000+00:00",
) -> StoredJob:  # fmt: skip
    """Add a stored job, which is interrupted unless a result is given."""
    stored = state.client(client).job(job_id)
    stored.job.path.mkdir(parents=True, mode=0o700)
    stored.job.write_json(RECORD, {"format": 1, "client": client, "id": job_id, "sha256": "0", "created": created})
    (stored.job.path / "job.axy").write_bytes(bytes(10_000))
    if result is not None:
        if result["status"] in (SOLVED, UNSOLVED):
            stored.job.write_json(MANIFEST, {})
        stored.job.write_json(RESULT, result)
    _age(stored.job.path, age_days * DAY_S)
    return stored


def add_plain(state: StateDir, *, age_s: float = 0.0) -> JobDir:
    """Add a plain job's directory."""
    job = jobdir.create(state.work)
    (job.path / "job.axy").write_bytes(bytes(5_000))
    _age(job.path, age_s)
    return job


def _age(path: Path, age_s: float) -> None:
    then = time.time() - age_s
    for each in (*path.iterdir(), path):
        os.utime(each, (then, then))
