"""Standard input and downloads, from a server on this machine."""

from __future__ import annotations

import gzip
import io
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from novacli.errors import (
    DataError,
    DeniedError,
    InputMissingError,
    NovaError,
    RetryLaterError,
    TransferError,
    UsageError,
)
from novacli.inputs import Limits, open_field
from novacli.inputs.fetch import mask_credentials

Writer = Callable[..., Path]
SECRET = "hunter2"


class FakeStdin:
    """Standard input with given bytes."""

    closed = False

    def __init__(self, content: bytes, *, tty: bool = False) -> None:
        self.buffer = io.BytesIO(content)
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


class Handler(BaseHTTPRequestHandler):
    """Answers by the path; ``content`` and ``release`` are set by the fixture."""

    content: bytes
    release: threading.Event
    authorization: str | None = None

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/status/"):
            self.send_error(int(path.rsplit("/", 1)[1]))
        elif path == "/loop":
            self._redirect("/loop")
        elif path == "/to-file":
            self._redirect("file:///etc/passwd")
        elif path == "/moved":
            self._redirect("/x.fits")
        elif path == "/html":
            self._send(b"<!DOCTYPE html><html><body>Please log in</body></html>")
        elif path == "/packed":
            self._send(gzip.compress(self.content), encoding="gzip")
        elif path == "/short":
            self._send(self.content[:4000], length=len(self.content))
        elif path == "/huge":
            self._send(b"", length=10**12)
        elif path == "/endless":
            self._send(self.content * 50, length=None)
        elif path == "/slow":
            self._send(self.content[:10], length=len(self.content))
            self.wfile.flush()
            type(self).release.wait(20)
        else:
            type(self).authorization = self.headers.get("Authorization")
            self._send(self.content)

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
    """Says nothing of clients that hang up."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        return None


@pytest.fixture
def server(write_fits: Writer, ramp: NDArray[np.uint16], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that has ``ramp`` at /x.fits and trouble elsewhere."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    Handler.content = write_fits(ramp).read_bytes()
    Handler.release = threading.Event()
    with QuietServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        Handler.release.set()
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/x.fits", "/x.fits?a=b", "/moved", "/packed"])
def test_a_download_is_read(server: str, ramp: NDArray[np.uint16], path: str) -> None:
    """Plain, redirected, and packed by a server that was not asked to."""
    field = open_field(server + path)
    np.testing.assert_array_equal(field.pixels, ramp)  # type: ignore[union-attr]
    assert (field.origin.name, field.origin.path) == (server + path, None)


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("/status/404", InputMissingError, r"is not there \(HTTP 404\)"),
        ("/status/410", InputMissingError, r"is not there \(HTTP 410\)"),
        ("/status/401", DeniedError, r"may not be read \(HTTP 401\)"),
        ("/status/403", DeniedError, r"may not be read \(HTTP 403\)"),
        ("/status/418", DataError, r"refuses the request \(HTTP 418\)"),
        ("/status/429", RetryLaterError, r"busy \(HTTP 429\)"),
        ("/status/503", RetryLaterError, r"busy \(HTTP 503\)"),
        ("/status/500", TransferError, r"failed \(HTTP 500\)"),
        ("/loop", TransferError, "redirects too many times"),
        ("/to-file", TransferError, "redirects to something other than http or https"),
        ("/html", DataError, r"is a web page \(HTML\), not an image"),
        ("/short", TransferError, "broke off|connection failed"),
        ("/huge", DataError, r"larger than the limit of 4 GiB .*max_bytes"),
    ],
)
def test_trouble_has_a_class_and_one_line(server: str, path: str, error: type[NovaError], message: str) -> None:
    """So that a script knows whether to try again."""
    with pytest.raises(error, match=message) as caught:
        open_field(server + path)
    assert "\n" not in str(caught.value)
    assert path in str(caught.value)


def test_a_download_without_an_announced_length_is_bounded(server: str) -> None:
    """It is cut off as soon as it is too large."""
    with pytest.raises(DataError, match=r"larger than the limit of 19\.5 KiB"):
        open_field(server + "/endless", limits=Limits(max_bytes=20_000))


def test_a_server_that_goes_silent_is_given_up(server: str) -> None:
    """By the wait for its next bytes."""
    with pytest.raises(TransferError, match="did not answer in time"):
        open_field(server + "/slow", limits=Limits(fetch_connect_s=0.2))


def test_the_whole_download_has_a_deadline(server: str) -> None:
    """Even where single waits are short enough."""
    with pytest.raises(TransferError, match=r"did not arrive within 0\.3 s"):
        open_field(server + "/slow", limits=Limits(fetch_total_s=0.3))


def test_nobody_listens() -> None:
    """A refused connection."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(TransferError, match="the connection failed"):
            open_field(f"http://127.0.0.1:{unused.getsockname()[1]}/x.fits")


