"""Addresses for programs that watch the service."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer as long as the process serves requests."""
    del request
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """Answer with the status 200 if the database can be used, else 503."""
    del request
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM submissions_job LIMIT 1")
    except DatabaseError:
        return HttpResponse("the database cannot be used\n", content_type="text/plain", status=503)
    return HttpResponse("ok\n", content_type="text/plain")
