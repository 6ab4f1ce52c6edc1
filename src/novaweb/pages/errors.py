"""The error pages; programs get the JSON of :mod:`novaweb.api.errors` in their place."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from novaweb.api import errors


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django refuses."""
    return _page_or(request, errors.bad_request(request, exception), "This request cannot be read.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request for a page that does not exist, or that the viewer may not see."""
    answer = errors.not_found(request, exception)
    return _page_or(request, answer, "This page does not exist, or you may not see it.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a request that failed by a fault of the service."""
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
