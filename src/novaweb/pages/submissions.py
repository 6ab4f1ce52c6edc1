"""The page of a submission while it waits and is solved, and the list of a person's submissions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from novacli.text.quantities import count_text
from novaweb.accounts.people import person_of
from novaweb.pages.texts import place_text, state_of, with_pictures
from novaweb.pages.viewer import page_viewer
from novaweb.removal import cancel_jobs, delete_submissions
from novaweb.submissions.models import Job, Submission, Visibility
from novaweb.submissions.visibility import is_owner, may_see, public_submissions, submission_or_404

_PER_PAGE = 24
_MAX_DIGITS = 10
#: At most this many submissions are shown together; an upload has at most 100.
_MAX_TOGETHER = 200


@require_safe
def submission(request: HttpRequest, number: int) -> HttpResponse:
    """Show the state of each image of a submission; if there is one, and its job has ended, go to its page."""
    found = submission_or_404(page_viewer(request), number)
    jobs = _jobs_of([found])
    if len(jobs) == 1 and jobs[0].has_ended:
        return redirect("picture", number=jobs[0].image_id)
    context = {"title": found.original_filename, "submission": found, "is_owner": is_owner(page_viewer(request), found)}
    return _progress(request, jobs, context)


@require_safe
def progress(request: HttpRequest) -> HttpResponse:
    """Show the states of several submissions, which were uploaded together."""
    first, last = (request.GET.get(name, "") for name in ("from", "to"))
    if not (first.isdecimal() and last.isdecimal() and len(first) <= _MAX_DIGITS and len(last) <= _MAX_DIGITS):
        raise Http404("There are no such submissions.")
    rows = Submission.objects.filter(pk__gte=int(first), pk__lte=int(last)).order_by("pk")[:_MAX_TOGETHER]
    viewer = page_viewer(request)
    jobs = _jobs_of([row for row in rows if may_see(viewer, row)])
    return _progress(request, jobs, {"title": count_text(len(jobs), "picture")})


def _jobs_of(submissions: Collection[Submission]) -> list[Job]:
    return list(Job.objects.filter(image__submission__in=submissions).select_related("image").order_by("pk"))


def _progress(request: HttpRequest, jobs: Sequence[Job], context: dict[str, Any]) -> HttpResponse:
    states = [(state_of(job), place_text(job)) for job in jobs]
    is_live = any(not job.has_ended for job in jobs)
    return render(request, "pages/submission.html", {**context, "states": states, "is_live": is_live})


@login_required
@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """List the submissions of the person who is signed in, newest first."""
    person = person_of(request)
    found = Submission.objects.filter(user=person, deleted=None)
    return _list(request, "Mine", found, "You have uploaded nothing yet.")


@require_safe
def public(request: HttpRequest) -> HttpResponse:
    """List the public submissions, newest first."""
    return _list(request, "Public pictures", public_submissions(), "No picture is public yet.")


def _list(request: HttpRequest, title: str, found: QuerySet[Submission], empty: str) -> HttpResponse:
    """Show a page of a list: the submissions before the number ``before``, or the newest.

    The page is found by its number, since a database counts and skips rows slowly.
    """
    before = request.GET.get("before", "")
    is_first = not before.isdecimal() or len(before) > _MAX_DIGITS
    rows = list((found if is_first else found.filter(pk__lt=int(before))).order_by("-pk")[: _PER_PAGE + 1])
    shown = rows[:_PER_PAGE]
    older = shown[-1].pk if len(rows) > _PER_PAGE else None
    context = {"title": title, "cards": with_pictures(shown), "is_first": is_first, "older": older, "empty": empty}
    return render(request, "pages/list.html", context)


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
