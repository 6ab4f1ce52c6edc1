"""What a client sends: the form field ``request-json``, and the session in it or in the cookie.

Every reply is JSON sent as ``text/plain``; errors have the status 200 and upstream's words, because clients compare
them.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import Http404, HttpRequest, HttpResponse, QueryDict, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.views.decorators.csrf import csrf_exempt

from novacli.errors import NovaError, OutputError
from novaweb.accounts.models import User
from novaweb.accounts.people import person_of
from novaweb.accounts.sessions import find_session
from novaweb.submissions.models import Viewer
from novaweb.submissions.visibility import viewer_of

#: The cookie with the session, for clients that send no session with their polls.  It allows reading only.
COOKIE = "novaweb_session"

P = ParamSpec("P")
Fields = Mapping[str, Any]


class ApiError(Exception):
    """An error that is answered with the status 200: ``{"status": "error", "errormessage": …}``."""


def reply(value: object, status: int = 200) -> HttpResponse:
    """Return a JSON reply, as text/plain and in ASCII."""
    return HttpResponse(json.dumps(value), content_type="text/plain", status=status)


def answers(view: Callable[P, object]) -> Callable[P, HttpResponse]:
    """Make a view of a function that returns a JSON value; its errors become JSON, too.

    The API needs no CSRF token, because nothing is written for a cookie alone.
    """

    @csrf_exempt
    @functools.wraps(view)
    def answered(*args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return _as_reply(view(*args, **kwargs))
        except (ApiError, NovaError) as exc:
            return reply({"status": "error", "errormessage": str(exc)})
        except Http404 as exc:
            return reply({"error": str(exc)}, 404)

    return answered


def _as_reply(value: object) -> HttpResponse:
    return value if isinstance(value, HttpResponse) else reply(value)


def read_fields(request: HttpRequest) -> dict[str, Any]:
    """Return the JSON object in ``request-json``.

    Raises
    ------
    ApiError
        If there is none, or the request cannot be parsed.
    OutputError
        If the disk for uploads is full or cannot be written to.
    """
    text = _form_of(request).get("request-json") if request.method == "POST" else None
    if not text:
        raise ApiError("no json")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise ApiError(f'failed to parse JSON: "{text[:1000]}"')
    return fields


def _form_of(request: HttpRequest) -> QueryDict:
    """Return the form fields of a request; its files are stored in the spool folder on the way."""
    try:
        return _parse_form(request)
    except UnreadablePostError as exc:
        raise ApiError("the request ended early: send it again") from exc
    except (BadRequest, MultiPartParserError, SuspiciousOperation) as exc:
        request._mark_post_parse_error()  # type: ignore[attr-defined]  # so that a second look does not raise again
        raise ApiError(f"the request cannot be read: {exc}") from exc
    except OSError as exc:
        raise OutputError(f"the upload cannot be stored: {exc.strerror}") from exc


def _parse_form(request: HttpRequest) -> QueryDict:
    try:
        return request.POST
    except Exception:
        for handler in request.upload_handlers:  # Django closes, and so removes, only the files that are complete
            if isinstance(handler, TemporaryFileUploadHandler) and hasattr(handler, "file"):
                handler.file.close()
        raise


def user_of(fields: Fields) -> User:
    """Return the user of the session in a request.

    Raises
    ------
    ApiError
        If there is no open session.
    """
    if "session" not in fields:
        raise ApiError('no "session" in JSON.')
    word = fields["session"]
    user = find_session(word) if isinstance(word, str) and word else None
    if user is None:
        raise ApiError(f'no session with key "{word if isinstance(word, str) else str(word)[:100]}"')
    return user


def reader(request: HttpRequest) -> Viewer:
    """Return the viewer who sends a request that only reads.

    The user is that of the session in the JSON, of the API's cookie, or of the sign-in at the pages.  A session that
    does not exist is ignored, as upstream does; without any, the viewer is known by the network address alone.
    """
    words = [request.COOKIES.get(COOKIE)]
    with contextlib.suppress(ApiError, OutputError):
        words.insert(0, read_fields(request).get("session"))
    users = (find_session(word) for word in words if isinstance(word, str) and word)
    user = next((user for user in users if user is not None), None) or person_of(request)
    return viewer_of(request, None if user is None else user.pk)
