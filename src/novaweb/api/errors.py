"""Replies to requests that reach no view, or whose view fails: JSON in place of Django's pages."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404

from novaweb.api.requests import reply

_LOG = logging.getLogger("novaweb")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request for another host, or one that Django refuses."""
    del request
    if isinstance(exception, DisallowedHost):
        return _error(f"this host is not the service's: use {settings.NOVAWEB['site_url']}", 400)
    return _error("the request cannot be read", 400)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request for an address or a number that does not exist."""
    del request
    found_no_address = isinstance(exception, Resolver404)
    return reply({"error": "there is nothing at this address" if found_no_address else str(exception)}, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a request that met a fault of the service; the log of the server has the traceback."""
    del request
    return _error("the service has a fault: tell its administrator", 500)


class DatabaseErrors:
    """Middleware that answers with the status 503 if the database is gone, locked or full: clients can try again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return the reply to a request whose view raised ``exception``; None for other errors."""
        del request
        if not isinstance(exception, (OperationalError, InterfaceError)):
            return None
        _LOG.error("the database cannot be used: %s", str(exception).partition("\n")[0])
        return _error("the database of the service cannot be used: try again later", 503)


def _error(message: str, status: int) -> HttpResponse:
    return reply({"status": "error", "errormessage": message}, status)
