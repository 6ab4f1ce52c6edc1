"""The addresses of the service.  Each has an optional slash at its end, because clients differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, re_path

from novaweb import health
from novaweb.api import login, objects, status, upload
from novaweb.files import views as files
from novaweb.pages import account, errors, keys, pictures, submissions
from novaweb.pages import upload as upload_page
from novaweb.products.registry import PRODUCTS

#: Numbers are below 2³¹, so longer ones are no address.
_NUMBER = r"(?P<number>[0-9]{1,10})"


def _address(pattern: str, view: Callable[..., Any], name: str | None = None) -> URLPattern:
    return re_path(f"^{pattern}/?$", _with_number(view) if "number" in pattern else view, name=name)


def _with_number(view: Callable[..., Any]) -> Callable[..., Any]:
    """Have a view called with its number as an integer."""

    def numbered(request: Any, number: str) -> Any:
        return view(request, int(number))

    numbered.csrf_exempt = getattr(view, "csrf_exempt", False)  # type: ignore[attr-defined]
    return numbered


handler400, handler404, handler500 = errors.bad_request, errors.not_found, errors.server_error
urlpatterns = [
    re_path("^$", upload_page.upload, name="upload"),
    _address("public", submissions.public, "public"),
    _address("mine", submissions.mine, "mine"),
    _address(f"status/{_NUMBER}", submissions.submission, "submission"),
    _address(f"status/{_NUMBER}/change", submissions.change, "change"),
    _address(f"user_images/{_NUMBER}", pictures.picture, "picture"),
    _address(f"user_images/{_NUMBER}/objects", pictures.objects, "objects"),
    _address(f"user_images/{_NUMBER}/again", pictures.again, "again"),
    _address("progress", submissions.progress, "progress"),
    _address("sign-in", account.sign_in, "sign-in"),
    _address("sign-out", account.sign_out, "sign-out"),
    _address("sign-up", account.sign_up, "sign-up"),
    _address("account", account.account, "account"),
    _address("keys", keys.keys, "keys"),
    *(_address(f"{name}/{_NUMBER}", files.view_of_product(product)) for name, product in PRODUCTS.items()),
    _address("healthz", health.healthz),
    _address("readyz", health.readyz),
    _address("api/login", login.login),
    _address("api/upload", upload.upload),
    _address("api/url_upload", upload.url_upload),
    _address("api/myjobs", status.myjobs),
    _address("api/submission_images", status.submission_images),
    _address(f"api/submissions/{_NUMBER}", status.submission),
    _address(f"api/submissions/{_NUMBER}/delete", status.delete),
    _address(f"api/submissions/{_NUMBER}/visibility", status.change_visibility),
    _address(f"api/jobs/{_NUMBER}", status.job),
    _address(f"api/jobs/{_NUMBER}/calibration", status.calibration),
    _address(f"api/jobs/{_NUMBER}/info", status.info),
    _address(f"api/jobs/{_NUMBER}/objects_in_field", objects.objects_in_field),
    _address(f"api/jobs/{_NUMBER}/machine_tags", objects.machine_tags),
    _address(f"api/jobs/{_NUMBER}/tags", objects.machine_tags),
    _address(f"api/jobs/{_NUMBER}/annotations", objects.annotated_objects),
    _address(f"api/jobs/{_NUMBER}/place", status.place),
    _address(f"api/jobs/{_NUMBER}/cancel", status.cancel),
    *(_address(f"{name}/{_NUMBER}", files.view_of(file)) for name, file in files.FILES.items()),
    _address(f"joblog/{_NUMBER}", files.joblog),
]
