"""The page of a picture: its place on the sky, what is in it, and its files."""

from __future__ import annotations

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from novaweb.pages.shown import calibration_rows, downloads_of, state_of, why_unsolved
from novaweb.pages.viewing import page_viewer
from novaweb.submissions.models import Job, UserImage, Visibility
from novaweb.submissions.visibility import is_owner, may_see


@require_safe
def picture(request: HttpRequest, number: int) -> HttpResponse:
    """Show the result of the newest job of an image."""
    viewer = page_viewer(request)
    image = UserImage.objects.select_related("submission").filter(pk=number).first()
    if image is None or not may_see(viewer, image.submission):
        raise Http404("There is no such picture.")
    job = _jobs(image).last()
    if job is None or not job.has_ended:
        return redirect("submission", number=image.submission_id)
    calibration = getattr(job, "calibration", None)
    context = {
        "image": image,
        "submission": image.submission,
        "job": job,
        "state": state_of(job),
        "calibration": calibration,
        "rows": calibration_rows(job, calibration),
        "downloads": downloads_of(job),
        "why": why_unsolved(job),
        "is_owner": is_owner(viewer, image.submission),
        "visibilities": Visibility.choices,
        "site_url": settings.NOVAWEB["site_url"],
    }
    return render(request, "pages/picture.html", context)


def _jobs(image: UserImage) -> QuerySet[Job]:
    return Job.objects.filter(image=image).select_related("calibration", "image").order_by("pk")
