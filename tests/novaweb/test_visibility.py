"""Who may see what: every address with a number, for every viewer and visibility."""

from __future__ import annotations

import datetime
import itertools
import json

import pytest
from django.urls import get_resolver
from django.utils import timezone
from made_client import ApiClient

from novaweb.accounts.keys import ANONYMOUS_KEY
from novaweb.folders import Folders
from novaweb.products.registry import OBJECTS, PRODUCTS
from novaweb.submissions.models import Job, JobState, Submission, Visibility
from solvehost.formats.jobdir import axy_name

#: Addresses that read something of a submission or a job, its files, what owners may change, and all others.
READ = [
    "api/submissions/{}", "api/jobs/{}", "api/jobs/{}/calibration", "api/jobs/{}/info", "api/jobs/{}/place",
    "api/jobs/{}/objects_in_field", "api/jobs/{}/machine_tags", "api/jobs/{}/tags", "api/jobs/{}/annotations",
]  # fmt: skip
FILES = [
    "wcs_file/{}", "corr_file/{}", "rdls_file/{}", "axy_file/{}", "joblog/{}", *(f"{name}/{{}}" for name in PRODUCTS)
]  # fmt: skip
WRITE = ["api/submissions/{}/visibility", "api/submissions/{}/delete", "api/jobs/{}/cancel"]
OPEN = ["healthz", "readyz", "api/login", "api/upload", "api/url_upload", "api/myjobs", "api/submission_images"]
#: Pages: those that read a submission or an image, those that change one, and all others; test_pages.py opens them.
READ_PAGES = ["status/{}", "user_images/{}", "user_images/{}/objects"]
OTHER_PAGES = [
    "",
    "public",
    "mine",
    "status/{}/change",
    "user_images/{}/again",
    "progress",
    "sign-in",
    "sign-out",
    "sign-up",
    "account",
    "keys",
]


def test_every_address_has_a_line_here() -> None:
    routes = {pattern.pattern.regex.pattern for pattern in get_resolver().url_patterns}
    paths = [*READ, *FILES, *WRITE, *OPEN, *READ_PAGES, *OTHER_PAGES]
    known = {f"^{path.format('(?P<number>[0-9]{1,10})')}/?$" for path in paths}
    assert {route.replace("^$", "^/?$") for route in routes} == known


VIEWERS = ("owner", "stranger", "nobody", "uploading address")
ALLOWED = {
    Visibility.PUBLIC: {*VIEWERS},
    Visibility.UNLISTED: {"owner", "uploading address"},
    Visibility.PRIVATE: {"owner"},
}


def status_of(client: ApiClient, path: str) -> int:
    """Return the status of a file, which is read to its end, so that it is closed."""
    answer = client.get(path)
    if answer.streaming:
        b"".join(answer.streaming_content)
    return int(answer.status_code)


def make_files(data: Folders) -> None:
    """Make the only job a solved one with all its files."""
    Job.objects.update(state=JobState.SOLVED, directory="job")
    folder = data.jobs / "job"
    products = [f"products/{product.file}" for product in (*PRODUCTS.values(), OBJECTS)]
    for name in ("wcs.fits", "corr.fits", "rdls.fits", axy_name(1), "backend.log", *products):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"{}")


@pytest.mark.parametrize(("visibility", "viewer"), [*itertools.product(Visibility, VIEWERS)])
def test_one_rule_for_all_addresses(
    alice: ApiClient, person, client_at, data: Folders, visibility: Visibility, viewer: str
) -> None:
    alice.upload()
    Submission.objects.update(visibility=visibility)
    make_files(data)
    clients = {
        "owner": alice,
        "stranger": person("bob", "192.0.2.2"),
        "nobody": client_at("192.0.2.2"),
        "uploading address": client_at("192.0.2.1"),
    }
    client = clients[viewer]
    allowed = viewer in ALLOWED[visibility]
    for path in READ:
        assert client.raw(path.format(1).removeprefix("api/")).status_code == (200 if allowed else 404), path
    for path in FILES:
        assert status_of(client, path.format(1)) == (200 if allowed else 404), path
    for path in WRITE:
        if viewer != "owner":
            assert b"success" not in client.raw(path.format(1).removeprefix("api/")).content, path


