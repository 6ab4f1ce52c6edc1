"""``upload`` and ``url_upload``: a file or a star list becomes a submission."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest

from novaweb.api import parameters
from novaweb.api.requests import ApiError, Fields, answers, read_fields, user_of
from novaweb.intake import Upload, name_of, receive
from novaweb.submissions.models import MAX_URL
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
    """Take a URL, which a worker fetches, or the star list in ``x`` and ``y``, which some clients send here."""
    fields = read_fields(request)
    user_of(fields)
    url = fields.get("url")
    if url is None:
        return _receive_stars(request, fields, 'no "url", and no star list as "x" and "y"')
    if not isinstance(url, str) or len(url) > MAX_URL or not url.isprintable():
        raise ApiError(f'"url" is no text of at most {MAX_URL} printable characters')
    return _receive(request, fields, name_of(url), None, url)


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


def _receive(request: HttpRequest, fields: Fields, name: str, chunks: Iterable[bytes] | None, url: str = "") -> object:
    user = user_of(fields)
    params, visibility = parameters.solve_params(fields), parameters.visibility(fields)
    wanted = Upload(name, chunks, params, visibility, parameters.licence(fields), url)
    submission = receive(user, viewer_of(request, user.pk), wanted)
    answer: dict[str, object] = {"status": "success", "subid": submission.pk}
    return answer if submission.blob is None else {**answer, "hash": submission.blob.sha1}
