"""Sign-in, sign-out and the API keys of a person."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from novaweb.accounts.keys import make_key
from novaweb.accounts.models import ApiKey
from novaweb.accounts.people import person_of
from novaweb.pages.forms import KeyForm, SignInForm

_BACKEND = "django.contrib.auth.backends.ModelBackend"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign a person in with one of their API keys, and go on to the page that they asked for."""
    form = SignInForm(request.POST or None)
    after = request.POST.get("next") or request.GET.get("next") or ""
    if request.method == "POST" and form.is_valid():
        login(request, form.cleaned_data["key"].user, backend=_BACKEND)
        is_ours = url_has_allowed_host_and_scheme(after, {request.get_host()}, require_https=request.is_secure())
        return redirect(after if is_ours else "mine")
    return render(request, "pages/sign_in.html", {"form": form, "next": after}, status=400 if form.errors else 200)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("upload")


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """List the API keys of a person, make one, or revoke one."""
    person = person_of(request)
    if person is None:
        return redirect("sign-in")
    new_key = None
    form = KeyForm(request.POST if "name" in request.POST else None, person=person)
    if request.POST.get("revoke", "").isdecimal():
        own = ApiKey.objects.filter(user=person, pk=int(request.POST["revoke"][:18]), revoked=None)
        own.update(revoked=timezone.now())
        return redirect("keys")
    if request.method == "POST" and form.is_valid():
        new_key = make_key(person, form.cleaned_data["name"])
        form = KeyForm(person=person)
    own_keys = ApiKey.objects.filter(user=person, revoked=None).order_by("pk")
    context = {"form": form, "keys": own_keys, "new_key": new_key, "site_url": settings.NOVAWEB["site_url"]}
    return render(request, "pages/keys.html", context, status=400 if form.errors else 200)
