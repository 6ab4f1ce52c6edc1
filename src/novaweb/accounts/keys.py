"""API keys: made once, shown once, found by their first characters and compared by a keyed digest."""

from __future__ import annotations

import hmac
import secrets
import string

from django.conf import settings
from django.utils import timezone

from novaweb.accounts.models import ANONYMOUS_ID, ApiKey, User

#: The key with which clients log in without an account.
ANONYMOUS_KEY = "XXXXXXXX"
_KEY_CHARS, _PREFIX_CHARS = 16, 8


def digest(secret: str) -> str:
    """Return the digest under which a key or a session is stored; it depends on the service's secret key."""
    # JSON can hold lone surrogates, which UTF-8 cannot.
    return hmac.digest(settings.SECRET_KEY.encode(), secret.encode(errors="surrogatepass"), "sha256").hex()


def make_key(user: User, name: str) -> str:
    """Make an API key for a user and return it; it cannot be shown again.

    Parameters
    ----------
    user
        Its owner.
    name
        The name by which the owner tells it from their other keys.
    """
    key = "".join(secrets.choice(string.ascii_lowercase) for _ in range(_KEY_CHARS))
    ApiKey.objects.create(user=user, name=name, prefix=key[:_PREFIX_CHARS], digest=digest(key))
    return key


def find_key(key: str) -> ApiKey | None:
    """Return the row of a valid API key of an active user, and note its use; None if there is none."""
    if not (key.isascii() and key.isalpha()):  # databases refuse other text, such as a NUL
        return None
    wanted = digest(key)
    for row in ApiKey.objects.filter(prefix=key[:_PREFIX_CHARS], revoked=None, user__is_active=True):
        if hmac.compare_digest(row.digest, wanted):
            ApiKey.objects.filter(pk=row.pk).update(last_used=timezone.now())
            return row
    return None


def anonymous_user() -> User:
    """Return the user that owns what was uploaded without an account."""
    return User.objects.get(pk=ANONYMOUS_ID)
