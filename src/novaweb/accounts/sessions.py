"""The sessions of API clients: a random word that ends after a day without use."""

from __future__ import annotations

import datetime
import secrets
import string

from django.utils import timezone

from novaweb.accounts.keys import digest
from novaweb.accounts.models import ApiKey, ApiSession, User

_ALPHABET = string.ascii_lowercase + string.digits
_CHARS = 32
_IDLE = datetime.timedelta(hours=24)


def open_session(user: User, key: ApiKey | None) -> str:
    """Open a session and return the word that the client sends with each request."""
    word = "".join(secrets.choice(_ALPHABET) for _ in range(_CHARS))
    ApiSession.objects.create(user=user, api_key=key, digest=digest(word), expires=timezone.now() + _IDLE)
    return word


def find_session(word: str) -> User | None:
    """Return the user of a session that is open, and prolong it; None if there is none.

    A session ends early if its key was revoked or its user was deactivated.
    """
    now = timezone.now()
    session = (
        ApiSession.objects.select_related("user")
        .filter(digest=digest(word), expires__gt=now, user__is_active=True, api_key__revoked=None)
        .first()
    )
    if session is None:
        return None
    if session.expires - now < _IDLE / 2:  # at most two writes a day
        ApiSession.objects.filter(pk=session.pk).update(expires=now + _IDLE)
    return session.user


def remove_expired() -> int:
    """Remove the sessions that have ended; return how many there were."""
    return ApiSession.objects.filter(expires__lte=timezone.now()).delete()[0]
