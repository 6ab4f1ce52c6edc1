"""The rows of users, API keys and API sessions.  Keys and sessions are stored as digests only."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models

#: Users that are no people; people have ids from ``FIRST_PERSON_ID``, as at nova.astrometry.net.
MACHINE_ID, ANONYMOUS_ID, FIRST_PERSON_ID = 0, 1, 1000


class User(AbstractUser):
    """A person, or one of the two users that are none: ``anonymous`` and ``machine``, who have no password."""

    @property
    def is_person(self) -> bool:
        """True if the user is a person with an account."""
        return self.pk is not None and self.pk >= FIRST_PERSON_ID


class ApiKey(models.Model):
    """An API key of a user.

    ``prefix`` is the beginning of the key in clear, by which its row is found; ``digest`` authenticates the whole key.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=64)
    prefix = models.CharField(max_length=8, db_index=True)
    digest = models.CharField(max_length=64)
    created = models.DateTimeField(auto_now_add=True)
    last_used = models.DateTimeField(null=True)
    revoked = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "name"], name="apikey_name_of_user")]


class ApiSession(models.Model):
    """A session that a client opened with a key; ``digest`` is that of the word which the client sends."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_sessions")
    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, null=True)
    digest = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField(db_index=True)
