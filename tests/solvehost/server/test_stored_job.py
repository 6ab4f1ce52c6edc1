"""Stored jobs: state, size and the line for clients follow from the files of the directory."""

from __future__ import annotations

import os
from pathlib import Path

from solvehost.formats.jobdir import MANIFEST, RESULT, JobDir
from solvehost.server.stored_job import RECORD, STARTED, StoredJob


def store(folder: Path) -> StoredJob:
    """Return a stored job without a result."""
    stored = StoredJob(JobDir(folder))
    stored.job.write_json(RECORD, {"client": "nova1", "id": "job-1", "created": "2026-01-01"})
    return stored


def test_the_state_of_a_job_follows_from_its_files(tmp_path: Path) -> None:
    stored = store(tmp_path)
    assert stored.state() == "interrupted"
    with stored.job.locked():
        assert stored.state() == "waiting"
        (stored.job.path / STARTED).touch()
        assert stored.state() == "running"
    stored.job.write_json(RESULT, {"status": "solved"})
    assert stored.state() == "interrupted", "without a manifest, there is no reply"
    stored.job.write_json(MANIFEST, {})
    for status in ("solved", "unsolved", "failed"):
        stored.job.write_json(RESULT, {"status": status})
        assert stored.state() == status
    stored.job.write_json(RESULT, {"status": "nonsense"})
    assert stored.state() == "failed"


def test_the_line_of_a_failed_job_has_the_reason(tmp_path: Path) -> None:
    stored = store(tmp_path)
    stored.job.write_json(RESULT, {"status": "failed", "exit_code": 69, "message": "no engine", "finished": "t"})
    line = stored.line()
    assert (line.id, line.state, line.exit_code, line.message, line.finished) == (
        "job-1",
        "failed",
        69,
        "no engine",
        "t",
    )
    assert line.size_bytes > 0


def test_the_size_counts_whole_blocks_of_small_files(tmp_path: Path) -> None:
    stored = store(tmp_path)
    (stored.job.path / "small").write_bytes(b"x")
    os.sync()
    on_disk = sum(path.stat().st_blocks * 512 for path in stored.job.path.iterdir())
    assert stored.size_bytes() >= on_disk > sum(path.stat().st_size for path in stored.job.path.iterdir())


def test_a_job_in_use_is_not_removed(tmp_path: Path) -> None:
    stored = store(tmp_path)
    other = StoredJob(JobDir(tmp_path))
    with stored.job.locked():
        assert not other.remove()
        assert stored.exists
    assert other.remove()
    assert not stored.exists
