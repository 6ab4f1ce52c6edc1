"""The dispatcher with real workers and the real engine: upload to solution, and what goes wrong on the way."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from astropy.io import fits
from django.conf import settings
from django.db import InterfaceError
from made_client import ApiClient

from novacli import config as nova_configuration
from novacli.batch.executors import HERE
from novacli.records.calibration import Calibration
from novacli.records.parity import Parity
from novaweb import folders
from novaweb.dispatcher import Dispatcher, ending_of
from novaweb.queue import queue
from novaweb.queue.queue import Ending
from novaweb.submissions.models import Job, JobState, Submission

pytestmark = pytest.mark.engine


def test_an_upload_is_solved(alice: ApiClient, sky: bytes, work, data: folders.Folders) -> None:
    alice.upload(sky, "sky.fits")
    work()
    assert alice.post("jobs/1") == {"status": "success"}
    found = alice.post("jobs/1/calibration")
    assert (found["ra"], found["dec"]) == (pytest.approx(84, abs=0.01), pytest.approx(-3, abs=0.01))
    assert list(found) == ["ra", "dec", "width_arcsec", "height_arcsec", "radius", "pixscale", "orientation", "parity"]
    submission = alice.post("submissions/1")
    assert (submission["jobs"], submission["job_calibrations"]) == ([1], [[1, 1]])
    assert submission["processing_finished"] != "None"
    assert alice.post("jobs/1/info")["calibration"] == found
    header = fits.Header.fromstring(b"".join(alice.get("wcs_file/1").streaming_content))
    assert (header["CRVAL1"], header["IMAGEW"]) == (pytest.approx(84, abs=6), 1024)
    assert list(data.work.iterdir()) == []


@pytest.mark.parametrize("name", ["axy_file", "rdls_file", "corr_file", "wcs_file"])
def test_files_are_fits_and_not_for_shared_caches(alice: ApiClient, sky: bytes, work, name: str) -> None:
    alice.upload(sky, "sky.fits", publicly_visible="n")
    work()
    answer = alice.get(f"{name}/1/")
    content = b"".join(answer.streaming_content)
    assert (answer["Content-Type"], content[:9]) == ("application/fits", b"SIMPLE  =")
    assert (answer["Cache-Control"], answer["X-Content-Type-Options"]) == ("private, no-store", "nosniff")


def test_no_reply_has_a_path_of_the_server(alice: ApiClient, sky: bytes, work, data: folders.Folders) -> None:
    alice.upload(sky, "sky.fits")
    alice.upload(b"no picture", "notes.txt")
    work()
    paths = ["api/submissions/1", "api/submissions/2", "api/jobs/1/info", "api/jobs/2/info", "joblog/1"]
    for path in paths:
        assert str(data.root).encode() not in alice.get(path).content, path


def test_an_upload_that_is_no_picture_fails_with_a_message(alice: ApiClient, work) -> None:
    """Clients poll the job for ever unless it ends."""
    alice.upload(b"no picture at all", "notes.txt")
    work()
    assert alice.post("jobs/1") == {"status": "failure"}
    assert alice.post("submissions/1")["error_message"].startswith("notes.txt")
    assert alice.post("jobs/1/calibration") == {"error": "no calibration data available for job 1"}
    assert alice.get("wcs_file/1").status_code == 404


def test_a_star_list_is_solved(alice: ApiClient, stars: dict[str, Any], work) -> None:
    alice.post("upload", **stars)
    work()
    assert alice.post("jobs/1") == {"status": "success"}


def test_hints_are_used(alice: ApiClient, sky: bytes, work) -> None:
    """With the wrong scale and no other attempts, nothing is found."""
    alice.upload(sky, "sky.fits", scale_units="degwidth", scale_lower=0.1, scale_upper=0.2)
    work(timeout_s=5.0)
    assert Job.objects.get().state in (JobState.SOLVED, JobState.FAILED)
    assert Submission.objects.get().params["scale"] == {"low": 0.1, "high": 0.2, "unit": "degwidth"}


def test_a_killed_solver_costs_no_job(alice: ApiClient, sky: bytes, work) -> None:
    alice.upload(sky, "sky.fits")
    killed: list[int] = []

    def kill(dispatcher: Dispatcher) -> None:
        if killed or not Job.objects.filter(state=JobState.RUNNING).exists():
            return
        for _, process in dispatcher._executor._hired:  # type: ignore[attr-defined]
            killed.append(process._process.pid)
            os.kill(process._process.pid, signal.SIGKILL)

    work(kill)
    assert (len(killed), Job.objects.get().state) == (1, JobState.SOLVED)


def test_the_result_of_a_cancelled_job_is_removed(alice: ApiClient, sky: bytes, work, data: folders.Folders) -> None:
    alice.upload(sky, "sky.fits")
    work(lambda _: Job.objects.filter(state=JobState.RUNNING).exists() and queue.cancel(Job.objects.get()))
    assert (Job.objects.get().state, list(data.jobs.iterdir())) == (JobState.CANCELLED, [])


def test_a_second_signal_gives_the_jobs_back_to_the_queue(alice: ApiClient, sky: bytes, data: folders.Folders) -> None:
    alice.upload(sky, "sky.fits")
    made = Dispatcher(settings.NOVAWEB, nova_configuration.load(), HERE, 1)
    made.run(lambda: 2 if Job.objects.filter(state=JobState.RUNNING).exists() else 0)
    job = Job.objects.get()
    assert (job.state, job.attempts, list(data.work.iterdir())) == (JobState.QUEUED, 0, [])


def test_an_upload_whose_file_is_gone_fails(alice: ApiClient, work, data: folders.Folders) -> None:
    alice.upload()
    for blob in data.blobs.rglob("*"):
        if blob.is_file():
            blob.unlink()
    work()
    assert alice.post("jobs/1") == {"status": "failure"}
    assert str(data.root) not in alice.post("submissions/1")["error_message"]


@pytest.fixture
def dispatcher(data: folders.Folders) -> Iterator[Dispatcher]:
    """A dispatcher that solves nothing."""
    made = Dispatcher(settings.NOVAWEB, nova_configuration.load(), HERE, 1)
    yield made
    made._close()


def test_a_result_that_the_database_refuses_fails_the_job_and_not_the_worker(
    alice: ApiClient, dispatcher: Dispatcher
) -> None:
    alice.upload()
    (claim,) = queue.claim("one", 1)
    nan = math.nan  # refused by SQLite; PostgreSQL refuses the number of stars
    nowhere = Calibration(nan, nan, nan, nan, nan, Parity.POSITIVE, nan, nan, nan)
    assert not dispatcher._store(claim, Ending(JobState.SOLVED, calibration=nowhere, matched=2**40))
    assert alice.post("jobs/1") == {"status": "failure"}
    assert alice.post("submissions/1")["error_message"] == "the result cannot be stored"


def test_the_work_of_a_job_that_was_removed_is_thrown_away(alice: ApiClient, dispatcher: Dispatcher) -> None:
    alice.upload()
    (claim,) = queue.claim("one", 1)
    Submission.objects.all().delete()
    dispatcher._submit(claim)
    dispatcher._publish(claim, None)
    assert not Job.objects.exists()


def test_a_database_that_is_gone_is_named_once(dispatcher: Dispatcher, monkeypatch, caplog) -> None:
    monkeypatch.setattr("novaweb.dispatcher._DATABASE_PAUSE_S", 0)
    for _ in range(3):
        with dispatcher._patience():
            raise InterfaceError("the connection is closed\nand more")
    assert caplog.messages == ["the database cannot be used: the connection is closed: waiting for it"]


def test_what_killed_processes_left_is_removed_after_a_day(data: folders.Folders, dispatcher: Dispatcher) -> None:
    old, new = data.work / "host-1", data.work / "host-2"
    for folder in old, new:
        (folder / "job").mkdir(parents=True)
    (data.spool / "x.part").touch()
    for path in old, data.spool / "x.part":
        os.utime(path, (0, 0))
    data.sweep()
    assert (old.exists(), new.exists(), list(data.spool.iterdir())) == (False, True, [])


def test_a_worker_keeps_its_folder(data: folders.Folders, dispatcher: Dispatcher) -> None:
    dispatcher._work_dir.rmdir()
    dispatcher._beat()
    os.utime(dispatcher._work_dir, (0, 0))
    dispatcher._beat()
    data.sweep()
    assert dispatcher._work_dir.is_dir()


def test_a_message_is_text_that_a_database_takes() -> None:
    """Words of a damaged file can be in it."""
    result = SimpleNamespace(files={}, source=None, status="error", error=SimpleNamespace(message="a\0b\udcff" * 999))
    message = ending_of(result, str).error_message  # type: ignore[arg-type]
    assert (message[:11], len(message)) == ("a\\x00b\\xffa"[:11], 1000)


def test_a_solve_without_a_result_is_a_failure() -> None:
    assert ending_of(None, str).state == JobState.FAILED
