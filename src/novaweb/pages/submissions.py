"""The page of a submission while it waits and is solved, and the list of a person's submissions."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from novaweb.accounts.people import person_of
from novaweb.pages.shown import place_text, state_of, with_pictures
from novaweb.pages.viewing import page_viewer
from novaweb.removal import cancel_jobs, delete_submissions
from novaweb.submissions.models import Job, Submission, Visibility
from novaweb.submissions.visibility import is_owner, listed, submission_or_404

_PER_PAGE = 24


@require_safe
def submission(request: HttpRequest, number: int) -> HttpResponse:
    """Show what becomes of each image; if there is one, and it is solved or not, go to its page."""
    found = submission_or_404(page_viewer(request), number)
    jobs = list(Job.objects.filter(image__submission=found).select_related("image").order_by("pk"))
    if len(jobs) == 1 and jobs[0].has_ended:
        return redirect("picture", number=jobs[0].image_id)
    states = [(state_of(job), place_text(job)) for job in jobs]
    return render(
        request,
        "pages/submission.html",
        {
            "submission": found,
            "states": states,
            "is_owner": is_owner(page_viewer(request), found),
            "is_live": any(not job.has_ended for job in jobs),
        },
    )


@login_required
@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """List the submissions of the person who is signed in, newest first."""
    person = person_of(request)
    found = Submission.objects.filter(user=person, deleted=None).order_by("-pk")
    return _list(request, "Mine", found, "You have uploaded nothing yet.")


@require_safe
def public(request: HttpRequest) -> HttpResponse:
    """List the public submissions, newest first."""
    found = listed(page_viewer(request)).filter(visibility=Visibility.PUBLIC).order_by("-pk")
    return _list(request, "Public pictures", found, "No picture is public yet.")


def _list(request: HttpRequest, title: str, found: QuerySet[Submission], empty: str) -> HttpResponse:
    page = Paginator(found, _PER_PAGE).get_page(request.GET.get("page"))
    cards = with_pictures(page.object_list)
    return render(request, "pages/list.html", {"title": title, "page": page, "cards": cards, "empty": empty})


@login_required
@require_POST
def change(request: HttpRequest, number: int) -> HttpResponse:
    """Cancel, delete or change the visibility of a submission of the person who is signed in."""
    viewer = page_viewer(request)
    found = submission_or_404(viewer, number)
    if not is_owner(viewer, found):
        return redirect("submission", number=number)
    own, wanted = Submission.objects.filter(pk=found.pk), request.POST.get("do")
    if wanted == "cancel":
        cancel_jobs(own)
    elif wanted == "delete":
        delete_submissions(own)
        return redirect("mine")
    elif wanted in Visibility.values:
        own.update(visibility=wanted)
    return redirect("submission", number=number)
