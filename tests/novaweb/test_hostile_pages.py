"""Requests that no form sends: no page fails, whatever the method, the fields and the files are."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

VALUES = [
    "", "\x00", "ä" * 300, "-1", "1e999", "nan", "99999999999999999999", "<script>", "05:35:17", "x" * 5000, "\udcff",
    "١٢", "' OR 1=1 --", "../../etc/passwd", "\r\nSet-Cookie: a=b", "[]",
]  # fmt: skip
FIELDS = [
    "file", "url", "stars", "scale_kind", "scale", "focal_mm", "pixel_um", "ra", "dec", "radius", "visibility", "do",
    "name", "revoke", "key", "username", "password", "next", "email", "password1", "from", "to", "before",
]  # fmt: skip
PATHS = [
    "/", "/public", "/mine", "/status/1", "/status/1/change", "/user_images/1", "/user_images/1/objects",
    "/user_images/1/again", "/sign-in", "/sign-up", "/account", "/keys", "/progress", "/display/1",
]  # fmt: skip
CONTENTS = [b"", b"PK\x03\x04xx", b"\x1f\x8b\x08", b"x"]
TYPES = ["application/json", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded; charset=nosuch"]


@pytest.mark.parametrize("seed", range(4))
def test_no_request_makes_a_page_fail(signed_in: Callable[..., Client], settings: Any, data: Any, seed: int) -> None:
    settings.NOVAWEB = settings.NOVAWEB.replaced("test", sign_up="open", data_dir=data.root)
    rng = random.Random(seed)
    browser = signed_in("ada")
    browser.post("/", {"visibility": "p", "stars": "x,y\n1,2"})
    for _ in range(100):
        method, path = rng.choice(["get", "post", "post", "put", "delete", "head"]), rng.choice(PATHS)
        fields: dict[str, Any] = {rng.choice(FIELDS): rng.choice(VALUES) for _ in range(rng.randint(1, 8))}
        fields = {name: value.encode(errors="surrogateescape").decode("latin-1") for name, value in fields.items()}
        if method in ("get", "head"):
            answer = getattr(browser, method)(path, fields)
        elif method == "post":
            file = SimpleUploadedFile(rng.choice(["a.jpg", "x.zip", "ä\x00"]), rng.choice(CONTENTS))
            answer = browser.post(path, {**fields, "file": file} if rng.random() < 0.3 else fields)
        else:
            answer = getattr(browser, method)(path, data=rng.choice(CONTENTS), content_type=rng.choice(TYPES))
        assert answer.status_code < 500, (method, path, fields)
        assert b"Traceback" not in answer.content
