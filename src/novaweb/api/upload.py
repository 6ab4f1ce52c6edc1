"""``upload`` and ``url_upload``: a file or a star list becomes a submission."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest

from novaweb.api import parameters
from novaweb.api.requests import ApiError, Fields, answers, read_fields, user_of
from novaweb.intake import Upload, receive
from novaweb.submissions.visibility import viewer_of

_MEGABYTE = 10**6


@answers
def upload(request: HttpRequest) -> object:
    """Take the part ``file`` of a multipart request, or the star list in ``x`` and ``y``."""
    _check_size(request)
    fields = read_fields(request)
    file = request.FILES.get("file")
    if isinstance(file, UploadedFile):
        return _receive(request, fields, file.name or "", file.chunks())
    return _receive_stars(request, fields, 'no file: send it as the part "file", or a star list as "x" and "y"')


@answers
def url_upload(request: HttpRequest) -> object:
    """Take the star list in ``x`` and ``y``, which some clients send here; files at URLs are not fetched."""
    return _receive_stars(request, read_fields(request), "this server fetches no URLs: send the file itself")


def _check_size(request: HttpRequest) -> None:
    """Raise ApiError before a body is read that is larger than the limit."""
    limit_mb = settings.NOVAWEB["max_upload_mb"]
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdecimal() and int(length) > (limit_mb + 1) * _MEGABYTE:
        raise ApiError(f"the upload is larger than {limit_mb} MB")


def _receive_stars(request: HttpRequest, fields: Fields, remedy: str) -> object:
    user_of(fields)
    stars = parameters.star_list(fields)
    if stars is None:
        raise ApiError(remedy)
    return _receive(request, fields, "stars.csv", stars)


def _receive(request: HttpRequest, fields: Fields, name: str, chunks: Iterable[bytes]) -> object:
    user = user_of(fields)
    params, visibility = parameters.solve_params(fields), parameters.visibility(fields)
    wanted = Upload(name, chunks, params, visibility, parameters.licence(fields))
    submission = receive(user, viewer_of(request, user.pk), wanted)
    return {"status": "success", "subid": submission.pk, "hash": submission.blob.sha1}
