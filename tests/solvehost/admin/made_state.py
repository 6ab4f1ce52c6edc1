"""State directories with jobs, for tests."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
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
    created: str = "",
) -> StoredJob:  # fmt: skip
    """Add a stored job, which is interrupted unless a result is given."""
    created = created or datetime.fromtimestamp(time.time() - age_days * DAY_S, UTC).isoformat(timespec="milliseconds")
    stored = state.client(client).job(job_id)
    stored.job.path.mkdir(parents=True, mode=0o700)
    stored.job.write_json(RECORD, {"format": 1, "client": client, "id": job_id, "sha256": "0", "created": created})
    (stored.job.path / "job.axy").write_bytes(bytes(10_000))
    if result is not None:
        if result["status"] in (SOLVED, UNSOLVED):
            stored.job.write_json(MANIFEST, {})
        stored.job.write_json(RESULT, {"finished": created, **result})
    return stored


def add_plain(state: StateDir, *, age_s: float = 0.0) -> JobDir:
    """Add a plain job's directory."""
    job = make_older(state.stage(), age_s)
    (job.path / "job.axy").write_bytes(bytes(5_000))
    return job


def make_older(staged: JobDir, age_s: float) -> JobDir:
    """Rename a staged directory as if it had been made ``age_s`` earlier; return it."""
    older = staged.path.with_name(f".new-{int(time.time() - age_s):x}-{jobdir.new_id()}")
    return JobDir(staged.path.rename(older))
