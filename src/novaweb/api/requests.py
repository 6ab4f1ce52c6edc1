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

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from novacli.errors import NovaError
from novaweb.accounts.models import User
from novaweb.accounts.sessions import find_session
from novaweb.submissions.models import Viewer
from novaweb.submissions.visibility import viewer_of

#: The cookie with the session, for clients that send no session with their polls.  It allows reading only.
COOKIE = "novaweb_session"

P = ParamSpec("P")
Fields = Mapping[str, Any]


class ApiError(Exception):
    """An error that the client is told with the status 200: ``{"status": "error", "errormessage": …}``."""


def reply(value: object) -> HttpResponse:
    """Return a JSON reply, as text/plain and in ASCII."""
    return HttpResponse(json.dumps(value), content_type="text/plain")


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
            return HttpResponse(json.dumps({"error": str(exc)}), content_type="text/plain", status=404)

    return answered


def _as_reply(value: object) -> HttpResponse:
    return value if isinstance(value, HttpResponse) else reply(value)


def read_fields(request: HttpRequest) -> dict[str, Any]:
    """Return the JSON object in ``request-json``.

    Raises
    ------
    ApiError
        If there is none.
    """
    text = request.POST.get("request-json") if request.method == "POST" else None
    if not text:
        raise ApiError("no json")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise ApiError(f'failed to parse JSON: "{text[:1000]}"')
    return fields


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
    """Return who asks to read: the user of the session in the JSON or the cookie, or nobody.

    A session that does not exist is ignored, as upstream does.
    """
    words = [request.COOKIES.get(COOKIE)]
    with contextlib.suppress(ApiError):
        words.insert(0, read_fields(request).get("session"))
    users = (find_session(word) for word in words if isinstance(word, str) and word)
    user = next((user for user in users if user is not None), None)
    return viewer_of(request, None if user is None else user.pk)
