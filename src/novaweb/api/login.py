"""``login``: an API key opens a session."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from novaweb.accounts.keys import ANONYMOUS_KEY, anonymous_user, find_key
from novaweb.accounts.models import ApiKey, User
from novaweb.accounts.sessions import open_session
from novaweb.api.requests import COOKIE, ApiError, answers, read_fields, reply


@answers
def login(request: HttpRequest) -> HttpResponse:
    """Open a session and return its word, in the reply and in a cookie."""
    key = read_fields(request).get("apikey")
    if key is None:
        raise ApiError('need "apikey"')
    user, row = _authenticate(key)
    word = open_session(user, row)
    answer = reply({"status": "success", "message": f"authenticated user: {user.get_username()}", "session": word})
    answer.set_cookie(
        COOKIE, word, httponly=True, samesite="Lax", secure=settings.NOVAWEB["site_url"].startswith("https")
    )
    return answer


def _authenticate(key: object) -> tuple[User, ApiKey | None]:
    if key == ANONYMOUS_KEY and settings.NOVAWEB["anonymous"]:
        return anonymous_user(), None
    row = find_key(key) if isinstance(key, str) else None
    if row is None:
        raise ApiError("bad apikey")
    return row.user, row
