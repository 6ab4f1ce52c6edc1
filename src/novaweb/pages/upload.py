"""The page for an upload."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from novacli.errors import NovaError
from novaweb.accounts.people import person_of
from novaweb.intake import Upload, name_of, receive
from novaweb.pages.forms import UploadForm
from novaweb.pages.texts import recent_pictures
from novaweb.pages.viewer import page_viewer, uploader_of

_MEGABYTE = 10**6


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """Show the form for an upload with the newest public pictures, or take an upload and go to its page."""
    person = person_of(request)
    if person is None and not settings.NOVAWEB["anonymous"]:
        return redirect("sign-in")
    form = UploadForm(request.POST or None, request.FILES or None, person=person)
    if request.method == "POST" and form.is_valid():
        numbers: list[int] = []
        try:
            for each in _uploads(form):
                numbers.append(receive(uploader_of(request), page_viewer(request), each).pk)
        except NovaError as exc:
            form.add_error(None, _what_failed(exc, numbers))
        else:
            return _redirect(numbers)
    context = {"form": form, "limit_mb": settings.NOVAWEB["max_upload_mb"], "recent": recent_pictures()}
    return render(request, "pages/upload.html", context, status=400 if form.errors else 200)


def _redirect(numbers: list[int]) -> HttpResponse:
    """Go to the page of one submission, or to that of several."""
    if len(numbers) == 1:
        return redirect("submission", number=numbers[0])
    return redirect(f"/progress?from={numbers[0]}&to={numbers[-1]}")


def _what_failed(exc: NovaError, numbers: list[int]) -> str:
    stored = f" The first {len(numbers)} files were stored: see Mine." if numbers else ""
    return f"{exc}.{stored}"


def _uploads(form: UploadForm) -> Iterator[Upload]:
    """Yield what was uploaded.

    Raises
    ------
    NovaError
        If a file is too large.
    """
    values = form.cleaned_data
    common = values["params"], values["visibility"], dict[str, str]()
    for file in values["file"]:
        _check_size(file)
    if values["url"]:
        yield Upload(name_of(values["url"]), None, *common, values["url"])
    if values["stars"]:
        yield Upload("stars.csv", [values["stars"].encode()], *common)
    for file in values["file"]:
        yield Upload(file.name, file.chunks(), *common)


def _check_size(file: UploadedFile[Any]) -> None:
    limit_mb = settings.NOVAWEB["max_upload_mb"]
    if (file.size or 0) > limit_mb * _MEGABYTE:
        raise NovaError(f"{file.name} is larger than {limit_mb} MB")
