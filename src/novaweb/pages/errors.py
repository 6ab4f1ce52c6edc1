"""Pages for what went wrong; programs get the JSON of :mod:`novaweb.api.errors`."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from novaweb.api import errors


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django refuses."""
    return _page_or(request, errors.bad_request(request, exception), "This request cannot be read.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request for what is not there, or may not be seen."""
    answer = errors.not_found(request, exception)
    return _page_or(request, answer, "There is nothing at this address, or it is not for you to see.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a request that met a fault of the service."""
    return _page_or(request, errors.server_error(request), "The service has a fault. Please tell its administrator.")


def csrf(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that does not come from a page of this service, or from one that is too old."""
    del reason
    text = "This form does not come from a page of this service, or the page was too old: reload it and try again."
    return render(request, "pages/error.html", {"text": text}, status=403)


def _page_or(request: HttpRequest, answer: HttpResponse, text: str) -> HttpResponse:
    """Return a page for a browser, else ``answer``."""
    is_browser = "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/api/")
    if not is_browser:
        return answer
    return render(request, "pages/error.html", {"text": text}, status=answer.status_code)
