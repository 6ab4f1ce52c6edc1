"""The changes of the queue, each one transaction that works on SQLite and PostgreSQL."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Collection

from django.db import transaction
from django.db.models import F, Max, Min, Q, QuerySet
from django.utils import timezone

from novacli.records.calibration import Calibration as Solution
from novaweb.accounts.models import User
from novaweb.submissions.models import ENDED, Calibration, Job, JobState, Submission, UserImage
from solvehost.record import record

LEASE = datetime.timedelta(seconds=30)
#: A job whose worker was lost this often fails.
MAX_ATTEMPTS = 3
LOST = "worker-lost"
_UNFINISHED = (JobState.QUEUED, JobState.RUNNING)


@record
class Claim:
    """A job that a worker has, and the token that proves it."""

    job_id: int
    token: str


@record
class Ending:
    """How a job ended.

    ``state`` is one of the ends in :class:`~novaweb.submissions.models.JobState`; ``error_message`` is set if the
    upload could not be read; the others are as in :class:`~novaweb.submissions.models.Job`.
    """

    state: str
    reason: str = ""
    directory: str = ""
    error_message: str = ""
    size: tuple[int, int] | None = None
    calibration: Solution | None = None
    log_odds: float | None = None
    matched: int | None = None


def unfinished(key: str) -> int:
    """Return how many jobs of a key, a user or an address, wait or run."""
    return Job.objects.filter(queue_key=key, state__in=_UNFINISHED).count()


def add(image: UserImage, user: User, key: str) -> Job:
    """Put a job into the queue, at a fair turn.

    Each key has one job in each round of turns: its next turn follows its own last one, but is never before the turn
    that is being served.  So the few jobs of one user need not wait for the thousand of another.
    """
    waiting = Job.objects.filter(state=JobState.QUEUED)
    served = waiting.aggregate(turn=Min("turn"))["turn"] or 0.0
    own = waiting.filter(queue_key=key).aggregate(turn=Max("turn"))["turn"]
    turn = served if own is None else max(served, own + 1.0)
    return Job.objects.create(image=image, user=user, queue_key=key, turn=turn, not_before=timezone.now())


def claim(worker: str, count: int) -> list[Claim]:
    """Take up to ``count`` jobs: first those whose lease has run out, then those that wait, by their turns."""
    now = timezone.now()
    lost = Q(state=JobState.RUNNING, lease_until__lt=now)
    ready = lost | Q(state=JobState.QUEUED, not_before__lte=now)
    if count < 1 or not Job.objects.filter(ready).exists():  # a plain read: an idle service takes no write lock
        return []
    with transaction.atomic():
        _end(Job.objects.filter(lost, attempts__gte=MAX_ATTEMPTS), JobState.FAILED, LOST)
        rows = list(
            Job.objects.select_for_update(skip_locked=True).filter(ready).order_by("-state", "turn", "id")[:count]
        )
        claims = [Claim(row.pk, secrets.token_hex(16)) for row in rows]
        for taken in claims:
            Job.objects.filter(pk=taken.job_id).update(
                state=JobState.RUNNING,
                token=taken.token,
                worker=worker,
                lease_until=now + LEASE,
                began=now,
                attempts=F("attempts") + 1,
            )
        submissions = Submission.objects.filter(images__jobs__in=rows, started=None)
        submissions.update(started=now)
    return claims


def beat(claims: Collection[Claim]) -> set[int]:
    """Prolong the leases of a worker; return the numbers of the jobs that it still has."""
    mine = Job.objects.filter(token__in=[c.token for c in claims], state=JobState.RUNNING)
    mine.update(lease_until=timezone.now() + LEASE)
    return set(mine.values_list("pk", flat=True))


def release(claims: Collection[Claim]) -> None:
    """Give jobs back to the queue; they keep their turns, and this attempt does not count."""
    mine = Job.objects.filter(token__in=[c.token for c in claims], state=JobState.RUNNING)
    mine.update(state=JobState.QUEUED, token="", lease_until=None, attempts=F("attempts") - 1)


def retry(claim: Claim) -> None:
    """Give a job whose solver was lost back to the queue, or end it if that has happened too often."""
    mine = Job.objects.filter(pk=claim.job_id, token=claim.token, state=JobState.RUNNING)
    if mine.filter(attempts__gte=MAX_ATTEMPTS).exists():
        finish(claim, Ending(JobState.FAILED, LOST))
    else:
        mine.update(state=JobState.QUEUED, token="", lease_until=None)


def finish(claim: Claim, ending: Ending) -> bool:
    """End a job; return False, and change nothing, if the worker no longer has it."""
    now = timezone.now()
    with transaction.atomic():
        mine = Job.objects.filter(pk=claim.job_id, token=claim.token, state=JobState.RUNNING)
        ended = mine.update(
            state=ending.state,
            reason=ending.reason,
            directory=ending.directory,
            log_odds=ending.log_odds,
            matched=ending.matched,
            ended=now,
            token="",
            lease_until=None,
        )
        if not ended:
            return False
        if ending.calibration is not None:
            _store_calibration(claim.job_id, ending.calibration)
        if ending.size is not None:
            UserImage.objects.filter(jobs=claim.job_id).update(width=ending.size[0], height=ending.size[1])
        _finish_submission(claim.job_id, ending.error_message, now)
    return True


def _store_calibration(job_id: int, found: Solution) -> None:
    names = ("ra", "dec", "radius", "pixscale", "orientation", "width_arcsec", "height_arcsec")
    values = {name: getattr(found, name) for name in names}
    Calibration.objects.create(job_id=job_id, parity=float(found.parity), **values)


def _finish_submission(job_id: int, error_message: str, now: datetime.datetime) -> None:
    """End the submission of a job if it was the last one; its error is that of the submission if it is the only one."""
    found = Submission.objects.get(images__jobs=job_id)
    jobs = Job.objects.filter(image__submission=found)
    if error_message and jobs.count() == 1:
        Submission.objects.filter(pk=found.pk).update(error_message=error_message)
    if not jobs.filter(state__in=_UNFINISHED).exists():
        Submission.objects.filter(pk=found.pk, finished=None).update(finished=now)


def cancel(job: Job) -> bool:
    """End a job that waits or runs; return False if it has ended already.

    A worker that has it loses it at its next heartbeat, and what it finds is thrown away.
    """
    with transaction.atomic():
        return _end(Job.objects.filter(pk=job.pk).exclude(state__in=ENDED), JobState.CANCELLED, "cancelled") > 0


def _end(jobs: QuerySet[Job], state: str, reason: str) -> int:
    """End jobs without a result, and with them their submissions; return how many there were."""
    now = timezone.now()
    numbers = list(jobs.values_list("pk", flat=True))
    ended = jobs.update(state=state, reason=reason, ended=now, token="", lease_until=None)
    open_ones = Submission.objects.filter(images__jobs__in=numbers, images__jobs__state=state, finished=None)
    for found in open_ones.exclude(images__jobs__state__in=_UNFINISHED).distinct():
        Submission.objects.filter(pk=found.pk).update(finished=now)
    return ended


def place_of(job: Job) -> int:
    """Return how many jobs are served before one that waits."""
    earlier = Q(turn__lt=job.turn) | Q(turn=job.turn, id__lt=job.pk)
    return Job.objects.filter(earlier, state=JobState.QUEUED).count()
