"""The calls of the API over HTTP: what a service answers, with retries, a session, and without redirects.

The API key and the session are sent in the body of requests to the service's own address alone: a redirect is never
followed.  No message contains them.

Source: the API of nova.astrometry.net as its clients use it; errors of the API have the status 200.
"""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import requests

from novacli.backends.web.services import Service
from novacli.errors import (
    DeniedError,
    InputMissingError,
    NovaError,
    RetryLaterError,
    TransferError,
    UnavailableError,
)
from novacli.records.budget import Budget
from novacli.records.progress import SILENT, Progress
from novacli.text.printable import printable_line

T = TypeVar("T")
#: How long a connection and the next bytes are waited for; near the time limit, less long.
_CONNECT_S, _SILENCE_S, _LEAST_SILENCE_S = 15.0, 60.0, 1.0
_MAX_REPLY_BYTES, _MAX_FILE_BYTES = 4 << 20, 64 << 20
_CHUNK_BYTES = 64 * 1024
#: Waits between polls and before another attempt grow from the first to the second of these, seconds.
_FIRST_WAIT_S, _LONGEST_WAIT_S, _GROWTH = 0.2, 10.0, 1.4
#: Services that are proxied answer these while they are started again.
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_NO_SESSION = ("no session with key", 'no "session"')
_MAX_MESSAGE = 300
_LONGEST_ASKED_S = 3600.0
#: nova-web reads the session from this cookie, since there is no other place for it in the request for a file.
_COOKIE = "novaweb_session"


class ServiceBusyError(RetryLaterError):
    """A service does not answer now, or asks to be called later; ``wait_s`` is the wait that it asks for."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class StoppedError(NovaError):
    """The time limit passed, or the user cancelled, while a service was being asked."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoSessionError(NovaError):
    """The session has ended."""


