"""Sign-in, sign-out, sign-up, and the page on which people change their account."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, SetPasswordForm
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from novaweb.accounts.models import User
from novaweb.config import APPROVAL, CLOSED
from novaweb.pages.account_forms import DeleteForm, KeySignInForm, SignUpForm
from novaweb.pages.viewer import signed_in
from novaweb.removal import delete_account

_BACKEND = "django.contrib.auth.backends.ModelBackend"
_with_form = require_http_methods(["GET", "HEAD", "POST"])


@never_cache
@sensitive_post_parameters()
@_with_form
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign a person in by password or by API key, and go on to the page that they asked for."""
    with_key = "key" in request.POST
    password_form = AuthenticationForm(request, None if with_key else request.POST or None)
    key_form = KeySignInForm(request.POST if with_key else None)
    form: Form = key_form if with_key else password_form
    if request.method == "POST" and form.is_valid():
        user = key_form.cleaned_data["key"].user if with_key else password_form.get_user()
        login(request, user, backend=_BACKEND)
        return redirect(_after(request))
    context = {
        "form": password_form,
        "key_form": key_form,
        "next": request.POST.get("next") or request.GET.get("next") or "",
        "signs_up": settings.NOVAWEB["sign_up"] != CLOSED,
    }
    return render(request, "pages/sign_in.html", context, status=400 if form.errors else 200)


def too_many_attempts(request: HttpRequest, *_: object) -> HttpResponse:
    """Answer a sign-in after too many wrong passwords."""
    text = "There were too many wrong passwords for this name. Try again in 15 minutes, or sign in with an API key."
    return render(request, "pages/error.html", {"text": text}, status=429)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("upload")


@never_cache
@sensitive_post_parameters()
@_with_form
def sign_up(request: HttpRequest) -> HttpResponse:
    """Make an account; if the service wants it, an administrator has to approve it first."""
    if settings.NOVAWEB["sign_up"] == CLOSED:
        raise Http404("Accounts are made by the administrator.")
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        person = form.save(commit=False)
        person.is_active = settings.NOVAWEB["sign_up"] != APPROVAL
        person.save()
        if not person.is_active:
            return render(request, "pages/sign_up_done.html", {"name": person.username})
        login(request, person, backend=_BACKEND)
        return redirect("keys")
    context = {"form": form, "waits": settings.NOVAWEB["sign_up"] == APPROVAL}
    return render(request, "pages/sign_up.html", context, status=400 if form.errors else 200)


@never_cache
@sensitive_post_parameters()
@login_required
@_with_form
def account(request: HttpRequest) -> HttpResponse:
    """Change the password, or delete the account with all that was uploaded."""
    person = signed_in(request)
    wanted = request.POST.get("do") if request.method == "POST" else None
    password_form = _password_form(person)(person, request.POST if wanted == "password" else None)
    delete_form = DeleteForm(request.POST if wanted == "delete" else None, person=person)
    if wanted == "password" and password_form.is_valid():
        update_session_auth_hash(request, password_form.save())
        return redirect("account")
    if wanted == "delete" and delete_form.is_valid():
        delete_account(person)
        logout(request)
        return redirect("upload")
    context = {"person": person, "password_form": password_form, "delete_form": delete_form}
    has_errors = bool(password_form.errors or delete_form.errors)
    return render(request, "pages/account.html", context, status=400 if has_errors else 200)


def _password_form(person: User) -> type[SetPasswordForm[User]]:
    """Return the form for a new password; it asks for the old one if there is one."""
    return PasswordChangeForm if person.has_usable_password() else SetPasswordForm


def _after(request: HttpRequest) -> str:
    """Return the page to go to after a sign-in: one of this service."""
    after = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(after, {request.get_host()}, require_https=request.is_secure())
    return after if is_ours else "mine"
