from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from made_jobs import make_job

from novacli.errors import ConfigError, DataError, DeniedError, InputMissingError, RetryLaterError, UsageError
from novacli.jobs.store import JobStore, disk_bytes
from novacli.jobs.summaries import read_result
from solvehost.formats import jobdir
from solvehost.formats.jobdir import LOCK, REQUEST, RESULT

HOUR_S = 3600


def renamed(root: Path, *names: str) -> None:
    for name in names:
        make_job(root).path.rename(root / name)


# --- Listing ------------------------------------------------------------------------------------------------------


def test_a_missing_directory_has_no_jobs(tmp_path: Path) -> None:
    assert JobStore(tmp_path / "none").summaries() == []


def test_jobs_come_newest_first(tmp_path: Path) -> None:
    for hours in (2, 0, 5, 1):
        make_job(tmp_path, age_s=hours * HOUR_S, input=f"{hours}.fits")
    assert [job.input for job in JobStore(tmp_path).summaries()] == ["0.fits", "1.fits", "2.fits", "5.fits"]


def test_many_jobs_are_all_listed(tmp_path: Path) -> None:
    made = {make_job(tmp_path).job_id for _ in range(100)}
    assert {job.job_id for job in JobStore(tmp_path).summaries()} == made


def test_a_solved_job_has_its_centre_and_scale(tmp_path: Path) -> None:
    make_job(tmp_path)
    (job,) = JobStore(tmp_path).summaries()
    assert (job.state, job.ra_deg, job.dec_deg, job.pixscale_arcsec) == ("solved", 187.1955, 56.7023, 170.4)


def test_unsolved_and_failed_jobs_have_the_reason_or_the_error(tmp_path: Path) -> None:
    make_job(tmp_path, "unsolved", age_s=1)
    make_job(tmp_path, "failed", age_s=2)
    unsolved, failed = JobStore(tmp_path).summaries()
    assert (unsolved.state, unsolved.reason) == ("unsolved", "exhausted")
    assert (failed.state, failed.error) == ("failed", "field.fits: the disk is full")


def test_a_job_without_a_result_is_running_while_locked_and_interrupted_otherwise(tmp_path: Path) -> None:
    job, store = make_job(tmp_path, "running"), JobStore(tmp_path)
    with job.locked():
        assert [s.state for s in store.summaries()] == ["running"]
    assert [s.state for s in store.summaries()] == ["interrupted"]


def test_listing_writes_nothing(tmp_path: Path) -> None:
    job = make_job(tmp_path, "running")
    JobStore(tmp_path).summaries()
    assert not (job.path / LOCK).exists()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'"solved"'])
def test_a_job_whose_result_is_damaged_is_listed_as_interrupted(tmp_path: Path, damage: bytes) -> None:
    (make_job(tmp_path).path / RESULT).write_bytes(damage)
    assert [job.state for job in JobStore(tmp_path).summaries()] == ["interrupted"]


def test_values_of_the_wrong_type_are_ignored(tmp_path: Path) -> None:
    result = {"status": ["solved"], "input": 7, "created": "yesterday", "calibration": {"ra": "x", "dec": True}}
    job = make_job(tmp_path)
    (job.path / RESULT).write_text(json.dumps({**result, "error": "x", "reason": 1}))
    (found,) = JobStore(tmp_path).summaries()
    assert (found.state, found.input, found.ra_deg, found.dec_deg, found.error) == ("failed", "", None, None, None)
    assert found.created_s == found.written_s


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "1" * 400])
def test_values_that_are_not_numbers_are_ignored(tmp_path: Path, number: str) -> None:
    job = make_job(tmp_path)
    (job.path / RESULT).write_text(f'{{"status": "solved", "input": "a", "calibration": {{"ra": {number}}}}}')
    (found,) = JobStore(tmp_path).summaries()
    assert found.ra_deg is None