class Waits:
    """Growing waits within a budget, with jitter, so that many clients do not call in step."""

    def __init__(self, budget: Budget, progress: Progress = SILENT) -> None:
        self._budget, self._progress = budget, progress
        self._next_s = _FIRST_WAIT_S

    def wait(self, least_s: float = 0.0) -> None:
        """Wait for the next time.

        Raises
        ------
        StoppedError
            If the time limit passes before that, or the user cancels.
        """
        wait_s = max(least_s, self._next_s * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
        self._next_s = min(self._next_s * _GROWTH, _LONGEST_WAIT_S)
        until_s = time.monotonic() + wait_s
        until_s = min(until_s, self._budget.deadline_s)
        while time.monotonic() < until_s:
            if self._progress.cancelled():
                raise StoppedError("cancelled")
            time.sleep(min(0.1, max(0.0, until_s - time.monotonic())))
        if self._budget.left_s <= 0:
            raise StoppedError("time-limit")


class ApiClient:
    """A session with a service, opened at the first call that needs one."""

    def __init__(self, service: Service, key: Callable[[], str]) -> None:
        self.service = service
        self._key = key
        self._http = requests.Session()
        self._http.headers["User-Agent"] = "nova"
        self._session: str | None = None
        self._last_key = ""
        self._silence_s = _SILENCE_S

    def patiently(self, call: Callable[[], T], budget: Budget, progress: Progress = SILENT) -> T:
        """Return what ``call`` returns, and repeat it while the service is busy or out of reach.

        Raises
        ------
        RetryLaterError
            If the service is still busy when the time limit passes.
        StoppedError
            If the user cancels.
        """
        waits = Waits(budget, progress)
        while True:
            self._silence_s = min(_SILENCE_S, max(_LEAST_SILENCE_S, budget.left_s))
            try:
                return call()
            except ServiceBusyError as exc:
                progress.observe(f"{exc}; trying again")
                try:
                    waits.wait(exc.wait_s)
                except StoppedError as stopped:
                    if stopped.reason == "cancelled":
                        raise
                    raise exc from None

    def login(self) -> None:
        """Open a session.

        Raises
        ------
        DeniedError
            If there is no key, or the service refuses it.
        ServiceBusyError
            If the service does not answer now.
        """
        self._last_key = self._key()
        answer = self._post("login", {"apikey": self._last_key})
        session = answer.get("session")
        if not isinstance(session, str) or not session:
            raise self._unusable("login")
        self._session = session

    def call(self, endpoint: str, fields: Mapping[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        """Return the reply to a call with the session; a session that has ended is opened again, once.

        Raises
        ------
        InputMissingError
            If what is asked for does not exist, or may not be seen.
        DeniedError
            If the service refuses the key.
        UnavailableError
            If the service refuses the call, or answers with something else than JSON.
        ServiceBusyError
            If the service does not answer now.
        """
        for is_last in (False, True):
            if self._session is None:
                self.login()
            try:
                return self._post(endpoint, {**(fields or {}), "session": self._session}, **options)
            except NoSessionError:
                self._session = None
                if is_last:
                    break
        raise DeniedError(f"{self.service.name}: it ends each session at once: try again later")

    def file(self, name: str, number: int) -> bytes:
        """Return a result file of a job.

        Raises
        ------
        InputMissingError
            If there is none.
        TransferError
            If it is cut off, too large, or is no FITS file.
        ServiceBusyError
            If the service does not answer now.
        """
        content = self._result(name, number)
        if not content.startswith(b"SIMPLE  ="):
            raise TransferError(f"{self.service.name}: {name} of job {number} is no FITS file: fetch it again later")
        return content

    def log(self, number: int) -> bytes:
        """Return the log of a job; raises as :meth:`file`."""
        return self._result("joblog", number)

    def _result(self, name: str, number: int) -> bytes:
        cookies = {} if self._session is None else {_COOKIE: self._session}
        # Some services answer with a page if no page of theirs is named as the origin.
        headers = {"Referer": f"{self.service.url}login"}
        with self._exchange("GET", f"{self.service.root}{name}/{number}", headers=headers, cookies=cookies) as answer:
            return self._content(answer, _MAX_FILE_BYTES)

    def _post(self, endpoint: str, fields: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        data = {"request-json": json.dumps(fields)}
        with self._exchange("POST", self.service.url + endpoint, data=data, **options) as answer:
            text = self._content(answer, _MAX_REPLY_BYTES)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise self._unusable(endpoint)
        if value.get("status") == "error":
            raise self._refusal(str(value.get("errormessage", "")))
        return value

    def _refusal(self, message: str) -> NovaError:
        if message.startswith(_NO_SESSION):
            return NoSessionError(message)
        if message == "bad apikey":
            return DeniedError(f"{self.service.name}: it refuses the API key: run nova login {self.service.name}")
        shown = self.shown(message)
        return UnavailableError(f"{self.service.name}: {shown or 'it refuses the request, and does not say why'}")

    def shown(self, message: str) -> str:
        """Return a message of the service, safe to print, without the key and the session, which it may repeat."""
        secrets = {secret for secret in (self._last_key, self._session) if secret}
        for secret in secrets:
            message = message.replace(secret, "***")
        return printable_line(message)[:_MAX_MESSAGE]

    def _unusable(self, endpoint: str) -> NovaError:
        message = f"{self.service.name}: its reply to {endpoint} is none of the API: check the address"
        return UnavailableError(message) if endpoint == "login" else ServiceBusyError(message)

    @contextlib.contextmanager
    def _exchange(self, method: str, url: str, **options: Any) -> Iterator[requests.Response]:
        """Send a request and yield the answer, whose status is below 300."""
        name = self.service.name
        try:
            with self._http.request(
                method, url, stream=True, allow_redirects=False, timeout=(_CONNECT_S, self._silence_s), **options
            ) as answer:
                self._check_status(answer)
                yield answer
        except requests.exceptions.SSLError as exc:
            raise TransferError(f"{name}: its certificate is not accepted: check the address") from exc
        except requests.RequestException as exc:
            raise ServiceBusyError(f"{name}: {_reason(exc)}") from None

    def _check_status(self, answer: requests.Response) -> None:
        name, status = self.service.name, answer.status_code
        if status in _BUSY:
            wait_s = _wait_s(answer.headers.get("Retry-After", ""))
            raise ServiceBusyError(f"{name}: it is busy (HTTP {status})", wait_s)
        if status in (404, 410):
            raise InputMissingError(f"{name}: it has no such job or file (HTTP {status})")
        if status in (401, 403):
            raise DeniedError(f"{name}: it refuses the request (HTTP {status}): check key and address")
        if 300 <= status < 400:
            raise UnavailableError(f"{name}: it has moved to another address: name that one")
        if status >= 400:
            raise UnavailableError(f"{name}: it refuses the request (HTTP {status})")

    def _content(self, answer: requests.Response, most_bytes: int) -> bytes:
        pieces, size = [], 0
        for piece in answer.iter_content(_CHUNK_BYTES):
            pieces.append(piece)
            size += len(piece)
            if size > most_bytes:
                raise TransferError(f"{self.service.name}: its reply is larger than {most_bytes >> 20} MiB")
        stated = answer.headers.get("Content-Length", "")
        if stated.isdecimal() and "Content-Encoding" not in answer.headers and size < int(stated):
            raise ServiceBusyError(f"{self.service.name}: its reply broke off")
        return b"".join(pieces)


def _wait_s(text: str) -> float:
    """Return the wait that a header Retry-After asks for, seconds: a number, or a date; 0 for anything else."""
    if text.isdecimal():
        return min(float(text[:6]), _LONGEST_ASKED_S)
    try:
        asked_s = parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(asked_s, 0.0), _LONGEST_ASKED_S)


def _reason(exc: requests.RequestException) -> str:
    """Return why a request failed, without the text of the exception, which can repeat what was sent."""
    if isinstance(exc, requests.exceptions.Timeout):
        return "it does not answer in time"
    if isinstance(exc, requests.exceptions.ConnectionError):
        return "it cannot be reached"
    return "the connection broke off"
