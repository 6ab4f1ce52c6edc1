"""Delete submissions and accounts.  The files of what was deleted are removed later, by ``nova-web gc``."""

from __future__ import annotations

import secrets

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from novaweb.accounts.models import ApiKey, ApiSession, User
from novaweb.queue import queue
from novaweb.submissions.models import ENDED, Job, Submission


def cancel_jobs(submissions: QuerySet[Submission]) -> None:
    """End the jobs of submissions that wait or run."""
    for job in Job.objects.filter(image__submission__in=submissions).exclude(state__in=ENDED):
        queue.cancel(job)


def delete_submissions(submissions: QuerySet[Submission]) -> None:
    """Cancel the jobs of submissions, and hide the submissions from everyone."""
    cancel_jobs(submissions)
    submissions.update(deleted=timezone.now())


def delete_account(person: User) -> None:
    """Delete a person's account: their submissions, keys and sessions.

    The row stays without name and address, so that its number is never given to another person.
    """
    with transaction.atomic():
        delete_submissions(Submission.objects.filter(user=person, deleted=None))
        ApiSession.objects.filter(user=person).delete()
        ApiKey.objects.filter(user=person).delete()
        person.username = f"deleted-{secrets.token_hex(8)}"
        person.email = person.first_name = person.last_name = ""
        person.is_active = False
        person.set_unusable_password()
        person.save()