def test_what_may_not_be_seen_looks_like_what_is_not_there(alice: ApiClient, client_at) -> None:
    alice.upload()
    Submission.objects.update(visibility=Visibility.PRIVATE)
    other = client_at("192.0.2.2")
    hidden, missing = other.get("api/jobs/1"), other.get("api/jobs/2")
    assert (hidden.status_code, hidden.content) == (missing.status_code, missing.content)


@pytest.mark.parametrize("path", [*READ, *FILES])
def test_deleted_submissions_are_gone_for_all(alice: ApiClient, path: str) -> None:
    alice.upload()
    Submission.objects.update(deleted=timezone.now())
    assert alice.get(path.format(1)).status_code == 404


@pytest.mark.parametrize("number", ["0", "2147483648", "9999999999"])
@pytest.mark.parametrize("path", [*READ, *FILES])
def test_unknown_numbers_are_404(alice: ApiClient, path: str, number: str) -> None:
    assert alice.get(path.format(number)).status_code == 404


@pytest.mark.parametrize("path", ["api/jobs/x", "api/submissions/-1", "api/nosuch", "api/submissions/1-2", "api/jobs/"])
def test_unknown_paths_are_404(client_at, path: str) -> None:
    assert client_at("192.0.2.1").get(path).status_code == 404


def test_the_uploading_address_may_read_for_some_hours(client_at) -> None:
    uploader = client_at("192.0.2.7").login(ANONYMOUS_KEY)
    uploader.upload(publicly_visible="n")
    poller = client_at("192.0.2.7")
    assert poller.get("api/jobs/1").status_code == 200
    Submission.objects.update(submitted=timezone.now() - datetime.timedelta(hours=25))
    assert poller.get("api/jobs/1").status_code == 404


def test_people_without_an_account_do_not_own_what_others_of_them_sent(client_at) -> None:
    client_at("192.0.2.7").login(ANONYMOUS_KEY).upload(publicly_visible="n")
    other = client_at("192.0.2.8").login(ANONYMOUS_KEY)
    assert other.raw("jobs/1").status_code == 404
    assert other.post("myjobs") == {"status": "success", "jobs": []}


def test_a_cookie_is_enough_to_read(alice: ApiClient) -> None:
    alice.upload()
    Submission.objects.update(visibility=Visibility.PRIVATE)
    assert alice.http.get("/api/jobs/1").status_code == 200


def test_the_owner_changes_the_visibility(alice: ApiClient, client_at) -> None:
    alice.upload(publicly_visible="y")
    stranger = client_at("192.0.2.9")
    assert stranger.get("api/jobs/1").status_code == 200
    assert alice.post("submissions/1/visibility", visibility="private") == {"status": "success"}
    assert stranger.get("api/jobs/1").status_code == 404
    answer = alice.post("submissions/1/visibility", visibility="secret")
    assert answer["errormessage"] == '"visibility" is none of public, unlisted, private'


def test_the_owner_deletes_a_submission(alice: ApiClient, client_at) -> None:
    alice.upload(publicly_visible="y")
    assert client_at("192.0.2.9").get("api/submissions/1/delete").status_code == 200  # an error: it is no owner
    assert alice.post("submissions/1/delete") == {"status": "success"}
    assert alice.get("api/jobs/1").status_code == 404
    assert Job.objects.get().state == JobState.CANCELLED


def test_a_list_holds_own_jobs_only(alice: ApiClient, person) -> None:
    alice.upload()
    bob = person("bob")
    bob.upload()
    assert (alice.post("myjobs")["jobs"], bob.post("myjobs")["jobs"]) == ([1], [2])
    assert alice.post("submission_images", subid=1) == {"status": "success", "image_ids": [1]}
    assert json.loads(alice.raw("submission_images", subid="x").content)["errormessage"] == 'need "subid"'
