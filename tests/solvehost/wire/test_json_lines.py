"""Reading the JSON lines of a hostile server takes bounded memory."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from solvehost import wire
from solvehost.errors import DataError
from solvehost.wire.json_lines import MAX_INFO_BYTES, MAX_JOB_LINE_BYTES, JobLine, write_line

JOB = JobLine("job-1", "failed", "2026-01-02T03:04:05.000+00:00", None, 1, 70, "\x1b" * 4096)


def test_a_line_of_a_job_is_the_same_after_writing_and_reading() -> None:
    assert wire.read_jobs(write_line(JOB) * 2) == [JOB, JOB]


def test_unknown_keys_are_not_kept() -> None:
    """A short JSON text can become a large object, and an answer can have many lines."""
    line = json.dumps({**JOB._asdict(), "more": [[]] * 20_000}).encode() + b"\n"
    tracemalloc.start()
    try:
        assert len(wire.read_jobs(line * 50)) == 50
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * 2**20, "of 70"


@pytest.mark.parametrize(("read", "limit"), [(wire.read_info, MAX_INFO_BYTES), (wire.read_jobs, MAX_JOB_LINE_BYTES)])
def test_a_line_that_is_too_long_is_not_parsed(read: object, limit: int) -> None:
    assert callable(read)
    with pytest.raises(DataError, match=f"a line longer than {limit:,} bytes"):
        read(b'{"more": [' + b"[]," * (limit // 3) + b"[]]}\n")
