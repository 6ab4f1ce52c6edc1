"""A web server on this machine that has index files, resumes downloads, and makes trouble on request."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from made_http import QuietServer


@dataclass
class Mirror:
    """The server's address and files, and what it was asked.

    Attributes
    ----------
    files
        Contents by name.
    troubles
        What the next requests get, one each, in place of a plain answer: ``cut N`` (close after N bytes), ``stall N``
        (send nothing after N bytes, until the test ends), ``STATUS`` or ``STATUS SECONDS`` (with Retry-After),
        ``redirect``, ``page`` (a web page), ``longer`` and ``shorter`` (a wrong length is announced), ``wrong part``.
    ranges
        The Range headers of the requests, None for those without one.
    """

    files: dict[str, bytes]
    url: str = ""
    troubles: list[str] = field(default_factory=list)
    has_validators: bool = True
    resumes: bool = True
    ranges: list[str | None] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Handler(BaseHTTPRequestHandler):
    mirror: Mirror
    release: threading.Event

    def do_GET(self) -> None:
        mirror = self.mirror
        with mirror.lock:
            mirror.ranges.append(self.headers.get("Range"))
            word, *rest = (mirror.troubles.pop(0) if mirror.troubles else "plain").split(" ", 1)
        name = self.path.rsplit("/", 1)[1]
        if word.isdecimal():
            self._refuse(int(word), *rest)
        elif word == "redirect":
            self._head(302, [("Location", f"/elsewhere/{name}"), ("Content-Length", "0")])
        elif word == "page":
            self._send(b"<html><body>Please log in</body></html>", 200, [], word)
        elif name not in mirror.files:
            self._refuse(404)
        else:
            self._answer(mirror.files[name], word, *rest)

    def _answer(self, content: bytes, word: str, rest: str = "") -> None:
        tag = f'"{hash(content) & 0xFFFFFFFF:x}"'
        headers = [("ETag", tag)] if self.mirror.has_validators else []
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        status = 200
        if asked and self.mirror.resumes and self.headers.get("If-Range") == tag:
            start = int(asked[1])
            if start >= len(content):
                self._head(416, [("Content-Range", f"bytes */{len(content)}"), ("Content-Length", "0")])
                return
            begin = start + 1 if (word, rest) == ("wrong", "part") else start
            headers.append(("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}"))
            content, status = content[start:], 206
        self._send(content, status, headers, word, rest)

    def _send(self, content: bytes, status: int, headers: list[tuple[str, str]], word: str, rest: str = "") -> None:
        length = len(content) + {"longer": 1000, "shorter": -1000}.get(word, 0)
        self._head(status, [*headers, ("Content-Length", str(length))])
        with contextlib.suppress(OSError):
            if word in ("cut", "stall"):
                self.wfile.write(content[: int(rest)])
                self.wfile.flush()
                if word == "stall":
                    self.release.wait(30)
            else:
                self.wfile.write(content[:length])

    def _refuse(self, status: int, seconds: str = "") -> None:
        self._head(status, [("Content-Length", "0"), *([("Retry-After", seconds)] if seconds else [])])

    def _head(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return None


@contextlib.contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Mirror]:
    """Run a server that has these files."""
    mirror, release = Mirror(files), threading.Event()
    handler = type("Handler", (_Handler,), {"mirror": mirror, "release": release})
    with QuietServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        mirror.url = f"http://127.0.0.1:{running.server_port}/41"
        try:
            yield mirror
        finally:
            release.set()
            running.shutdown()
            thread.join()
