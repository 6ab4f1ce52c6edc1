"""The state of submissions and jobs, the lists of a user, and changes of both."""

from __future__ import annotations

import datetime

from django.http import HttpRequest

from novaweb.api.objects import names_in
from novaweb.api.requests import ApiError, answers, read_fields, reader, user_of
from novaweb.queue import queue
from novaweb.removal import delete_submissions
from novaweb.submissions.models import Calibration, Job, JobState, Submission
from novaweb.submissions.visibility import is_owner, job_or_404, submission_or_404, viewer_of

#: State of a job → the word for clients.  Old clients wait without end on any other word.
_WORDS = {
    JobState.QUEUED: "solving",
    JobState.RUNNING: "solving",
    JobState.SOLVED: "success",
    JobState.FAILED: "failure",
    JobState.CANCELLED: "failure",
}
_CALIBRATION = ("ra", "dec", "width_arcsec", "height_arcsec", "radius", "pixscale", "orientation", "parity")
_MAX_LISTED = 1000


@answers
def submission(request: HttpRequest, number: int) -> object:
    """Return the images, jobs and calibrations of a submission."""
    found = submission_or_404(reader(request), number)
    images = list(found.images.order_by("pk").values_list("pk", flat=True))
    jobs = list(Job.objects.filter(image__submission=found).order_by("pk").values_list("pk", "calibration"))
    answer = {
        "user": found.user_id,
        "processing_started": _time(found.started),
        "processing_finished": _time(found.finished),
        "user_images": images,
        "images": images,
        "jobs": [job for job, _ in jobs],
        "job_calibrations": [[job, calibration] for job, calibration in jobs if calibration is not None],
    }
    return {**answer, "error_message": found.error_message} if found.error_message else answer


def _time(moment: datetime.datetime | None) -> str:
    return str(moment)


@answers
def job(request: HttpRequest, number: int) -> object:
    """Return whether a job is solving, success or failure."""
    return {"status": word_for(job_or_404(reader(request), number))}


def word_for(found: Job) -> str:
    """Return the word that clients know for a job's state."""
    return _WORDS[JobState(found.state)]


@answers
def calibration(request: HttpRequest, number: int) -> object:
    """Return the calibration of a job."""
    found = Calibration.objects.filter(job=job_or_404(reader(request), number)).first()
    if found is None:
        return {"error": f"no calibration data available for job {number}"}
    return _calibration(found)


def _calibration(found: Calibration) -> dict[str, float]:
    return {name: getattr(found, name) for name in _CALIBRATION}


@answers
def info(request: HttpRequest, number: int) -> object:
    """Return what is known of a job in one object."""
    found = job_or_404(reader(request), number)
    names = names_in(found)
    answer: dict[str, object] = {
        "objects_in_field": names,
        "machine_tags": names,
        "tags": [],
        "status": word_for(found),
        "original_filename": found.image.original_name,
    }
    solution = Calibration.objects.filter(job=found).first()
    return answer if solution is None else {**answer, "calibration": _calibration(solution)}


@answers
def myjobs(request: HttpRequest) -> object:
    """Return the numbers of the newest jobs of the session's user."""
    user = user_of(read_fields(request))
    jobs = Job.objects.filter(user=user, image__submission__deleted=None) if user.is_person else Job.objects.none()
    return {"status": "success", "jobs": list(jobs.order_by("-pk").values_list("pk", flat=True)[:_MAX_LISTED])}


@answers
def submission_images(request: HttpRequest) -> object:
    """Return the numbers of the images of a submission."""
    fields = read_fields(request)
    viewer = viewer_of(request, user_of(fields).pk)
    number = fields.get("subid")
    if isinstance(number, bool) or not isinstance(number, int | str) or not str(number).isdecimal():
        raise ApiError('need "subid"')
    found = submission_or_404(viewer, int(str(number)[:18]))
    return {"status": "success", "image_ids": list(found.images.order_by("pk").values_list("pk", flat=True))}


@answers
def cancel(request: HttpRequest, number: int) -> object:
    """End a job of the session's user."""
    viewer = viewer_of(request, user_of(read_fields(request)).pk)
    found = job_or_404(viewer, number)
    _check_owner(is_owner(viewer, found.image.submission))
    if not queue.cancel(found):
        raise ApiError(f"job {number} has ended already")
    return {"status": "success"}


@answers
def place(request: HttpRequest, number: int) -> object:
    """Return how many jobs are served before one that waits; null if it does not wait."""
    found = job_or_404(reader(request), number)
    return {"status": word_for(found), "place": queue.place_of(found) if found.state == JobState.QUEUED else None}


def _check_owner(is_own: bool) -> None:
    if not is_own:
        raise ApiError("only the owner of a submission may change it")


@answers
def delete(request: HttpRequest, number: int) -> object:
    """Delete a submission of the session's user, with its images and jobs."""
    viewer = viewer_of(request, user_of(read_fields(request)).pk)
    found = submission_or_404(viewer, number)
    _check_owner(is_owner(viewer, found))
    delete_submissions(Submission.objects.filter(pk=found.pk))
    return {"status": "success"}


@answers
def change_visibility(request: HttpRequest, number: int) -> object:
    """Make a submission public, unlisted or private."""
    fields = read_fields(request)
    viewer = viewer_of(request, user_of(fields).pk)
    found = submission_or_404(viewer, number)
    _check_owner(is_owner(viewer, found))
    words = {label.lower(): value for value, label in Submission._meta.get_field("visibility").flatchoices}
    wanted = words.get(str(fields.get("visibility")))
    if wanted is None:
        raise ApiError(f'"visibility" is none of {", ".join(words)}')
    Submission.objects.filter(pk=found.pk).update(visibility=wanted)
    return {"status": "success"}
