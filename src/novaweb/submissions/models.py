"""The rows of uploads, images, jobs and calibrations.

Submissions, images and jobs have numbers of their own, below 2³¹ because clients keep them in 32 bits.
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from solvehost.record import record

_MAX_ID = 2**31
_MAX_NAME = 255
MAX_URL = 2000


def _id_fits(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(id__lt=_MAX_ID), name=f"{name}_id_fits_int32")


class Visibility(models.TextChoices):
    """Who may see a submission: everyone; those who know its number, with limits; its owner alone."""

    PUBLIC = "p"
    UNLISTED = "u"
    PRIVATE = "x"


class JobState(models.TextChoices):
    """The states of a job, one letter each in the database."""

    QUEUED = "q"
    RUNNING = "r"
    SOLVED = "s"
    FAILED = "f"
    CANCELLED = "c"


#: States that are ends.
ENDED = (JobState.SOLVED, JobState.FAILED, JobState.CANCELLED)


class Blob(models.Model):
    """The content of an upload; ``sha1`` is the ``hash`` that clients are told."""

    sha256 = models.CharField(max_length=64, unique=True)
    sha1 = models.CharField(max_length=40)
    size = models.BigIntegerField()
    first_seen = models.DateTimeField(auto_now_add=True)


class Submission(models.Model):
    """One upload.

    ``address_digest`` identifies the network address of the upload without stating it.  ``error_message`` is set if the
    upload could not be read.  ``url`` is where a worker fetches the content, which is missing until then; afterwards
    its credentials are masked.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="submissions")
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, null=True)
    url = models.CharField(max_length=MAX_URL, blank=True)
    original_filename = models.CharField(max_length=_MAX_NAME)
    visibility = models.CharField(max_length=1, choices=Visibility.choices)
    params = models.JSONField()
    licence = models.JSONField(default=dict)
    address_digest = models.CharField(max_length=64)
    submitted = models.DateTimeField(auto_now_add=True)
    started = models.DateTimeField(null=True)
    finished = models.DateTimeField(null=True)
    error_message = models.CharField(max_length=1000, blank=True)
    deleted = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [_id_fits("submission")]
        indexes: ClassVar = [
            models.Index(fields=["user", "-id"], name="submission_of_user"),
            models.Index(fields=["-id"], condition=Q(visibility="p", deleted=None), name="submission_public"),
        ]


class UserImage(models.Model):
    """An image or a star list of a submission; width and height in pixels are known once it was read.

    ``blob`` is its content: that of the submission, or of a file in it if the submission is an archive.  It is missing
    until a URL was fetched.
    """

    submission = models.ForeignKey(Submission, on_delete=models.CASCADE, related_name="images")
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, null=True)
    original_name = models.CharField(max_length=_MAX_NAME)
    width = models.IntegerField(null=True)
    height = models.IntegerField(null=True)

    class Meta:
        constraints: ClassVar = [_id_fits("userimage")]


class Job(models.Model):
    """A solve of an image; the row is also its place in the queue, see :mod:`novaweb.queue`.

    Attributes
    ----------
    turn
        The place in the queue: jobs of small turns are served first.
    not_before
        The job is not served before this time.
    attempts
        How often a worker has taken the job.
    token, worker, lease_until
        Of the worker that has the job: only the holder of the token may finish it, and another worker takes it after
        the end of the lease.
    directory
        The name of the job directory that holds the result, empty if there is none.
    reason
        Why the job failed, in the words of ``nova submit --json``.
    """

    image = models.ForeignKey(UserImage, on_delete=models.CASCADE, related_name="jobs")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="jobs")
    state = models.CharField(max_length=1, choices=JobState.choices, default=JobState.QUEUED)
    turn = models.FloatField()
    queue_key = models.CharField(max_length=64)
    not_before = models.DateTimeField()
    attempts = models.IntegerField(default=0)
    token = models.CharField(max_length=32, blank=True)
    worker = models.CharField(max_length=255, blank=True)
    lease_until = models.DateTimeField(null=True)
    queued = models.DateTimeField(auto_now_add=True)
    began = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)
    directory = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=64, blank=True)
    log_odds = models.FloatField(null=True)
    matched = models.IntegerField(null=True)

    class Meta:
        constraints: ClassVar = [_id_fits("job")]
        indexes: ClassVar = [
            models.Index(fields=["turn", "id"], condition=Q(state="q"), name="job_waiting"),
            models.Index(fields=["lease_until"], condition=Q(state="r"), name="job_running"),
            models.Index(fields=["queue_key", "turn"], condition=Q(state="q"), name="job_waiting_of_key"),
            models.Index(fields=["user", "-id"], name="job_of_user"),
        ]

    @property
    def has_ended(self) -> bool:
        """True if the job is solved, failed or cancelled."""
        return self.state in ENDED


class Calibration(models.Model):
    """The solution of a job, with nova.astrometry.net's names and meanings; see :mod:`novacli.records.calibration`."""

    job = models.OneToOneField(Job, on_delete=models.CASCADE, primary_key=True, related_name="calibration")
    ra = models.FloatField()
    dec = models.FloatField()
    radius = models.FloatField()
    pixscale = models.FloatField()
    orientation = models.FloatField()
    parity = models.FloatField()
    width_arcsec = models.FloatField()
    height_arcsec = models.FloatField()


@record
class Viewer:
    """Who asks: the user of a session, None without one, and the digest of the network address."""

    user_id: int | None
    address_digest: str
