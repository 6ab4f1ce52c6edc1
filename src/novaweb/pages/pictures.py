"""The pages of a picture: its result, the objects in it, and another solve of it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from novacli.errors import NovaError
from novaweb.intake import solve_again
from novaweb.pages import result_parts as parts
from novaweb.pages.forms import HintsForm
from novaweb.pages.texts import calibration_rows, state_of, why_unsolved
from novaweb.pages.viewer import page_viewer, uploader_of
from novaweb.products.objects import objects_of
from novaweb.submissions.models import Job, UserImage, Visibility
from novaweb.submissions.visibility import is_owner, may_see


@require_safe
def picture(request: HttpRequest, number: int) -> HttpResponse:
    """Show the result of an image."""
    job = _job_or_404(request, number)
    if not job.has_ended:
        return redirect("submission", number=job.image.submission_id)
    return render(request, "pages/picture.html", _context(request, job, HintsForm()))


@require_safe
def objects(request: HttpRequest, number: int) -> HttpResponse:
    """List the objects in an image."""
    job = _job_or_404(request, number)
    rows = [parts.object_row(found) for found in objects_of(job)]
    return render(request, "pages/objects.html", {"image": job.image, "objects": rows})


@require_POST
def again(request: HttpRequest, number: int) -> HttpResponse:
    """Solve an image again, as a new submission with other hints."""
    job, form = _job_or_404(request, number), HintsForm(request.POST)
    if form.is_valid():
        user = uploader_of(request)
        visibility = Visibility.PRIVATE if user.is_person else Visibility.UNLISTED
        try:
            made = solve_again(user, page_viewer(request), job.image, form.cleaned_data["params"], visibility)
            return redirect("submission", number=made.pk)
        except NovaError as exc:
            form.add_error(None, f"{exc}.")
    return render(request, "pages/picture.html", _context(request, job, form), status=400)


def _job_or_404(request: HttpRequest, number: int) -> Job:
    """Return the newest job of an image that the viewer may see.

    Raises
    ------
    Http404
        If there is none, or the viewer may not see it.
    """
    image = UserImage.objects.select_related("submission", "blob").filter(pk=number).first()
    if image is None or not may_see(page_viewer(request), image.submission):
        raise Http404("There is no such picture.")
    job = Job.objects.filter(image=image).select_related("calibration").order_by("pk").last()
    if job is None:
        raise Http404("There is no such picture.")
    job.image = image
    return job


def _context(request: HttpRequest, job: Job, form: HintsForm) -> dict[str, Any]:
    submission, calibration = job.image.submission, getattr(job, "calibration", None)
    context = {
        "image": job.image,
        "submission": submission,
        "job": job,
        "state": state_of(job),
        "rows": calibration_rows(job, calibration),
        "again": form,
        "is_owner": is_owner(page_viewer(request), submission),
        "visibilities": Visibility.choices,
    }
    if calibration is None:
        return {**context, "why": why_unsolved(job)}
    return {
        **context,
        "layers": parts.LAYERS,
        "trust": parts.trust_text(job),
        "downloads": parts.links(parts.DOWNLOADS, job),
        "pictures": parts.links(parts.PICTURES, job),
        "exports": parts.links(parts.EXPORTS, job),
        "command": parts.command_text(job, calibration),
        "python": parts.python_text(job),
        "site_url": settings.NOVAWEB["site_url"],
    }
