"""Remove what was deleted, and what nothing refers to any more: rows, uploads, job directories and old sessions."""

from __future__ import annotations

import contextlib
import datetime
import time
from pathlib import Path

from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from novaweb.accounts import sessions
from novaweb.folders import Folders
from novaweb.submissions.models import ENDED, Blob, Job, Submission
from solvehost.formats.trees import remove_tree
from solvehost.record import record

_BATCH = 500
#: What is younger may belong to an upload or a job that is being stored.
_GRACE = datetime.timedelta(days=1)


@record
class Removed:
    """How many rows and files were removed."""

    submissions: int
    uploads: int
    jobs: int
    sessions: int


def collect(folders: Folders) -> Removed:
    """Remove deleted submissions with their jobs, uploads without a submission, and sessions that have ended."""
    submissions = _remove_submissions(folders)
    return Removed(submissions, _remove_uploads(folders), _remove_job_directories(folders), _remove_sessions())


def _remove_submissions(folders: Folders) -> int:
    """Remove the deleted submissions whose jobs have ended, and the directories of their jobs."""
    count = 0
    deleted = Submission.objects.exclude(deleted=None).exclude(images__jobs__in=Job.objects.exclude(state__in=ENDED))
    while numbers := list(deleted.values_list("pk", flat=True)[:_BATCH]):
        jobs = Job.objects.filter(image__submission__in=numbers).exclude(directory="")
        directories = list(jobs.values_list("directory", flat=True))
        Submission.objects.filter(pk__in=numbers).delete()
        for directory in directories:
            _remove(folders.jobs / directory)
        count += len(numbers)
    return count


def _remove_uploads(folders: Folders) -> int:
    """Remove the contents that no submission and no image refers to."""
    unused = Blob.objects.filter(submission=None, userimage=None, first_seen__lt=timezone.now() - _GRACE)
    numbers = list(unused.values_list("pk", flat=True))
    return sum(_remove_upload(folders, number) for number in numbers)


def _remove_upload(folders: Folders, number: int) -> bool:
    """Remove a content, unless the same content is being uploaded again."""
    with transaction.atomic():
        blob = Blob.objects.select_for_update(of=("self",)).filter(pk=number, submission=None, userimage=None).first()
        if blob is None:
            return False
        path = folders.blob(blob.sha256)
        aside = path.with_name(f"{path.name}.removed")
        with contextlib.suppress(FileNotFoundError):
            path.rename(aside)
            # An upload of the same content puts its file in place before it makes its row.
            if _is_young(aside):
                aside.rename(path)
                return False
        blob.delete()
        aside.unlink(missing_ok=True)
    return True


def _remove_job_directories(folders: Folders) -> int:
    """Remove the job directories that no job refers to."""
    known = set(Job.objects.exclude(directory="").values_list("directory", flat=True))
    unknown = [path for path in folders.jobs.iterdir() if path.name not in known and not _is_young(path)]
    for path in unknown:
        _remove(path)
    return len(unknown)


def _remove_sessions() -> int:
    ended, _ = Session.objects.filter(expire_date__lt=timezone.now()).delete()
    return ended + sessions.remove_expired()


def _is_young(path: Path) -> bool:
    return time.time() - path.stat().st_mtime < _GRACE.total_seconds()


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        remove_tree(path)
