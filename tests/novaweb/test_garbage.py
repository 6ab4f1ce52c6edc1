"""``nova-web gc``: what is removed, and what stays."""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path

import pytest
from django.utils import timezone
from made_client import ApiClient

from novaweb.folders import Folders
from novaweb.garbage import Removed, collect
from novaweb.queue import queue
from novaweb.queue.queue import Ending
from novaweb.submissions.models import Blob, Job, JobState, Submission

OLD_S = 2 * 86_400.0


def age(data: Folders) -> None:
    """Make everything two days old."""
    Blob.objects.update(first_seen=timezone.now() - datetime.timedelta(seconds=OLD_S))
    for path in [*data.blobs.rglob("*"), *data.jobs.iterdir()]:
        os.utime(path, (time.time() - OLD_S,) * 2)


def solve(data: Folders, name: str) -> Path:
    """End the job that waits with a job directory; return the directory."""
    (claim,) = queue.claim("test", 1)
    (data.jobs / name).mkdir()
    (data.jobs / name / "wcs.fits").write_bytes(b"x")
    queue.finish(claim, Ending(JobState.SOLVED, directory=name))
    return data.jobs / name


def files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def test_a_deleted_submission_goes_with_its_files(alice: ApiClient, data: Folders) -> None:
    alice.upload(b"first")
    solve(data, "job1")
    alice.upload(b"second")
    kept = solve(data, "job2")
    alice.post("submissions/1/delete")
    age(data)
    assert collect(data) == Removed(1, 1, 0, 0)
    assert ([*Submission.objects.values_list("pk", flat=True)], [*data.jobs.iterdir()]) == ([2], [kept])
    assert files(data.blobs) == Blob.objects.count() == 1
    assert collect(data) == Removed(0, 0, 0, 0)


def test_a_content_that_another_submission_has_stays(alice: ApiClient, data: Folders) -> None:
    alice.upload(b"same")
    alice.upload(b"same")
    alice.post("submissions/1/delete")
    age(data)
    assert collect(data) == Removed(1, 0, 0, 0)
    assert files(data.blobs) == 1


@pytest.mark.parametrize("is_row_young", [True, False])
def test_a_content_that_is_being_uploaded_again_stays(alice: ApiClient, data: Folders, is_row_young: bool) -> None:
    alice.upload(b"again")
    alice.post("submissions/1/delete")
    age(data)
    (path,) = (path for path in data.blobs.rglob("*") if path.is_file())
    if is_row_young:
        Blob.objects.update(first_seen=timezone.now())
    else:
        os.utime(path)
    assert collect(data).uploads == 0
    assert path.read_bytes() == b"again"
    alice.upload(b"again")
    assert Blob.objects.count() == 1


def test_a_deleted_submission_stays_until_its_jobs_have_ended(alice: ApiClient, data: Folders) -> None:
    alice.upload()
    queue.claim("test", 1)
    Submission.objects.update(deleted=timezone.now())
    age(data)
    assert collect(data) == Removed(0, 0, 0, 0)
    Job.objects.update(state=JobState.CANCELLED)
    assert collect(data) == Removed(1, 1, 0, 0)


def test_job_directories_without_a_job_go_when_they_are_old(data: Folders) -> None:
    (data.jobs / "lost").mkdir()
    assert collect(data).jobs == 0
    age(data)
    assert collect(data).jobs == 1
    assert not [*data.jobs.iterdir()]
