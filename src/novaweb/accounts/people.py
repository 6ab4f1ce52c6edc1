"""People with an account."""

from __future__ import annotations

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from novacli.errors import UsageError
from novaweb.accounts.models import User


def make_person(name: str) -> User:
    """Make a user who has no password yet.

    Raises
    ------
    UsageError
        If the name has characters that are not allowed, or is taken.
    """
    try:
        UnicodeUsernameValidator()(name)
    except ValidationError as exc:
        raise UsageError(f"{name!r} is no user name: use letters, digits and @ . + - _") from exc
    if User.objects.filter(username__iexact=name).exists():
        raise UsageError(f"the user {name} exists already: choose another name")
    return User.objects.create_user(name)


def find_person(name: str) -> User:
    """Return the user of a name.

    Raises
    ------
    UsageError
        If there is none.
    """
    user = User.objects.filter(username=name).first()
    if user is None or not user.is_person:
        raise UsageError(f"there is no user {name}: nova-web user list names them")
    return user


def person_of(request: HttpRequest) -> User | None:
    """Return the person who is signed in at the pages; None for a visitor."""
    user = request.user
    return user if isinstance(user, User) and user.is_person else None
