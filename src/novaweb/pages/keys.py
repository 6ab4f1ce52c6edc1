"""The page on which people list, make and revoke their API keys."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from novaweb.accounts.keys import make_key
from novaweb.accounts.models import ApiKey
from novaweb.pages.account_forms import KeyForm
from novaweb.pages.viewer import signed_in

_MAX_DIGITS = 18


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """List the API keys of the person who is signed in, make one, or revoke one."""
    person = signed_in(request)
    number = request.POST.get("revoke", "")
    if number.isdecimal() and len(number) <= _MAX_DIGITS:
        ApiKey.objects.filter(user=person, pk=int(number), revoked=None).update(revoked=timezone.now())
        return redirect("keys")
    form = KeyForm(request.POST if "name" in request.POST else None, person=person)
    new_key = None
    if request.method == "POST" and form.is_valid():
        new_key = make_key(person, form.cleaned_data["name"])
        form = KeyForm(person=person)
    context = {
        "form": form,
        "keys": ApiKey.objects.filter(user=person, revoked=None).order_by("pk"),
        "new_key": new_key,
        "site_url": settings.NOVAWEB["site_url"],
    }
    return render(request, "pages/keys.html", context, status=400 if form.errors else 200)
