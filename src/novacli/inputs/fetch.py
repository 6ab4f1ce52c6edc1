"""Open what the user typed: a path as it stands, ``-`` from standard input, or an http(s) URL.

Standard input and downloads land in an unlinked temporary file, bounded in size, so the readers see only files.
Credentials in a URL are sent to the server and shown nowhere.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from novacli.errors import (
    DataError,
    DeniedError,
    InputMissingError,
    InternalError,
    NovaError,
    RetryLaterError,
    TransferError,
    UsageError,
)
from novacli.inputs.limits import Limits
from novacli.inputs.source import CHUNK_BYTES, Source, describe_file, full_disk, open_path, shown_name, temporary_file
from novacli.inputs.unpack import unpacked

if TYPE_CHECKING:
    import requests

STDIN = "-"
_URL = re.compile(r"https?://", re.IGNORECASE)
_USERINFO = re.compile(r"//[^/?#]*@")
_SECRET_PARAMETERS = re.compile(
    r"(?<=[?&])([^=&#]*(?:token|key|secret|signature|sig|password|passwd|auth|session)[^=&#]*)=[^&#]*", re.IGNORECASE
)
_DOWNLOAD_CHUNK_BYTES = 64 * 1024


@contextlib.contextmanager
def opened(name: str, limits: Limits) -> Iterator[Source]:
    """Yield the ``Source`` for what the user typed, unpacked; whatever was temporary is gone afterwards."""
    with _opened_packed(name, limits) as packed, unpacked(packed, limits) as source:
        yield source


@contextlib.contextmanager
def _opened_packed(name: str, limits: Limits) -> Iterator[Source]:
    if name != STDIN and not _URL.match(name):
        source = open_path(name, limits)
        with source.file:
            yield source
        return
    with temporary_file() as target:
        if name == STDIN:
            _copy_stdin(target, limits)
        else:
            _Download(name, target, limits).run()
        yield describe_file(target, public_name(name), path=None, limits=limits)


def public_name(name: str) -> str:
    """Return what may be shown of what the user typed: a URL without its credentials, all else as it stands."""
    return mask_credentials(name) if _URL.match(name) else name


def mask_credentials(url: str) -> str:
    """Return ``url`` with ``user:password@`` and the values of parameters such as ``token=`` replaced by ``***``."""
    return _SECRET_PARAMETERS.sub(r"\1=***", _USERINFO.sub("//***@", url, count=1))


def _copy_stdin(target: BinaryIO, limits: Limits) -> None:
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None or sys.stdin.closed:
        raise InputMissingError("standard input is closed: pipe an image into nova, or name a file")
    if sys.stdin.isatty():
        raise UsageError("standard input is a terminal: pipe an image into nova, or name a file")
    written = 0
    while chunk := _read_stdin(stream):
        written += len(chunk)
        limits.check_bytes("standard input", written)
        _write(target, chunk, "standard input")


def _read_stdin(stream: BinaryIO) -> bytes:
    try:
        return stream.read(CHUNK_BYTES)
    except OSError as exc:
        raise TransferError(f"standard input broke off: {exc.strerror}; try again") from exc


def _write(target: BinaryIO, chunk: bytes, shown: str) -> None:
    try:
        target.write(chunk)
        target.flush()
    except OSError as exc:
        raise full_disk(shown, exc) from exc


class _Download:
    """One download, in a thread of its own.

    Neither a name lookup nor a server that sends a byte now and then heeds a socket's time-out; so the caller waits
    for the thread, as long as the limit says and no longer, and then leaves it: it ends at its next byte.
    """

    def __init__(self, url: str, target: BinaryIO, limits: Limits) -> None:
        self._url = url
        self._shown = shown_name(mask_credentials(url))
        self._target = target
        self._limits = limits
        self._abandoned = threading.Event()
        self._lock = threading.Lock()
        self._error: Exception | None = None

    def run(self) -> None:
        """Download into the target, or raise the error that says why not."""
        self._check_url()
        thread = threading.Thread(target=self._work, name="nova-download", daemon=True)
        thread.start()
        try:
            thread.join(self._limits.fetch_total_s)
        finally:
            # Under the lock: the thread must not write to a target that is closed next.
            with self._lock:
                self._abandoned.set()
        if self._error is not None:
            raise self._error
        if thread.is_alive():
            raise TransferError(f"{self._shown} did not arrive within {self._limits.fetch_total_s:g} s: try again")

    def _check_url(self) -> None:
        try:
            host = urlsplit(self._url).hostname
        except ValueError:
            host = None
        if not host:
            raise InputMissingError(f"{self._shown} is no valid URL: check the host's name")

    def _work(self) -> None:
        try:
            self._fetch()
        except NovaError as exc:
            self._error = exc
        except Exception as exc:
            self._error = self._translate(exc)
            self._error.__cause__ = exc

    def _translate(self, exc: Exception) -> NovaError:
        """Return our error for one of requests, whose own text may repeat the URL with its credentials."""
        from requests import exceptions
        from urllib3.exceptions import TimeoutError as UrllibTimeoutError

        told: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[NovaError], str], ...] = (
            (exceptions.TooManyRedirects, TransferError, " redirects too many times: check the address"),
            (exceptions.InvalidSchema, TransferError, " redirects to something other than http or https: check it"),
            ((exceptions.InvalidURL, UnicodeError), InputMissingError, " is no valid URL: check the host's name"),
            (exceptions.SSLError, TransferError, ": the server's certificate is not accepted: check the address"),
            ((exceptions.Timeout, UrllibTimeoutError), TransferError, ": the server did not answer in time: try again"),
        )
        for classes, error, words in told:
            if isinstance(exc, classes):
                return error(self._shown + words)
        if isinstance(exc, OSError) or type(exc).__module__.startswith(("urllib3", "http.client")):
            return TransferError(f"{self._shown}: the connection failed or broke off: check the network and try again")
        return InternalError(f"{self._shown}: the download failed with {type(exc).__name__}: please report it")

    def _fetch(self) -> None:
        import requests

        with requests.Session() as session:
            session.max_redirects = self._limits.fetch_redirects
            timeout_s = self._limits.fetch_connect_s
            # Identity: what the server packs nevertheless is recognised and unpacked like a file.
            headers = {"Accept-Encoding": "identity", "User-Agent": "nova"}
            with session.get(self._url, stream=True, timeout=(timeout_s, timeout_s), headers=headers) as response:
                self._check_status(response.status_code)
                self._receive(response)

    def _check_status(self, status: int) -> None:
        if status < 400:
            return
        if status in (404, 410):
            raise InputMissingError(f"{self._shown} is not there (HTTP {status}): check the address")
        if status in (401, 403, 407):
            raise DeniedError(f"{self._shown} may not be read (HTTP {status}): check user, password or permissions")
        if status in (408, 425, 429, 503):
            raise RetryLaterError(f"{self._shown}: the server is busy (HTTP {status}): try again later")
        if status >= 500:
            raise TransferError(f"{self._shown}: the server failed (HTTP {status}): try again later")
        raise DataError(f"{self._shown}: the server refuses the request (HTTP {status}): check the address")

    def _receive(self, response: requests.Response) -> None:
        announced = response.headers.get("Content-Length", "")
        expected = int(announced) if announced.isdecimal() else None
        if expected is not None:
            self._limits.check_bytes(self._shown, expected)
        received = 0
        while chunk := response.raw.read(_DOWNLOAD_CHUNK_BYTES, decode_content=False):
            received += len(chunk)
            self._limits.check_bytes(self._shown, received)
            with self._lock:
                if self._abandoned.is_set():
                    return
                _write(self._target, chunk, self._shown)
        if expected is not None and received < expected:
            raise TransferError(f"{self._shown} broke off after {received} of {expected} bytes: try again")
