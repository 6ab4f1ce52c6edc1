"""Download a URL, limited by a policy on servers and by bounds on size and time.

All downloads of nova use this module.  For every connection, also after a redirect, the host's name is looked up once,
its addresses are checked, and the connection goes to a checked address.  So a name that changes its address after the
check does not get around it.  Import this module only to download, since it imports ``requests``.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

import requests
from requests import exceptions
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.exceptions import TimeoutError as UrllibTimeoutError
from urllib3.util.connection import create_connection

from novacli.errors import (
    DataError,
    DeniedError,
    InputMissingError,
    InternalError,
    NovaError,
    RetryLaterError,
    TransferError,
)
from novacli.files.urls import UrlPolicy, mask_credentials
from novacli.text.printable import printable_line
from novacli.text.quantities import bytes_text
from solvehost.record import record

_CHUNK_BYTES = 64 * 1024
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-\d{1,15}/(\d{1,15})")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@record
class Bounds:
    """Bounds on one download.

    ``silence_s`` bounds the wait for a connection and for the next bytes; ``total_s`` the whole download, with name
    lookups and redirects.
    """

    max_bytes: int
    silence_s: float = 10.0
    total_s: float = 120.0
    redirects: int = 5


@record
class Part:
    """The part of a file that is there already: its length, and the validator of the file that it belongs to.

    A validator is what :class:`Answer` had when the part was downloaded.
    """

    size_bytes: int
    validator: str


@record
class Answer:
    """What a server announces before the content.

    ``offset`` is the position of the first byte that follows: the length of the part, or 0 if the file has changed or
    the server cannot send parts.  ``size_bytes`` is the length of the whole file, None if it is not announced.
    ``validator`` identifies this version of the file, None if the server does not.
    """

    offset: int
    size_bytes: int | None
    validator: str | None


class ServerBusyError(RetryLaterError):
    """The server is busy; ``wait_s`` is the time after which it wants to be asked again, None if it states none."""

    def __init__(self, message: str, wait_s: float | None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def download(
    url: str,
    write: Callable[[bytes], None],
    policy: UrlPolicy,
    bounds: Bounds,
    *,
    part: Part | None = None,
    begin: Callable[[Answer], None] | None = None,
) -> None:
    """Download ``url``.

    Parameters
    ----------
    url
        Its credentials are sent to its own server alone, and appear in no message.
    write
        Takes the content piece by piece, from another thread, though never after this function has ended.
    policy
        What may be reached, by the URL itself and by redirects.
    bounds
        Bounds on size and time.
    part
        What is there already; the server is asked for the rest.  None to download the whole file.
    begin
        Called before ``write``, with what the server announces.

    Raises
    ------
    DeniedError
        The policy forbids it, or the server does (401, 403).
    InputMissingError
        The URL is not valid, or the server has no such file.
    DataError
        It is above ``bounds.max_bytes``, or the server refuses the request.
    ServerBusyError
        The server is busy.
    TransferError
        The connection failed or broke off, or the time ran out.
    """
    _Download(url, write, policy, bounds, part, begin).run()


class _Download:
    """One download, in a thread of its own.

    Neither a name lookup nor a server that sends a byte now and then obeys a socket's time limit.  So the caller waits
    for the thread as long as the bounds allow, and then leaves it; the thread ends at its next byte.
    """

    def __init__(
        self,
        url: str,
        write: Callable[[bytes], None],
        policy: UrlPolicy,
        bounds: Bounds,
        part: Part | None,
        begin: Callable[[Answer], None] | None,
    ) -> None:
        self._url = url
        self._part = part
        self._begin = begin
        self._shown = printable_line(mask_credentials(url))
        self._write = write
        self._policy = policy
        self._bounds = bounds
        self._abandoned = threading.Event()
        self._lock = threading.Lock()
        self._error: Exception | None = None

    def run(self) -> None:
        """Download, or raise the error that stopped it."""
        self._check_url()
        thread = threading.Thread(target=self._work, name="nova-download", daemon=True)
        thread.start()
        try:
            thread.join(self._bounds.total_s)
        finally:
            # Under the lock: the thread must not write to what the caller closes next.
            with self._lock:
                self._abandoned.set()
        if self._error is not None:
            raise self._error
        if thread.is_alive():
            raise TransferError(f"{self._shown} did not arrive within {self._bounds.total_s:g} s: try again")

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
        rules: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[NovaError], str], ...] = (
            (exceptions.TooManyRedirects, TransferError, " redirects too many times: check the address"),
            (exceptions.InvalidSchema, TransferError, f" leads to something other than {self._schemes()}: check it"),
            ((exceptions.InvalidURL, UnicodeError), InputMissingError, " is no valid URL: check the host's name"),
            (exceptions.SSLError, TransferError, ": the server's certificate is not accepted: check the address"),
            ((exceptions.Timeout, UrllibTimeoutError), TransferError, ": the server did not answer in time: try again"),
        )
        for classes, error, words in rules:
            if isinstance(exc, classes):
                return error(self._shown + words)
        if isinstance(exc, OSError) or type(exc).__module__.startswith(("urllib3", "http.client")):
            return TransferError(f"{self._shown}: the connection failed or broke off: check the network and try again")
        return InternalError(f"{self._shown}: the download failed with {type(exc).__name__}: please report it")

    def _schemes(self) -> str:
        return " or ".join(sorted(self._policy.schemes))

    def _fetch(self) -> None:
        with requests.Session() as session:
            session.trust_env = self._policy.uses_environment
            session.max_redirects = self._bounds.redirects
            # The session's own adapters would check nothing.
            session.adapters.clear()
            for scheme in self._policy.schemes:
                session.mount(f"{scheme}://", _PolicyAdapter(self._policy, self._shown))
            silence_s = self._bounds.silence_s
            # Identity: content that the server packs nevertheless is stored packed, as the file is.
            headers = {"Accept-Encoding": "identity", "User-Agent": "nova"}
            if self._part is not None:
                headers |= {"Range": f"bytes={self._part.size_bytes}-", "If-Range": self._part.validator}
            with session.get(self._url, stream=True, timeout=(silence_s, silence_s), headers=headers) as response:
                if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and self._part is not None:
                    is_whole = response.headers.get("Content-Range") == f"bytes */{self._part.size_bytes}"
                else:
                    self._check_status(response)
                    self._receive(response)
                    return
            # There is nothing behind the part: it is the whole file, or the file is another one.
            if not is_whole:
                self._part = None
                self._fetch()

    def _check_status(self, response: requests.Response) -> None:
        status = response.status_code
        if status < 400:
            return
        if status in (404, 410):
            raise InputMissingError(f"{self._shown} is not there (HTTP {status}): check the address")
        if status in (401, 403, 407):
            raise DeniedError(f"{self._shown} may not be read (HTTP {status}): check user, password or permissions")
        if status in (408, 425, 429, 503):
            wait = response.headers.get("Retry-After", "")
            message = f"{self._shown}: the server is busy (HTTP {status}): try again later"
            raise ServerBusyError(message, float(wait) if wait.isdecimal() else None)
        if status >= 500:
            raise TransferError(f"{self._shown}: the server failed (HTTP {status}): try again later")
        raise DataError(f"{self._shown}: the server refuses the request (HTTP {status}): check the address")

    def _announced(self, response: requests.Response) -> Answer:
        """Return what the headers of an answer announce."""
        length = response.headers.get("Content-Length", "")
        size_bytes, offset = int(length) if length.isdecimal() else None, 0
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            offset = 0 if self._part is None else self._part.size_bytes
            if match is None or int(match[1]) != offset:
                raise TransferError(f"{self._shown}: the server sends another part than was asked for: try again")
            size_bytes = int(match[2])
        tag = response.headers.get("ETag", "")
        # A weak tag (W/) does not promise the same bytes.
        validator = tag if tag.startswith('"') else response.headers.get("Last-Modified")
        return Answer(offset, size_bytes, validator)

    def _receive(self, response: requests.Response) -> None:
        answer = self._announced(response)
        expected = answer.size_bytes
        if expected is not None:
            self._check_size(expected)
        if self._begin is not None:
            with self._lock:
                if self._abandoned.is_set():
                    return
                self._begin(answer)
        received = answer.offset
        while chunk := response.raw.read(_CHUNK_BYTES, decode_content=False):
            received += len(chunk)
            self._check_size(received)
            with self._lock:
                if self._abandoned.is_set():
                    return
                self._write(chunk)
        if expected is not None and received < expected:
            raise TransferError(f"{self._shown} broke off after {received} of {expected} bytes: try again")

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._bounds.max_bytes:
            limit = bytes_text(self._bounds.max_bytes)
            raise DataError(f"{self._shown} is larger than the limit of {limit} for a download: choose a smaller file")


class _PolicyAdapter(HTTPAdapter):
    """The connections of one download; requests sends every redirect through it too."""

    def __init__(self, policy: UrlPolicy, shown: str) -> None:
        self._policy, self._shown = policy, shown
        super().__init__()

    def init_poolmanager(self, *args: object, **options: object) -> None:
        """Have the pools make connections that check their address."""
        super().init_poolmanager(*args, **options)  # type: ignore[arg-type]
        self.poolmanager.pool_classes_by_scheme = _checked_pools(self._policy, self._shown)

    def send(self, request: requests.PreparedRequest, *args: object, **options: object) -> requests.Response:
        """Send one request, after a check of its host and port."""
        parts = urlsplit(request.url or "")
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
        _check_host(self._policy, parts.hostname or "", port, self._shown)
        return super().send(request, *args, **options)  # type: ignore[arg-type]


def _check_host(policy: UrlPolicy, host: str, port: int, shown: str) -> None:
    if not policy.allows_host(host, port):
        raise DeniedError(f"{shown} leads to a host or port that may not be reached: check the address")


def _checked_pools(policy: UrlPolicy, shown: str) -> dict[str, type[HTTPConnectionPool]]:
    """Return connection pools, by scheme, whose connections go to allowed addresses alone."""

    def connect(connection: HTTPConnection) -> socket.socket:
        return _connect(connection, policy, shown)

    class CheckedHttp(HTTPConnection):
        _new_conn = connect

    class CheckedHttps(HTTPSConnection):
        _new_conn = connect

    class HttpPool(HTTPConnectionPool):
        ConnectionCls = CheckedHttp

    class HttpsPool(HTTPSConnectionPool):
        ConnectionCls = CheckedHttps

    return {"http": HttpPool, "https": HttpsPool}


def _connect(connection: HTTPConnection, policy: UrlPolicy, shown: str) -> socket.socket:
    """Look the host up once, and connect to the first address that is allowed and answers.

    TLS still verifies the certificate by the host's name.
    """
    # Again, for urllib3 takes odd URLs apart in its own way.
    _check_host(policy, connection.host, connection.port, shown)
    addresses = _lookup(connection)
    allowed = [address for address in addresses if policy.allows_address(address)]
    if not allowed:
        raise DeniedError(f"{shown} leads to a network address that may not be reached: check the address")
    error: OSError | None = None
    for address in allowed:
        target = (address, connection.port)
        try:
            return create_connection(target, connection.timeout, connection.source_address, connection.socket_options)
        except OSError as exc:
            error = exc
    if isinstance(error, TimeoutError):
        raise ConnectTimeoutError(connection, "the connection timed out") from error
    raise NewConnectionError(connection, "the connection failed") from error


def _lookup(connection: HTTPConnection) -> list[str]:
    """Return the host's addresses, in the order in which they should be tried."""
    try:
        found = socket.getaddrinfo(connection.host, connection.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise NewConnectionError(connection, "the host's name is unknown") from exc
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
