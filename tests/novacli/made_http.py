"""A web server on this machine whose answers depend on the path of the request."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """The server's address and content, and what it was asked: ``hosts`` and ``authorizations``, one a request."""

    content: bytes
    url: str = ""
    target: str = ""
    hosts: tuple[str, ...] = ()
    authorizations: tuple[str | None, ...] = ()


class _Handler(BaseHTTPRequestHandler):
    site: Site
    release: threading.Event

    def do_GET(self) -> None:
        site = self.site
        site.hosts += (self.headers["Host"],)
        site.authorizations += (self.headers.get("Authorization"),)
        path = self.path.partition("?")[0]
        redirects = {"/loop": "/loop", "/to-file": "file:///etc/passwd", "/moved": "/x.fits", "/away": site.target}
        if path.startswith("/status/"):
            self.send_error(int(path.rsplit("/", 1)[1]))
        elif path in redirects:
            self._redirect(redirects[path])
        elif path == "/html":
            self._send(b"<!DOCTYPE html><html><body>Please log in</body></html>")
        elif path == "/packed":
            self._send(gzip.compress(site.content), encoding="gzip")
        elif path == "/short":
            self._send(site.content[:4000], length=len(site.content))
        elif path == "/huge":
            self._send(b"", length=10**12)
        elif path == "/endless":
            self._send(site.content * 50, length=None)
        elif path == "/slow":
            self._send(site.content[:10], length=len(site.content))
            self.wfile.flush()
            self.release.wait(20)
        else:
            self._send(site.content)

    def _redirect(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, body: bytes, *, length: int | None = -1, encoding: str | None = None) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length < 0 else length))
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return None


class QuietServer(ThreadingHTTPServer):
    """Prints nothing about clients that hang up."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        return None


@contextlib.contextmanager
def serving(content: bytes) -> Iterator[Site]:
    """Run a server that has ``content`` at ``/x.fits``, and trouble at other paths."""
    site, release = Site(content), threading.Event()
    handler = type("Handler", (_Handler,), {"site": site, "release": release})
    with QuietServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        site.url = f"http://127.0.0.1:{running.server_port}"
        try:
            yield site
        finally:
            release.set()
            running.shutdown()
            thread.join()