def test_other_directories_and_staged_ones_are_not_listed(tmp_path: Path) -> None:
    jobdir.create(tmp_path)
    (tmp_path / "Documents").mkdir()
    (tmp_path / "notes.txt").touch()
    assert JobStore(tmp_path).summaries() == []


def test_a_file_in_place_of_the_directory_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "jobs").touch()
    with pytest.raises(ConfigError, match="jobs cannot be kept there"):
        JobStore(tmp_path / "jobs").summaries()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir(mode=0)
    with pytest.raises(DeniedError, match="jobs"):
        JobStore(tmp_path / "jobs").summaries()


# --- Names --------------------------------------------------------------------------------------------------------


def test_a_job_is_found_by_its_id_a_prefix_and_as_the_last(tmp_path: Path) -> None:
    make_job(tmp_path, age_s=HOUR_S)
    newest = make_job(tmp_path)
    store = JobStore(tmp_path)
    assert [store.find(n) for n in (newest.job_id, newest.job_id[:12], "last")] == [newest] * 3


def test_an_id_that_is_a_prefix_of_another_id_is_found(tmp_path: Path) -> None:
    renamed(tmp_path, "abc", "abcd")
    assert JobStore(tmp_path).find("abc").job_id == "abc"


def test_a_prefix_of_several_jobs_is_refused_with_the_candidates(tmp_path: Path) -> None:
    renamed(tmp_path, *(f"ab{n}" for n in range(7)))
    with pytest.raises(UsageError, match="'ab' could be ab0, ab1, ab2, ab3, ab4 and 2 more"):
        JobStore(tmp_path).find("ab")


@pytest.mark.parametrize("name", ["", "zz", "../x", ".", "/etc", "a" * 500, "x\ny"])
def test_a_name_without_a_job_is_an_error_of_one_line(tmp_path: Path, name: str) -> None:
    renamed(tmp_path, "abc")
    with pytest.raises(InputMissingError, match="there is no job") as caught:
        JobStore(tmp_path).find(name)
    assert "\n" not in str(caught.value)


def test_a_directory_that_is_not_a_job_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "Documents").mkdir()
    with pytest.raises(InputMissingError, match="there is no job 'Documents'"):
        JobStore(tmp_path).find("Documents")


def test_last_is_an_error_if_there_are_no_jobs(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="no jobs yet"):
        JobStore(tmp_path).find("last")


# --- Removing -----------------------------------------------------------------------------------------------------


def test_removing_a_job_returns_the_bytes_freed(tmp_path: Path) -> None:
    job, store = make_job(tmp_path), JobStore(tmp_path)
    size = disk_bytes(job.path)
    assert size > 0
    assert store.remove(job) == size
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_a_process_works_on_is_not_removed(tmp_path: Path) -> None:
    job = make_job(tmp_path, "running")
    with job.locked(), pytest.raises(RetryLaterError, match="another process"):
        JobStore(tmp_path).remove(job)
    assert job.path.exists()


def test_a_directory_that_is_not_a_job_is_never_removed(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    (job.path / REQUEST).unlink()
    with pytest.raises(DataError, match=r"no job\.json"):
        JobStore(tmp_path).remove(job)
    assert job.path.exists()


# --- Results ------------------------------------------------------------------------------------------------------


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    result = read_result(job)
    assert (result.status, result.job, result.exit_code) == ("solved", job.job_id, 0)


def test_the_result_of_an_unfinished_job_has_its_input_and_state(tmp_path: Path) -> None:
    job = make_job(tmp_path, "running", input="a.fits")
    assert (read_result(job).status, read_result(job).input) == ("interrupted", "a.fits")
    with job.locked():
        assert read_result(job).status == "running"


def test_a_result_without_an_input_is_damaged(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    job.write_json(RESULT, {"status": "solved"})
    with pytest.raises(DataError, match=f"nova retry {job.job_id}"):
        read_result(job)


def test_a_job_that_was_removed_meanwhile_is_a_missing_input(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    JobStore(tmp_path).remove(job)
    with pytest.raises(InputMissingError, match="no such job any more"):
        read_result(job)
