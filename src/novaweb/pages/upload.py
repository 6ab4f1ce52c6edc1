"""The page for an upload."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from novacli.errors import NovaError
from novaweb.accounts.people import person_of
from novaweb.intake import Upload, receive
from novaweb.pages.forms import UploadForm
from novaweb.pages.shown import recent_pictures
from novaweb.pages.viewing import page_viewer, uploader_of

_MEGABYTE = 10**6


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """Show the form for an upload with the newest public pictures, or take an upload and go to its submission."""
    person = person_of(request)
    if person is None and not settings.NOVAWEB["anonymous"]:
        return redirect("sign-in")
    form = UploadForm(request.POST or None, request.FILES or None, person=person)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect("submission", number=_receive(request, form))
        except NovaError as exc:
            form.add_error(None, f"{exc}.")
    context = {"form": form, "limit_mb": settings.NOVAWEB["max_upload_mb"], "recent": recent_pictures()}
    return render(request, "pages/upload.html", context, status=400 if form.errors else 200)


def _receive(request: HttpRequest, form: UploadForm) -> int:
    """Store an upload; return the number of its submission."""
    values = form.cleaned_data
    name, chunks = _content(form)
    wanted = Upload(name, chunks, values["params"], values["visibility"], {})
    return receive(uploader_of(request), page_viewer(request), wanted).pk


def _content(form: UploadForm) -> tuple[str, Iterable[bytes]]:
    """Return the name and the content of what was uploaded.

    Raises
    ------
    NovaError
        If the file is too large.
    """
    file = form.cleaned_data["file"]
    if file is None:
        return "stars.csv", [form.cleaned_data["stars"].encode()]
    limit_mb = settings.NOVAWEB["max_upload_mb"]
    if file.size > limit_mb * _MEGABYTE:
        raise NovaError(f"The file is larger than {limit_mb} MB")
    return file.name, file.chunks()
