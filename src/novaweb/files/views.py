"""Send the files of a job, each at the address that nova.astrometry.net has for it, if it has one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from novacli.errors import NotSolvedError, RetryLaterError
from novaweb import folders
from novaweb.api.requests import reader, reply
from novaweb.products.maker import product_of
from novaweb.products.registry import Product
from novaweb.submissions.models import Job, Visibility
from novaweb.submissions.visibility import job_or_404
from solvehost.formats import jobdir
from solvehost.formats.jobdir import JobDir
from solvehost.record import record

_FITS = "application/fits"


@record
class JobFile:
    """A file that is served: where a job directory has it, and the name under which clients save it."""

    path_of: Callable[[JobDir], Path]
    saved_name: str


#: Address → file; a new one is a line.
FILES = {
    "wcs_file": JobFile(lambda job: job.wcs, "wcs.fits"),
    "corr_file": JobFile(lambda job: job.path / jobdir.CORR, "corr.fits"),
    "rdls_file": JobFile(lambda job: job.path / jobdir.RDLS, "rdls.fits"),
    "axy_file": JobFile(lambda job: job.axy(1), "axy.fits"),
}


def view_of(file: JobFile) -> Callable[[HttpRequest, int], HttpResponseBase]:
    """Return the view that sends a file of a job."""

    @csrf_exempt
    def send(request: HttpRequest, number: int) -> HttpResponseBase:
        job = job_or_404(reader(request), number)
        path = _path(job, file.path_of)
        return _as_seen(
            job, FileResponse(path.open("rb"), as_attachment=True, filename=file.saved_name, content_type=_FITS)
        )

    return send


def view_of_product(product: Product) -> Callable[[HttpRequest, int], HttpResponseBase]:
    """Return the view that sends a product of a job; it is made if it is missing."""

    @csrf_exempt
    def send(request: HttpRequest, number: int) -> HttpResponseBase:
        job = job_or_404(reader(request), number)
        try:
            path = product_of(product, job)
        except NotSolvedError as exc:
            raise Http404(f"job {job.pk} has no such file: {exc}") from exc
        except RetryLaterError as exc:
            return reply({"error": str(exc)}, 503)
        name = product.saved_name
        sent = FileResponse(
            path.open("rb"), as_attachment=name is not None, filename=name or "", content_type=product.content_type
        )
        return _as_seen(job, sent)

    return send


@csrf_exempt
def joblog(request: HttpRequest, number: int) -> HttpResponseBase:
    """Send the engine's log of a job, without the paths of the server."""
    job = job_or_404(reader(request), number)
    text = _path(job, lambda files: files.path / jobdir.LOG).read_text(encoding="utf-8", errors="replace")
    hidden = text.replace(str(folders.of(settings.NOVAWEB).root), "")
    return _as_seen(job, HttpResponse(hidden, content_type="text/plain; charset=utf-8"))


def _path(job: Job, path_of: Callable[[JobDir], Path]) -> Path:
    """Return the path of a file of a job.

    Raises
    ------
    Http404
        If the job has not ended, or has no such file.
    """
    path = path_of(JobDir(folders.of(settings.NOVAWEB).jobs / job.directory))
    if not job.directory or not path.is_file():
        raise Http404(f"job {job.pk} has no such file")
    return path


def _as_seen(job: Job, response: HttpResponseBase) -> HttpResponseBase:
    """Keep what is not public out of shared caches, and have no browser guess a type."""
    is_public = job.image.submission.visibility == Visibility.PUBLIC
    response["Cache-Control"] = "public, max-age=3600" if is_public else "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
