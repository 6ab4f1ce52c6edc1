"""Retries: from the star lists of a job, with further attempts from its image, one retry at a time."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import fitsio
import pytest
from made_lines import line_of
from made_sky import DrawnField

from novacli.errors import DataError, OutputError, RetryLaterError
from novacli.inputs import FileInput
from novacli.pipeline.context import Context
from novacli.pipeline.retry import retry_job
from novacli.pipeline.solve import solve_field, solve_input
from novacli.records.params import Position, Scale, ScaleUnit, SolveParams
from novacli.records.parity import Parity
from novacli.records.status import SOLVED, UNSOLVED
from solvehost.formats import axy, jobdir
from solvehost.formats.jobdir import JobDir

ARCSEC = ScaleUnit.ARCSEC_PER_PIXEL
QUICK = {"timeout_s": 60.0}


@pytest.mark.engine
def test_a_job_is_tried_again_from_its_star_lists(drawn: DrawnField, fits: Path, real_context: Context) -> None:
    """The image is not needed."""
    first = solve_input(FileInput(str(fits)), SolveParams(**QUICK), real_context)
    fits.unlink()
    (job,) = jobdir.list_jobs(real_context.jobs_dir)
    job.clear_results()
    assert job.state() == jobdir.INTERRUPTED
    again = line_of(retry_job(job, real_context))
    assert (again["status"], again["job"]) == (SOLVED, job.job_id)
    drawn.assert_found(again["calibration"], parity=-1)
    assert again["calibration"]["up_deg_e_of_n"] == pytest.approx(first.result.calibration.up_deg_e_of_n, abs=0.1)
    assert job.read_json(jobdir.RESULT) == again


def test_a_retry_of_a_directory_without_star_lists_is_an_error(context: Context, tmp_path: Path) -> None:
    (tmp_path / "jobs" / "empty").mkdir(parents=True)
    with pytest.raises(DataError, match="has no star lists to try again: submit the image instead"):
        retry_job(JobDir(tmp_path / "jobs" / "empty"), context)


def test_a_retry_of_a_locked_job_is_an_error_to_retry_later(context: Context, field_of_stars: Any) -> None:
    solve_field(field_of_stars, SolveParams(), context)
    (job,) = jobdir.list_jobs(context.jobs_dir)
    before = job.read_json(jobdir.RESULT)
    with job.locked(), pytest.raises(RetryLaterError, match="is being worked on by another process"):
        retry_job(job, context)
    assert job.read_json(jobdir.RESULT) == before, "what it has found is left alone"


def test_a_retry_of_a_job_that_cannot_be_locked_names_it(context: Context, field_of_stars: Any) -> None:
    """As of another user, or on a read-only disk."""
    solve_field(field_of_stars, SolveParams(), context)
    (job,) = jobdir.list_jobs(context.jobs_dir)
    (job.path / jobdir.LOCK).unlink()
    (job.path / jobdir.LOCK).mkdir()
    with pytest.raises(OutputError, match=f"{job.path}: Is a directory: the job cannot be worked on there"):
        retry_job(job, context)


def test_a_retry_keeps_hints_and_has_each_note_once(context: Context, field_of_stars: Any) -> None:
    params = SolveParams(scale=Scale(50, 70, ARCSEC), position=Position(84, -3, 5))
    first = line_of(solve_field(field_of_stars, params, context))
    (job,) = jobdir.list_jobs(context.jobs_dir)
    for _ in range(2):
        again = line_of(retry_job(job, context))
    assert again["hints"] == first["hints"] != []
    assert again["notes"] == first["notes"]
    assert again["created"] == first["created"]
    assert again["source"] == first["source"]


def interrupt(job: JobDir) -> None:
    """Make a job as a kill before its second attempt leaves it."""
    job.clear_results()
    for number in job.attempts()[1:]:
        job.axy(number).unlink()


def labels_of(job: JobDir) -> list[str]:
    return [axy.read(job.axy(number)).schedule.label for number in job.attempts()]


def test_a_retry_makes_the_attempts_that_an_interrupted_job_did_not_reach(
    context: Context, field_of_stars: Any, tmp_path: Path
) -> None:
    path = tmp_path / "field.fits"
    fitsio.write(path, field_of_stars.pixels)
    params = SolveParams(scale=Scale(50, 70, ARCSEC), position=Position(84, -3, 5), parity=Parity.NEGATIVE, hdu=0)
    solve_input(FileInput(str(path)), params, context)
    (job,) = jobdir.list_jobs(context.jobs_dir)
    all_labels = labels_of(job)
    assert len(set(all_labels)) == len(all_labels) > 1
    interrupt(job)
    retry_job(job, context)
    assert labels_of(job) == all_labels


@pytest.mark.parametrize("change", ["gone", "another image", "no parameters"])
def test_a_retry_without_the_image_uses_only_the_star_lists(
    context: Context, field_of_stars: Any, tmp_path: Path, change: str
) -> None:
    path = tmp_path / "field.fits"
    fitsio.write(path, field_of_stars.pixels)
    solve_input(FileInput(str(path)), SolveParams(), context)
    (job,) = jobdir.list_jobs(context.jobs_dir)
    interrupt(job)
    if change == "gone":
        path.unlink()
    elif change == "another image":
        fitsio.write(path, field_of_stars.pixels + 1, clobber=True)
    else:
        request = job.read_json(jobdir.REQUEST) or {}
        job.write_json(jobdir.REQUEST, {**request, "params": {"mood": "fine"}})
    assert line_of(retry_job(job, context))["status"] == UNSOLVED
    assert job.attempts() == [1]


def test_only_one_of_two_concurrent_retries_runs(context: Context, field_of_stars: Any) -> None:
    solve_field(field_of_stars, SolveParams(), context)
    (job,) = jobdir.list_jobs(context.jobs_dir)
    with contextlib.ExitStack() as stack:
        stack.enter_context(job.locked())
        with pytest.raises(RetryLaterError, match=job.job_id):
            retry_job(job, context)
    assert retry_job(job, context).result.status == UNSOLVED
