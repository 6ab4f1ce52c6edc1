"""Uploads: files and star lists become submissions; wrong options are named."""

from __future__ import annotations

import hashlib
import io
import json

import pytest
from made_client import ApiClient

from novacli.records.params import Position, Scale, ScaleUnit, SolveParams
from novacli.records.parity import Parity
from novaweb import folders
from novaweb.api import parameters
from novaweb.api.requests import ApiError
from novaweb.submissions.models import Blob, Job, Submission


def test_an_upload_has_a_job_at_once(alice: ApiClient, data: folders.Folders) -> None:
    answer = alice.upload(b"picture")
    assert answer == {"status": "success", "subid": 1, "hash": hashlib.sha1(b"picture").hexdigest()}
    shown = alice.post("submissions/1")
    assert (shown["processing_started"], shown["user_images"], shown["jobs"]) == ("None", [1], [1])
    assert alice.post("jobs/1") == {"status": "solving"}
    assert data.blob(hashlib.sha256(b"picture").hexdigest()).read_bytes() == b"picture"


def test_the_same_content_is_stored_once(alice: ApiClient) -> None:
    for _ in range(2):
        alice.upload(b"picture")
    assert (Blob.objects.count(), Submission.objects.count()) == (1, 2)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("C:\\pictures\\m42.jpg", "m42.jpg"),
        ("/home/ada/m42.jpg", "m42.jpg"),
        ("a\x1b[31m\u202eb.jpg", "a[31mb.jpg"),
        ("x" * 300, "x" * 255),
    ],
)
def test_a_name_is_shown_without_folders_and_control_characters(alice: ApiClient, name: str, shown: str) -> None:
    alice.upload(name=name)
    assert alice.post("jobs/1/info")["original_filename"] == shown


def test_a_star_list_needs_no_file(alice: ApiClient, data: folders.Folders) -> None:
    answer = alice.post("upload", x=[1, 2.5], y=[3, 4], image_width=100, image_height=50)
    stored = data.blob(Blob.objects.get().sha256).read_text()
    assert (answer["status"], stored) == ("success", "x,y\n1.0,3.0\n2.5,4.0\n")
    assert Submission.objects.get().params["size"] == [100, 50]


def test_astroquery_sends_its_star_list_to_url_upload(alice: ApiClient) -> None:
    assert alice.post("url_upload", x=[1], y=[2], image_width=10, image_height=10)["status"] == "success"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"session": None}, 'no session with key "None"'),
        ({"session": "x"}, 'no session with key "x"'),
        ({"session": 5}, 'no session with key "5"'),
        ({"session": ""}, 'no session with key ""'),
        ({"x": [1, 2, 3], "y": [1]}, '"x" and "y" lists must be the same length'),
        (
            {"x": ["a"], "y": ["b"]},
            'Failed to parse JSON "x" and "y" values -- should be lists of floats',
        ),
        ({"scale_lower": "abc"}, '"scale_lower" is no number'),
        ({"parity": 7}, '"parity" is none of 0, 1 and 2'),
        ({"scale_lower": 5, "scale_upper": 1}, "scale range 5 to 1 is upside down: its lower end comes first"),
    ],
)
def test_what_is_wrong_is_named(alice: ApiClient, fields: dict, message: str) -> None:
    text = json.dumps({"session": alice.session, **fields})
    file = io.BytesIO(b"picture")
    data = {"request-json": text} if "x" in fields else {"request-json": text, "file": file}
    answer = alice.http.post("/api/upload", data)
    assert json.loads(answer.content) == {"status": "error", "errormessage": message}
    assert Submission.objects.count() == 0


def test_a_request_without_a_session_is_refused(client_at) -> None:
    assert client_at("192.0.2.1").post("upload") == {"status": "error", "errormessage": 'no "session" in JSON.'}


def test_a_cookie_alone_writes_nothing(alice: ApiClient) -> None:
    """A page of another site could have a browser send it."""
    file = io.BytesIO(b"picture")
    answer = alice.http.post("/api/upload", {"request-json": "{}", "file": file})
    assert json.loads(answer.content)["errormessage"] == 'no "session" in JSON.'


def test_a_body_over_the_limit_is_refused_before_it_is_read(alice: ApiClient, settings) -> None:
    settings.NOVAWEB = settings.NOVAWEB.replaced("test", max_upload_mb=1)
    assert alice.upload(bytes(3_000_000))["errormessage"] == "the upload is larger than 1 MB"


def test_a_user_may_have_so_many_jobs_in_the_queue(alice: ApiClient, person, settings) -> None:
    settings.NOVAWEB = settings.NOVAWEB.replaced("test", max_queued=2)
    answers = [alice.upload()["status"] for _ in range(3)]
    assert answers == ["success", "success", "error"]
    assert person("bob").upload()["status"] == "success"


def test_options_become_parameters() -> None:
    fields = {
        "scale_units": "degwidth", "scale_lower": "1", "scale_upper": 3, "center_ra": 10, "center_dec": "-5",
        "radius": 2, "parity": "1", "downsample_factor": 4, "tweak_order": 2, "crpix_center": True, "invert": True,
        "image_width": 100, "image_height": 80.5,
    }  # fmt: skip
    assert parameters.solve_params(fields) == SolveParams(
        scale=Scale(1, 3), position=Position(10, -5, 2), parity=Parity.POSITIVE, downsample=4, tweak_order=2,
        crpix_center=True, invert=True, size=(100, 81),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "scale"),
    [
        ({}, None),
        ({"scale_type": "ul", "scale_lower": 0, "scale_upper": 180}, Scale(None, 180)),
        ({"scale_type": "ev", "scale_est": 2, "scale_err": 50, "scale_units": "arcsecperpix"},
         Scale(1, 3, ScaleUnit.ARCSEC_PER_PIXEL)),
        ({"scale_est": 10, "scale_units": "arcminwidth"}, Scale(9, 11, ScaleUnit.ARCMIN_WIDTH)),
        ({"scale_lower": "", "scale_upper": None}, None),
    ],
)  # fmt: skip
def test_scales_as_clients_write_them(fields: dict, scale: Scale | None) -> None:
    assert parameters.solve_params(fields).scale == scale


@pytest.mark.parametrize("value", [[], {}, True, "nan", "inf", "1e999", "0x10", 10**400])
@pytest.mark.parametrize("name", ["scale_lower", "center_ra", "parity", "tweak_order", "image_width"])
def test_no_value_of_an_option_is_a_fault(name: str, value: object) -> None:
    with pytest.raises(ApiError, match="no number"):
        parameters.solve_params({name: value, "center_dec": 0, "image_height": 5})


def test_each_state_has_a_job(alice: ApiClient) -> None:
    alice.upload()
    assert Job.objects.get().user.username == "alice"
