"""A stand-in for a web service with the API of nova.astrometry.net, which can misbehave.

Its replies have the form of those that an upstream server was seen to give.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

KEY = "abcdefghijklmnop"
FILES = {"wcs_file": "wcs.fits", "corr_file": "corr.fits", "rdls_file": "rdls.fits", "joblog": "backend.log"}
#: Replies to a request in place of the right one: fault → (status, headers, body).
ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "busy": (503, {}, b"<html>busy</html>"),
    "too many": (429, {"Retry-After": "0"}, b""),
    "fault": (500, {}, b"<h1>Server Error (500)</h1>"),
    "html": (200, {}, b"<!DOCTYPE html><html>please wait</html>"),
    "list": (200, {}, b"[]"),
    "expired": (200, {}, b'{"status": "error", "errormessage": "no session with key \\"x\\""}'),
}


class MadeNova:
    """The service, and what it was asked.

    Attributes
    ----------
    url
        The address of its API.
    uploads
        The submissions, each with its file and its fields.
    word
        What it says of jobs: solving, success or failure.
    files
        The result files of each job, by name.
    calls
        The method and path of each request.
    faults
        What goes wrong with the next requests: a key of ``ANSWERS``; ``drop`` breaks the connection off, ``lost``
        does what was asked and then breaks it off, ``cut`` sends half of the answer.  Each is used once, by the first
        request whose path contains the word after a colon: ``busy:upload``.
    """

    def __init__(self) -> None:
        self.url = ""
        self.uploads: list[dict[str, Any]] = []
        self.word = "success"
        self.files: dict[str, bytes] = {}
        self.calls: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []
        self.faults: list[str] = []
        self.sessions = 0
        self.gone: set[int] = set()
        self.jobs_reply: Callable[[int], list[Any]] = lambda number: [number]
        self.submission_error = ""
        self.can_cancel = True
        self.location = ""
        self.looks = self.blind_looks = 0
        self.echo = False

    def fault_for(self, path: str) -> str:
        """Take the fault for a path, empty if there is none."""
        for fault in self.faults:
            name, _, word = fault.partition(":")
            if word in path:
                self.faults.remove(fault)
                return name
        return ""

    def answer(self, path: str, fields: dict[str, Any], file: tuple[str, bytes] | None) -> tuple[int, bytes]:
        """Return the status and the body of a request."""
        if path == "api/login":
            return self._login(fields)
        parts = path.strip("/").split("/")
        if parts[0] in FILES:
            content = self.files.get(FILES[parts[0]])
            return (404, b"no") if content is None or int(parts[1]) in self.gone else (200, content)
        if fields.get("session") != f"session{self.sessions}":
            return self._json({"status": "error", "errormessage": f'no session with key "{fields.get("session")}"'})
        return self._api(parts[1:], fields, file)

    def _login(self, fields: dict[str, Any]) -> tuple[int, bytes]:
        if fields.get("apikey") != KEY:
            return self._json({"status": "error", "errormessage": "bad apikey"})
        if self.echo:
            return self._json({"status": "error", "errormessage": f"the key {fields['apikey']} has no quota"})
        self.sessions += 1
        return self._json(
            {"status": "success", "message": "authenticated user: ", "session": f"session{self.sessions}"}
        )

    def _api(self, parts: list[str], fields: dict[str, Any], file: tuple[str, bytes] | None) -> tuple[int, bytes]:
        if parts == ["upload"] and file is not None:
            self.uploads.append({"name": file[0], "content": file[1], "fields": fields})
            return self._json({"status": "success", "subid": len(self.uploads), "hash": "0"})
        if parts == ["myjobs"]:
            self.looks += 1
            if self.looks <= self.blind_looks:
                return self._json({"status": "success", "jobs": []})
            numbers = [n for n in range(1, len(self.uploads) + 1) if n not in self.gone]
            return self._json({"status": "success", "jobs": numbers})
        number = int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else 0
        if not 1 <= number <= len(self.uploads) or number in self.gone:
            return 404, b"<h1>Not Found</h1>"
        return self._about(parts, number)

    def _about(self, parts: list[str], number: int) -> tuple[int, bytes]:
        match parts[0], parts[2:]:
            case "submissions", []:
                jobs = [] if self.submission_error else self.jobs_reply(number)
                value = {"user": 1, "jobs": jobs, "processing_started": "None", "processing_finished": "None",
                         "user_images": [], "images": [], "job_calibrations": []}  # fmt: skip
                return self._json({**value, "error_message": self.submission_error} if self.submission_error else value)
            case "submissions", ["delete"]:
                self.gone.add(number)
                return self._json({"status": "success"})
            case "jobs", []:
                return self._json({"status": self.word})
            case "jobs", ["info"]:
                return self._json({"status": self.word, "original_filename": self.uploads[number - 1]["name"]})
            case "jobs", ["cancel"] if self.can_cancel:
                return self._json({"status": "success"})
            case _:
                return 404, b"<h1>Not Found</h1>"

    @staticmethod
    def _json(value: object) -> tuple[int, bytes]:
        return 200, json.dumps(value).encode()


class _Handler(BaseHTTPRequestHandler):
    nova: MadeNova

    def do_GET(self) -> None:
        self._handle(b"")

    def do_POST(self) -> None:
        self._handle(self.rfile.read(int(self.headers["Content-Length"])))

    def _handle(self, body: bytes) -> None:
        nova, path = self.nova, self.path.strip("/")
        nova.calls.append((self.command, re.sub(r"\d+", "N", path)))
        nova.bodies.append(body)
        fault = nova.fault_for(path)
        if fault == "drop":
            self.close_connection = True
            return
        if fault == "moved":
            self._send(302, {"Location": nova.location}, b"")
        elif fault in ANSWERS:
            self._send(*ANSWERS[fault])
        else:
            status, content = nova.answer(path, *self._parse(body))
            if fault == "lost":
                self.close_connection = True
                return
            length = {"Content-Length": str(len(content))}
            self._send(status, length, content[: len(content) // 2] if fault == "cut" else content)

    def _parse(self, body: bytes) -> tuple[dict[str, Any], tuple[str, bytes] | None]:
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("application/x-www-form-urlencoded"):
            return json.loads(parse_qs(body.decode())["request-json"][0]), None
        if not kind.startswith("multipart/"):
            return {}, None
        whole = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body, policy=policy.HTTP)
        parts = {part.get_param("name", header="content-disposition"): part for part in whole.iter_parts()}
        file = parts["file"]
        fields = json.loads(parts["request-json"].get_payload(decode=True))
        return fields, (str(file.get_filename()), file.get_payload(decode=True))

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def running() -> Iterator[MadeNova]:
    """Start the service on loopback, and end it at the end."""
    nova = MadeNova()
    handler = type("Handler", (_Handler,), {"nova": nova})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        nova.url = f"http://127.0.0.1:{server.server_port}/api/"
        yield nova
        server.shutdown()
        thread.join()
