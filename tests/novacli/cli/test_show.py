from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_jobs import make_job

from novacli.records.result import Result
from solvehost.formats.jobdir import RESULT


def test_a_solved_job_is_shown_like_submit(nova, jobs: Path) -> None:
    make_job(jobs)
    ran = nova("show", "last")
    assert ran.code == 0
    assert ran.out.startswith("field.fits: solved\n")
    assert "RA 187.19550°  Dec +56.70230°" in ran.out


def test_json_is_what_submit_printed(nova, jobs: Path) -> None:
    job = make_job(jobs)
    expected = Result.from_json(job.read_json(RESULT) or {}).to_json()
    assert json.loads(nova("show", job.job_id[:8], "--json").out) == expected


def test_an_unsolved_job_is_shown_without_an_error_code(nova, jobs: Path) -> None:
    make_job(jobs, "unsolved")
    ran = nova("show", "last")
    assert (ran.code, "no attempt found a match" in ran.out) == (0, True)


def test_a_failed_job_shows_its_error_and_what_to_do(nova, jobs: Path) -> None:
    job = make_job(jobs, "failed")
    ran = nova("show", "last")
    assert ran.out.startswith("field.fits: failed\n  Error         field.fits: the disk is full\n")
    assert ran.out.endswith(f"What to do    nova retry {job.job_id}\n")


def test_a_running_job_shows_how_to_wait(nova, jobs: Path) -> None:
    job = make_job(jobs, "running")
    with job.locked():
        out = nova("show", "last").out
        status = json.loads(nova("show", "last", "--json").out)["status"]
    assert f"nova log -f {job.job_id}" in out
    assert status == "running"


def test_an_interrupted_job_shows_how_to_retry_it(nova, jobs: Path) -> None:
    job = make_job(jobs, "interrupted")
    assert f"it was interrupted: nova retry {job.job_id}" in nova("show", "last").out


@pytest.mark.parametrize(
    "result",
    [
        {"input": "a", "status": "solved", "calibration": {"ra": "x"}, "match": {"n": 1}},
        {"input": "a", "status": "solved", "calibration": {"ra": None}, "match": {"n": 1}},
        {"status": "solved"},
        {"input": "a", "status": "failed", "error": {}},
        {"input": "a", "status": "unsolved", "hints": [1]},
    ],
)
def test_a_damaged_result_is_one_line(nova, jobs: Path, result: dict[str, object]) -> None:
    make_job(jobs).write_json(RESULT, result)
    ran = nova("show", "last")
    assert ran.code == 65
    assert "its result is damaged: " in ran.err
    assert "; try nova retry " in ran.err
    assert ran.err.count("\n") == 1


def test_a_missing_job_is_a_missing_input(nova, jobs: Path) -> None:
    ran = nova("show", "nosuch")
    assert (ran.code, ran.out) == (66, "")
    assert ran.err.endswith("there is no job 'nosuch': see nova jobs\n")
