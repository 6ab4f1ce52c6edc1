"""``remote.json``: written, read back, read in its older format, and refused if it is damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_jobs import make_job

from novacli.errors import DataError
from novacli.jobs.remote import RemoteJob, is_remote, new_remote, read_remote, read_unfinished
from solvehost.formats.jobdir import JobDir

REFERENCE = {"destination": "me@solve1", "id": "a-1", "numbers": [1, 2, 5]}
#: As it was written when servers reached by ssh were the only other places.
FORMAT_1 = (
    '{"format": 1, "server": "s1", "destination": "me@solve1", "id": "a-1", "numbers": [1, 2, 5], '
    '"sent": "2026-01-02T03:04:05.678+00:00", "times_sent": 2, "notes": ["s1 had lost the job; it was sent again"]}\n'
)
FORMAT_2 = (
    '{"format": 2, "kind": "ssh", "place": "s1", "reference": {"destination": "me@solve1", "id": "a-1", '
    '"numbers": [1, 2, 5]}, "sent": "2026-01-02T03:04:05.678+00:00", "times_sent": 2, '
    '"notes": ["s1 had lost the job; it was sent again"]}\n'
)


@pytest.fixture
def job(tmp_path: Path) -> JobDir:
    return make_job(tmp_path, "interrupted")


def test_a_record_comes_back_as_it_was_written(job: JobDir) -> None:
    assert read_remote(job) is None
    remote = new_remote(job, "ssh", "s1", REFERENCE).sent_again("why")
    remote.write()
    assert is_remote(job)
    assert read_remote(job) == remote
    assert (remote.times_sent, remote.notes) == (2, ("why",))
    remote.forget()
    assert read_remote(job) is None


@pytest.mark.parametrize("text", [FORMAT_1, FORMAT_2], ids=["format 1", "format 2"])
def test_both_formats_are_read(job: JobDir, text: str) -> None:
    (job.path / "remote.json").write_text(text)
    note = "s1 had lost the job; it was sent again"
    assert read_remote(job) == RemoteJob(job, "ssh", "s1", REFERENCE, "2026-01-02T03:04:05.678+00:00", 2, (note,))


def test_the_file_is_written_in_format_2(job: JobDir) -> None:
    (job.path / "remote.json").write_text(FORMAT_1)
    remote = read_remote(job)
    assert remote is not None
    remote.write()
    assert (job.path / "remote.json").read_text() == FORMAT_2


def test_a_finished_job_is_at_no_other_place_any_more(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    new_remote(job, "ssh", "s1", REFERENCE).write()
    assert read_unfinished(job) is None
    assert read_remote(job) is not None


WRONG: list[dict[str, Any]] = [
    {"kind": None}, {"kind": 1}, {"place": 3}, {"reference": "x"}, {"reference": None}, {"sent": 5},
    {"times_sent": "often"}, {"times_sent": None}, {"format": 1},
]  # fmt: skip


@pytest.mark.parametrize("change", WRONG, ids=json.dumps)
def test_a_damaged_record_is_refused(job: JobDir, change: dict[str, Any]) -> None:
    job.write_json("remote.json", {**json.loads(FORMAT_2), **change})
    with pytest.raises(DataError, match=r"remote\.json: it is damaged"):
        read_remote(job)
