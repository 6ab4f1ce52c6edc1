"""The pages: upload to result, who may see what, sign-in, keys, and what is refused."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from made_client import ApiClient
from test_visibility import ALLOWED, READ_PAGES

from novacli.records.calibration import Calibration
from novacli.records.parity import Parity
from novaweb.queue import queue
from novaweb.queue.queue import Ending
from novaweb.submissions.models import Job, JobState, Submission, Visibility

VISITOR = "192.0.2.1"
ORION = Calibration(
    ra=83.82,
    dec=-5.39,
    radius=1.2,
    pixscale=8.1,
    orientation=12.0,
    parity=Parity.POSITIVE,
    width_arcsec=7200.0,
    height_arcsec=5400.0,
    up_deg_e_of_n=12.0,
)


@pytest.fixture
def visitor() -> Client:
    """A browser at an address, without an account."""
    return Client(REMOTE_ADDR=VISITOR)


def send(browser: Client, content: bytes = b"picture", **fields: str) -> HttpResponse:
    """Upload a file with the form."""
    file = SimpleUploadedFile("m42.jpg", content)
    return browser.post("/", {"visibility": Visibility.UNLISTED.value, "file": file, **fields})


def end(state: str, reason: str = "") -> None:
    """End the job that waits."""
    (claim,) = queue.claim("test", 1)
    calibration = ORION if state == JobState.SOLVED else None
    queue.finish(claim, Ending(state, reason, size=(900, 700), calibration=calibration, log_odds=88.0, matched=40))


def test_an_upload_goes_to_its_page_and_then_to_its_result(visitor: Client) -> None:
    answer = send(visitor)
    assert (answer.status_code, answer["Location"]) == (302, "/status/1")
    assert "it is next" in visitor.get("/status/1").content.decode()
    end(JobState.SOLVED)
    assert visitor.get("/status/1")["Location"] == "/user_images/1"
    page = visitor.get("/user_images/1").content.decode()
    for text in ("m42.jpg", "05:35:16.80", "-05:23:24.0", "40 stars, log-odds 88", "/wcs_file/1"):
        assert text in page


@pytest.mark.parametrize(
    ("reason", "text"),
    [("exhausted", "No place on the sky"), ("no-stars", "Too few stars"), ("error", "cannot be read")],
)
def test_the_page_of_a_picture_that_is_not_solved_says_why(visitor: Client, reason: str, text: str) -> None:
    send(visitor)
    end(JobState.FAILED, reason)
    assert text in visitor.get("/user_images/1").content.decode()


def test_a_pasted_star_list_is_an_upload(visitor: Client) -> None:
    answer = visitor.post("/", {"visibility": "u", "stars": "x,y\n1,2\n"})
    assert answer.status_code == 302
    assert Submission.objects.get().original_filename == "stars.csv"


@pytest.mark.parametrize(
    ("fields", "scale", "position"),
    [
        ({"scale_kind": "arcsecperpix", "scale": "2"}, ("arcsecperpix", 1.6, 2.4), None),
        ({"scale_kind": "camera", "focal_mm": "1000", "pixel_um": "4.848"}, ("arcsecperpix", 0.8, 1.2), None),
        ({"ra": "05:35:17", "dec": "-5 23"}, None, (83.8208, -5.3833, 15.0)),
    ],
)
def test_what_is_known_becomes_a_hint(visitor: Client, fields: dict[str, str], scale: object, position: object) -> None:
    assert send(visitor, **fields).status_code == 302
    params = Submission.objects.get().params
    found = params.get("scale")
    assert scale == (
        found and (found["unit"], pytest.approx(found["low"], rel=0.01), pytest.approx(found["high"], rel=0.01))
    )
    if position is not None:
        assert [*params["position"].values()] == pytest.approx(list(position), abs=0.001)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"ra": "10"}, "give both right ascension and declination"),
        ({"ra": "10", "dec": "100"}, "declination"),
        ({"scale_kind": "camera", "focal_mm": "500"}, "give both the focal length and the pixel size"),
        ({"scale_kind": "degwidth"}, "give the size on the sky"),
        ({"scale_kind": "parsec"}, "Select a valid choice"),
        ({"visibility": Visibility.PRIVATE.value}, "Select a valid choice"),
        ({"stars": "1,2"}, "Choose files, or give an address, or paste a star list"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(visitor: Client, fields: dict[str, str], text: str) -> None:
    answer = send(visitor, **fields)
    assert (answer.status_code, text in answer.content.decode()) == (400, True)
    assert not Job.objects.exists()


def test_names_are_shown_as_text(visitor: Client) -> None:
    file = SimpleUploadedFile("<img src=x onerror=alert(1)>.jpg", b"picture")
    visitor.post("/", {"visibility": "u", "file": file})
    end(JobState.FAILED, "exhausted")
    assert "<img src=x" not in visitor.get("/user_images/1").content.decode()


@pytest.mark.parametrize(
    ("visibility", "viewer"), [*itertools.product(Visibility, ("owner", "stranger", "nobody", "uploading address"))]
)
@pytest.mark.parametrize("path", READ_PAGES)
def test_pages_follow_the_rule_of_the_api(
    signed_in: Callable[..., Client], path: str, visibility: Visibility, viewer: str
) -> None:
    browsers = {
        "owner": signed_in("alice"),
        "stranger": signed_in("bob", "192.0.2.2"),
        "nobody": Client(REMOTE_ADDR="192.0.2.2"),
        "uploading address": Client(REMOTE_ADDR=VISITOR),
    }
    send(browsers["owner"])
    Submission.objects.update(visibility=visibility)
    status = browsers[viewer].get("/" + path.format(1), follow=True).status_code
    assert status == (200 if viewer in ALLOWED[visibility] else 404)


@pytest.mark.parametrize("path", READ_PAGES)
def test_a_deleted_submission_has_no_page(signed_in: Callable[..., Client], path: str) -> None:
    alice = signed_in("alice")
    send(alice)
    assert alice.post("/status/1/change", {"do": "delete"})["Location"] == "/mine"
    assert alice.get("/" + path.format(1)).status_code == 404
    assert "m42.jpg" not in alice.get("/mine").content.decode()


def test_lists_hold_what_may_be_listed(signed_in: Callable[..., Client], visitor: Client) -> None:
    alice = signed_in("alice")
    send(alice)
    assert "m42.jpg" in alice.get("/mine").content.decode()
    for path in "/public", "/":
        assert "m42.jpg" not in visitor.get(path).content.decode()
    alice.post("/status/1/change", {"do": Visibility.PUBLIC.value})
    end(JobState.SOLVED)
    for path in "/public", "/":
        assert "m42.jpg" in visitor.get(path).content.decode()


def test_the_number_of_queries_does_not_grow_with_a_list(
    visitor: Client, django_assert_max_num_queries: Callable[..., object]
) -> None:
    for number in range(30):
        send(visitor, content=str(number).encode(), visibility=Visibility.PUBLIC.value)
    with django_assert_max_num_queries(3):
        page = visitor.get("/public").content.decode()
    assert page.count('class="card ') == 24
    assert 'href="?before=7"' in page
    assert visitor.get("/public?before=7").content.decode().count('class="card ') == 6


def test_only_the_owner_changes_a_submission(signed_in: Callable[..., Client], visitor: Client) -> None:
    send(signed_in("alice"), visibility=Visibility.PUBLIC.value)
    for browser in visitor, signed_in("bob"):
        browser.post("/status/1/change", {"do": "cancel"})
        browser.post("/status/1/change", {"do": "delete"})
    assert Job.objects.get().state == JobState.QUEUED
    assert Submission.objects.get().deleted is None


def test_the_owner_cancels_a_job(signed_in: Callable[..., Client]) -> None:
    alice = signed_in("alice")
    send(alice)
    alice.post("/status/1/change", {"do": "cancel"})
    assert Job.objects.get().state == JobState.CANCELLED


def test_pages_for_people_need_a_sign_in(visitor: Client) -> None:
    for path in "/mine", "/keys":
        assert visitor.get(path)["Location"] == f"/sign-in?next={path}"


def test_forms_from_other_sites_are_refused() -> None:
    browser = Client(enforce_csrf_checks=True, REMOTE_ADDR=VISITOR)
    answer = browser.post("/", {"visibility": "u", "stars": "1,2"})
    assert (answer.status_code, b"does not come from a page of this service" in answer.content) == (403, True)


def test_the_session_of_a_page_reads_files_and_the_api(signed_in: Callable[..., Client]) -> None:
    alice = signed_in("alice")
    send(alice, visibility=Visibility.PRIVATE.value)
    for browser, status in (alice, 200), (signed_in("bob"), 404):
        assert browser.get("/api/jobs/1").status_code == status


def test_the_session_of_a_page_does_not_write_by_the_api(signed_in: Callable[..., Client]) -> None:
    alice = signed_in("alice")
    send(alice)
    assert b"no json" in alice.post("/api/jobs/1/cancel").content
    assert Job.objects.get().state == JobState.QUEUED


def test_a_page_that_is_not_there_is_a_page_for_a_browser_and_json_for_a_program(
    client_at: Callable[[str], ApiClient],
) -> None:
    page = Client().get("/nosuch", headers={"Accept": "text/html,*/*"})
    assert (page.status_code, b"<h1>" in page.content) == (404, True)
    assert client_at(VISITOR).get("nosuch")["Content-Type"] == "text/plain"


@pytest.mark.parametrize("path", ["/", "/public", "/sign-in", "/nosuch"])
def test_every_page_has_a_policy_that_allows_no_inline_script(visitor: Client, path: str) -> None:
    answer = visitor.get(path, headers={"Accept": "text/html"})
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=", answer.content.decode())


def test_static_files_are_sent(visitor: Client) -> None:
    answer = visitor.get("/static/nova/nova.css")
    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (200, "text/css")
    assert b"--ground" in b"".join(answer.streaming_content)
