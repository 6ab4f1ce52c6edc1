"""Who may see a submission: one rule for the API, files and lists.

Real clients upload with ``publicly_visible: n`` and then poll without credentials, so an unlisted submission is
readable by its number from the address that uploaded it, for some hours.  A private one is not.
"""

from __future__ import annotations

import datetime
import hmac

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils import timezone

from novaweb.accounts.keys import digest
from novaweb.accounts.models import FIRST_PERSON_ID
from novaweb.submissions.models import Job, Submission, Viewer, Visibility


def viewer_of(request: HttpRequest, user_id: int | None) -> Viewer:
    """Return the viewer who sent a request, with the user of its session."""
    return Viewer(user_id, address_digest(request))


def address_digest(request: HttpRequest) -> str:
    """Return the keyed digest of the network address of a request; the address itself is not stored."""
    return digest(f"address {request.META.get('REMOTE_ADDR', '')}")


def may_see(viewer: Viewer, submission: Submission) -> bool:
    """Return True if a viewer may see a submission, its images and its jobs."""
    if submission.deleted is not None:
        return False
    if submission.visibility == Visibility.PUBLIC or is_owner(viewer, submission):
        return True
    return submission.visibility == Visibility.UNLISTED and _is_recent_uploader(viewer, submission)


def is_owner(viewer: Viewer, submission: Submission) -> bool:
    """Return True if a viewer is the person who owns a submission; those without an account own nothing."""
    return viewer.user_id == submission.user_id and submission.user_id >= FIRST_PERSON_ID


def _is_recent_uploader(viewer: Viewer, submission: Submission) -> bool:
    window = datetime.timedelta(hours=settings.NOVAWEB["unlisted_hours"])
    is_same = hmac.compare_digest(viewer.address_digest, submission.address_digest)
    return is_same and timezone.now() - submission.submitted < window


def public_submissions() -> QuerySet[Submission]:
    """Return the submissions that everyone may see and that are listed."""
    return Submission.objects.filter(visibility=Visibility.PUBLIC, deleted=None)


def submission_or_404(viewer: Viewer, number: int) -> Submission:
    """Return a submission that a viewer may see.

    Raises
    ------
    Http404
        If there is none, or the viewer may not see it: both look the same.
    """
    found = Submission.objects.filter(pk=number).first()
    if found is None or not may_see(viewer, found):
        raise Http404("No Submission matches the given query.")
    return found


def job_or_404(viewer: Viewer, number: int) -> Job:
    """Return a job of a submission that a viewer may see; raises as :func:`submission_or_404`."""
    found = Job.objects.select_related("image__submission", "image__blob", "calibration").filter(pk=number).first()
    if found is None or not may_see(viewer, found.image.submission):
        raise Http404("No Job matches the given query.")
    return found
