"""Requests that are damaged, too large or for another host: the reply is JSON and names the fault."""

from __future__ import annotations

import errno
import json
from typing import Any

import pytest
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.db import OperationalError
from made_client import ApiClient

from novaweb import folders
from novaweb.queue import queue

_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data; boundary=B"
_FILE = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
_STRAY = b"Content-Transfer-Encoding: base64\r\n\r\nab&&&\r\n--B--\r\n"


@pytest.mark.parametrize("text", ['"\\ud800"', '"a\\u0000bcdefghijklmnop"', '"é"', "[1]", "5", "null"])
def test_no_key_is_a_fault(client_at, text: str) -> None:
    """A key is text from outside: it may hold what UTF-8 or a database cannot."""
    answer = client_at("192.0.2.1").http.post("/api/login", {"request-json": f'{{"apikey": {text}}}'})
    assert json.loads(answer.content)["status"] == "error"


@pytest.mark.parametrize("word", ['"\\ud800"', '"\\u0000"'])
@pytest.mark.parametrize("path", ["upload", "submissions/1", "myjobs"])
def test_no_session_is_a_fault(client_at, path: str, word: str) -> None:
    answer = client_at("192.0.2.1").http.post(f"/api/{path}", {"request-json": f'{{"session": {word}}}'})
    assert {"error", "errormessage"} & set(json.loads(answer.content))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"&".join(b"f%d=1" % number for number in range(1100)), _FORM),
        (b"request-json=" + b"x" * (17 * 2**20), _FORM),
        (b"request-json=%7B%7D", f"{_FORM}; charset=utf-16"),
        (_FILE, "multipart/form-data"),
        (_FILE, 'multipart/form-data; boundary="é"'),
        (_FILE + _STRAY, _MULTIPART),
        (_FILE + b"X: " + b"y" * 5000 + b"\r\n\r\nx\r\n--B--\r\n", _MULTIPART),
        (b"".join(_FILE + b"\r\nx\r\n" for _ in range(150)) + b"--B--\r\n", _MULTIPART),
    ],
    ids=["fields", "size", "charset", "no boundary", "boundary", "base64", "header", "files"],
)
def test_a_request_that_cannot_be_parsed_is_an_error_in_json(client_at, body: bytes, content_type: str) -> None:
    for path in "upload", "login":
        answer = client_at("192.0.2.1").http.generic("POST", f"/api/{path}", body, content_type)
        shown = json.loads(answer.content)
        assert (answer.status_code, shown["status"]) == (200, "error"), path
        assert shown["errormessage"].startswith("the request cannot be read: ")


def test_a_damaged_request_leaves_nothing_in_the_spool(client_at, data: folders.Folders, settings) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(data.spool)
    body = _FILE + b"\r\n" + bytes(100_000) + b"\r\n" + _FILE + _STRAY
    client_at("192.0.2.1").http.generic("POST", "/api/upload", body, _MULTIPART)
    assert list(data.spool.iterdir()) == []


def test_a_poll_that_cannot_be_parsed_is_answered_as_without_a_session(alice: ApiClient) -> None:
    alice.upload()
    body = b"&".join(b"f%d=1" % number for number in range(1100))
    assert alice.http.generic("POST", "/api/jobs/1", body, _FORM).content == b'{"status": "solving"}'
    assert alice.http.generic("POST", "/wcs_file/1", body, _FORM).status_code == 404


def test_a_request_for_another_host_is_refused(client_at) -> None:
    answer = client_at("192.0.2.1").http.get("/api/jobs/1", headers={"Host": "other.example"})
    assert (answer.status_code, answer["Content-Type"]) == (400, "text/plain")
    assert json.loads(answer.content)["errormessage"].startswith("this host is not the service's: use http")


@pytest.mark.parametrize("path", ["nothing", "api/jobs/12345678901", "wcs_file/7", "joblog/7", "api/jobs/7"])
def test_what_does_not_exist_is_a_404_in_json(client_at, path: str) -> None:
    answer = client_at("192.0.2.1").get(path)
    assert (answer.status_code, list(json.loads(answer.content))) == (404, ["error"])


def test_a_full_disk_is_named(alice: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/srv/nova/spool/x")

    monkeypatch.setattr(TemporaryFileUploadHandler, "receive_data_chunk", full)
    assert alice.upload()["errormessage"] == "the upload cannot be stored: No space left on device"


@pytest.mark.parametrize("path", ["api/jobs/1", "wcs_file/1"])
def test_a_database_that_is_gone_is_a_503(client_at, monkeypatch: pytest.MonkeyPatch, path: str, caplog) -> None:
    def gone(*_: Any) -> None:
        raise OperationalError("connection refused\nIs the server running?")

    monkeypatch.setattr("novaweb.api.status.job_or_404", gone)
    monkeypatch.setattr("novaweb.files.views.job_or_404", gone)
    answer = client_at("192.0.2.1").get(path)
    assert answer.status_code == 503
    assert json.loads(answer.content)["errormessage"].startswith("the database of the service cannot be used")
    assert caplog.messages[0] == "the database cannot be used: connection refused"


def test_a_fault_is_an_error_in_json_and_logged(client_at, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("secret detail")

    client = client_at("192.0.2.1")
    client.http.raise_request_exception = False
    monkeypatch.setattr("novaweb.api.status.job_or_404", broken)
    answer = client.get("api/jobs/1")
    assert (answer.status_code, json.loads(answer.content)["status"]) == (500, "error")
    assert b"secret" not in answer.content
    assert "secret detail" in caplog.text


def test_a_job_that_ends_without_a_result_ends_its_submission(alice: ApiClient) -> None:
    """Clients also poll processing_finished."""
    alice.upload()
    alice.post("jobs/1/cancel")
    assert alice.post("submissions/1")["processing_finished"] != "None"
    alice.upload()
    for _ in range(queue.MAX_ATTEMPTS):
        (claim,) = queue.claim("one", 1)
        queue.LEASE, kept = -queue.LEASE, queue.LEASE
        queue.beat([claim])
        queue.LEASE = kept
    assert queue.claim("next", 1) == []
    assert alice.post("submissions/2")["processing_finished"] != "None"
