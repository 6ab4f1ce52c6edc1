"""The words of the templates for rows and results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.conf import settings
from django.db.models import Exists, OuterRef

from novacli.errors import NovaError
from novacli.jobs.summaries import read_result
from novacli.records.diagnosis import Cause
from novacli.records.result import Result
from novacli.text.angles import format_dec_dms, format_ra_hms
from novacli.text.quantities import angle_text, count_text
from novaweb import folders
from novaweb.queue import queue
from novaweb.submissions.models import Calibration, Job, JobState, Submission, Visibility
from novaweb.submissions.visibility import public_submissions
from solvehost.formats.jobdir import JobDir
from solvehost.record import record

_RECENT = 12
#: State → the word for the style, and the text for people.
_STATES = {
    JobState.QUEUED: ("waits", "waits"),
    JobState.RUNNING: ("runs", "is being solved"),
    JobState.SOLVED: ("solved", "solved"),
    JobState.CANCELLED: ("cancelled", "cancelled"),
    JobState.FAILED: ("failed", "not solved"),
}
#: Reason of a job that is not solved → what happened, and what helps.
_REASONS = {
    "exhausted": ("No place on the sky matches the stars that were found.", "Try again with its size or position."),
    "time-limit": ("The time limit passed before a match was found.", "Try again with its size or position."),
    "no-stars": ("Too few stars were found.", "Expose longer, or crop foreground and frames away."),
    "cancelled": ("It was cancelled.", ""),
    "worker-lost": ("The program that solved it was ended several times.", "Try again, or tell the administrator."),
    "error": ("It cannot be read as a picture or a star list.", "Send FITS, JPEG, PNG, TIFF, or a table of x and y."),
}
_CAUSES = {
    Cause.FEW_STARS: "There are few stars: expose longer.",
    Cause.CROWDED: "Most sources lie in a small part of the picture: crop trees, lamps or clouds away.",
    Cause.CLUSTERED: "A match was rejected because it rests on clustered sources.",
}


@record
class State:
    """The state of a job: a word for the style, a line for people, the image's name, and the number of its page."""

    word: str
    text: str
    name: str
    image: int


@record
class Card:
    """A submission in a list: number, state, visibility, place on the sky, and the address of a small picture."""

    submission: int
    state: State
    is_public: bool
    place: str
    thumbnail: str


def state_of(job: Job) -> State:
    """Return the state of a job, whose image was selected with it."""
    word, text = _STATES[JobState(job.state)]
    if job.reason == "error":
        text = "not readable"
    return State(word, text, job.image.original_name, job.image_id)


def place_text(job: Job) -> str:
    """Return the place in the queue of a job that waits; empty if it does not wait."""
    if job.state != JobState.QUEUED:
        return ""
    before = queue.place_of(job)
    return f"{count_text(before, 'job')} before it" if before else "it is next"


def calibration_rows(job: Job, found: Calibration | None) -> list[tuple[str, str]]:
    """Return the rows (name, value) of a solution; empty if there is none."""
    if found is None:
        return []
    width, height = found.width_arcsec / 60, found.height_arcsec / 60
    parity = "negative (det CD < 0)" if found.parity < 0 else "positive (det CD > 0)"
    return [
        ("Right ascension", f"{format_ra_hms(found.ra)}  ({found.ra:.5f}°)"),
        ("Declination", f"{format_dec_dms(found.dec)}  ({found.dec:+.5f}°)"),
        ("Size", f"{angle_text(width)} × {angle_text(height)}"),
        ("Scale", f"{found.pixscale:.4g}″ per pixel"),
        ("Orientation", _orientation_text(job, found)),
        ("Parity", parity),
        *_trust_rows(job),
    ]


def _orientation_text(job: Job, found: Calibration) -> str:
    """Return which way is up; the API's ``orientation`` counts the other way round for all formats but FITS."""
    result = result_of(job)
    if result is None or result.calibration is None:
        return f"{found.orientation:.2f}° in the API"
    return f"up is {round(result.calibration.up_deg_e_of_n, 2) % 360:.2f}° east of north"


def _trust_rows(job: Job) -> Iterator[tuple[str, str]]:
    if job.matched is not None and job.log_odds is not None:
        yield "Matched", f"{count_text(job.matched, 'star')}, log-odds {job.log_odds:.0f}"


def why_unsolved(job: Job) -> list[str]:
    """Return the sentences that tell why a job is not solved, and what helps; empty if it is solved."""
    if job.state == JobState.SOLVED:
        return []
    what, remedy = _REASONS.get(job.reason, (job.reason, ""))
    lines = [job.image.submission.error_message or what, remedy]
    result = result_of(job)
    diagnosis = None if result is None else result.diagnosis
    if diagnosis is not None:
        lines.insert(1, f"{count_text(diagnosis.stars, 'star')} were found.")
        lines[2:2] = [_CAUSES[cause] for cause in diagnosis.causes]
    return [line for line in lines if line]


def result_of(job: Job) -> Result | None:
    """Return the result in the job directory of a job; None if there is none, or it cannot be read."""
    if not job.directory:
        return None
    try:
        return read_result(JobDir(folders.of(settings.NOVAWEB).jobs / job.directory))
    except (NovaError, OSError):
        return None


def recent_pictures() -> list[Card]:
    """Return the newest public pictures that are solved."""
    solved = Job.objects.filter(image__submission=OuterRef("pk"), state=JobState.SOLVED)
    return with_pictures(public_submissions().filter(Exists(solved)).order_by("-pk")[:_RECENT])


def with_pictures(submissions: Iterable[Submission]) -> list[Card]:
    """Return the card of each submission, by its first job; two queries for all of them."""
    found = {row.pk: row for row in submissions}
    jobs: dict[int, Job] = {}
    rows = Job.objects.filter(image__submission__in=found).select_related("image", "calibration").order_by("pk")
    for job in rows:
        jobs.setdefault(job.image.submission_id, job)
    return [
        Card(
            number,
            state_of(jobs[number]),
            row.visibility == Visibility.PUBLIC,
            _place(jobs[number]),
            _thumbnail(jobs[number]),
        )
        for number, row in found.items()
        if number in jobs
    ]


def _thumbnail(job: Job) -> str:
    return f"/thumbnail/{job.pk}" if job.state == JobState.SOLVED else ""


def _place(job: Job) -> str:
    found = getattr(job, "calibration", None)
    if found is None:
        return ""
    return f"{format_ra_hms(found.ra, 0)} {format_dec_dms(found.dec, 0)}, {angle_text(found.width_arcsec / 60)} wide"
