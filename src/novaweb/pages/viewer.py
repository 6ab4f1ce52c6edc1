"""The viewer of a page: the person who is signed in, or a visitor."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from novaweb.accounts.keys import anonymous_user
from novaweb.accounts.models import User
from novaweb.accounts.people import person_of
from novaweb.submissions.models import Viewer
from novaweb.submissions.visibility import viewer_of


def signed_in(request: HttpRequest) -> User:
    """Return the person who is signed in.

    Raises
    ------
    PermissionDenied
        If there is none.
    """
    person = person_of(request)
    if person is None:
        raise PermissionDenied("This page needs a sign-in.")
    return person


def page_viewer(request: HttpRequest) -> Viewer:
    """Return the viewer of a page."""
    person = person_of(request)
    return viewer_of(request, None if person is None else person.pk)


def uploader_of(request: HttpRequest) -> User:
    """Return the user who owns what is uploaded with a page: the person, or ``anonymous``."""
    return person_of(request) or anonymous_user()