@pytest.mark.parametrize("url", ["http://", "https:///x.fits", "http://[::1/x.fits", "http://a b/"])
def test_what_is_no_url(url: str) -> None:
    """No lookup is tried."""
    with pytest.raises((InputMissingError, TransferError), match=r"is no valid URL|connection failed"):
        open_field(url)


def test_credentials_are_sent_but_never_shown(server: str, ramp: NDArray[np.uint16]) -> None:
    """Neither in the origin nor in a message."""
    with_password = server.replace("//", f"//ada:{SECRET}@")
    field = open_field(f"{with_password}/x.fits?token={SECRET}")
    assert Handler.authorization is not None
    assert Handler.authorization.startswith("Basic ")
    assert field.origin.name == server.replace("//", "//***@") + "/x.fits?token=***"
    for path in ("/status/404", "/status/500", "/loop", "/html", "/to-file"):
        with pytest.raises(NovaError, match=r"//\*\*\*@") as caught:
            open_field(f"{with_password}{path}?token={SECRET}")
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("http://h/x", "http://h/x"),
        ("https://u:p@h/x", "https://***@h/x"),
        ("https://u:p@q@h:80/x?a=1&api_key=abc&b=2", "https://***@h:80/x?a=1&api_key=***&b=2"),
        ("https://h/x?X-Amz-Signature=abc#f", "https://h/x?X-Amz-Signature=***#f"),
        ("https://h/mail@home?name=x@y", "https://h/mail@home?name=x@y"),
    ],
)
def test_masking(url: str, masked: str) -> None:
    """User, password, and parameters that are named like a secret."""
    assert mask_credentials(url) == masked


def test_standard_input_is_read(write_fits: Writer, ramp: NDArray[np.uint16], monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the name that was typed; it leaves no file."""
    monkeypatch.setattr("sys.stdin", FakeStdin(write_fits(ramp).read_bytes()))
    field = open_field("-")
    np.testing.assert_array_equal(field.pixels, ramp)  # type: ignore[union-attr]
    assert (field.origin.name, field.origin.path) == ("-", None)


def test_standard_input_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe may have no end."""
    monkeypatch.setattr("sys.stdin", FakeStdin(b"1,2\n" * 1000))
    with pytest.raises(DataError, match=r"standard input is larger than the limit of 1\.95 KiB"):
        open_field("-", limits=Limits(max_bytes=2000))


def test_an_empty_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command before the pipe failed."""
    monkeypatch.setattr("sys.stdin", FakeStdin(b""))
    with pytest.raises(DataError, match="- is empty"):
        open_field("-")


def test_a_terminal_is_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for someone to type a FITS file would look like a hang."""
    monkeypatch.setattr("sys.stdin", FakeStdin(b"", tty=True))
    with pytest.raises(UsageError, match="standard input is a terminal"):
        open_field("-")


def test_a_closed_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """As cron may leave it."""
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputMissingError, match="standard input is closed"):
        open_field("-")
