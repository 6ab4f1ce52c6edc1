"""The pages for accounts: sign-in, sign-up, password, deletion, and API keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from novaweb.accounts.keys import find_key, make_key
from novaweb.accounts.models import ApiKey, User
from novaweb.accounts.people import make_person
from novaweb.submissions.models import Job, JobState, Submission

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def no_attempts() -> Iterator[None]:
    """Forget the wrong passwords of each test."""
    yield
    cache.clear()


@pytest.fixture
def sign_up(settings: Any) -> Callable[..., Client]:
    """A function that makes an account at the page, and returns the browser."""

    def make(name: str, rule: str = "open") -> Client:
        settings.NOVAWEB = settings.NOVAWEB.replaced("test", sign_up=rule)
        browser = Client()
        fields = {"username": name, "email": "", "password1": PASSWORD, "password2": PASSWORD}
        browser.last = browser.post("/sign-up", fields)
        return browser

    return make


def sign_in(name: str, password: str, **fields: str) -> Any:
    return Client().post("/sign-in", {"username": name, "password": password, **fields})


def test_an_account_is_made_and_used(sign_up: Callable[..., Client]) -> None:
    assert sign_up("ada").get("/mine").status_code == 200
    assert sign_in("ada", PASSWORD)["Location"] == "/mine"
    assert sign_in("ada", "wrong").status_code == 400


def test_an_account_that_waits_for_approval_signs_no_one_in(sign_up: Callable[..., Client]) -> None:
    browser = sign_up("ada", "approval")
    assert b"administrator has approved" in browser.last.content
    assert browser.get("/mine").status_code == 302
    assert sign_in("ada", PASSWORD).status_code == 400
    User.objects.filter(username="ada").update(is_active=True)
    assert sign_in("ada", PASSWORD).status_code == 302


def test_no_account_is_made_where_sign_up_is_closed(sign_up: Callable[..., Client]) -> None:
    assert sign_up("ada", "closed").last.status_code == 404
    assert not User.objects.filter(username="ada").exists()


@pytest.mark.parametrize(
    ("name", "password", "again", "text"),
    [
        ("ADA", PASSWORD, PASSWORD, "An account has this name"),
        ("machine", PASSWORD, PASSWORD, "An account has this name"),
        ("<b>", PASSWORD, PASSWORD, "Enter a valid username"),
        ("bob", "12345678", "12345678", "too common"),
        ("bob", PASSWORD, "other", "match"),
    ],
)
def test_what_is_wrong_with_a_new_account_is_told(
    sign_up: Callable[..., Client], name: str, password: str, again: str, text: str
) -> None:
    sign_up("ada")
    fields = {"username": name, "email": "", "password1": password, "password2": again}
    answer = Client().post("/sign-up", fields)
    assert (answer.status_code, text in answer.content.decode()) == (400, True)


def test_passwords_cannot_be_guessed_by_trying(sign_up: Callable[..., Client]) -> None:
    sign_up("ada")
    statuses = [sign_in("ada", f"wrong {number}").status_code for number in range(12)]
    assert statuses[0] == 400
    assert statuses[-1] == 429
    assert sign_in("ada", PASSWORD).status_code == 429
    answer = Client().post("/sign-in", {"key": make_key(User.objects.get(username="ada"), "laptop")})
    assert answer.status_code == 302


def test_the_password_is_changed(sign_up: Callable[..., Client]) -> None:
    browser, other = sign_up("ada"), Client()
    other.post("/sign-in", {"username": "ada", "password": PASSWORD})
    new = "another long word"
    fields = {"do": "password", "old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert browser.post("/account", {**fields, "old_password": "wrong"}).status_code == 400
    assert browser.post("/account", fields).status_code == 302
    assert browser.get("/mine").status_code == 200
    assert other.get("/mine").status_code == 302
    assert sign_in("ada", new).status_code == 302


def test_a_person_with_a_key_alone_can_set_a_password() -> None:
    browser = Client()
    browser.post("/sign-in", {"key": make_key(make_person("ada"), "browser")})
    browser.post("/account", {"do": "password", "new_password1": PASSWORD, "new_password2": PASSWORD})
    assert sign_in("ada", PASSWORD).status_code == 302


def test_a_deleted_account_leaves_nothing_to_see(sign_up: Callable[..., Client]) -> None:
    browser = sign_up("ada")
    browser.post("/", {"visibility": "p", "file": SimpleUploadedFile("m42.jpg", b"picture")})
    key = make_key(User.objects.get(username="ada"), "laptop")
    assert browser.post("/account", {"do": "delete", "name": "bob"}).status_code == 400
    assert browser.post("/account", {"do": "delete", "name": "ada"}).status_code == 302
    assert browser.get("/mine").status_code == 302
    assert find_key(key) is None
    assert sign_in("ada", PASSWORD).status_code == 400
    assert (Job.objects.get().state, Client().get("/status/1").status_code) == (JobState.CANCELLED, 404)
    assert Submission.objects.get().deleted is not None
    assert not User.objects.filter(username="ada").exists()


@pytest.mark.parametrize("after", ["https://example.org/", "//example.org", "/mine"])
def test_sign_in_goes_on_within_the_service_only(after: str) -> None:
    key = make_key(make_person("alice"), "browser")
    answer = Client().post("/sign-in", {"key": key, "next": after})
    assert answer["Location"] == "/mine"


def test_a_wrong_or_revoked_key_signs_no_one_in(signed_in: Callable[..., Client]) -> None:
    for key in "abcdefghijklmnop", "\x00", "ä", "x" * 65:
        assert Client().post("/sign-in", {"key": key}).status_code == 400
    alice = signed_in("alice")
    new_key = re.search("<pre>([a-z]{16})</pre>", alice.post("/keys", {"name": "second"}).content.decode())
    assert new_key is not None
    second = ApiKey.objects.get(name="second")
    assert new_key[1] not in alice.get("/keys").content.decode()
    alice.post("/keys", {"revoke": str(second.pk)})
    assert Client().post("/sign-in", {"key": new_key[1]}).status_code == 400


def test_keys_of_others_cannot_be_revoked(signed_in: Callable[..., Client]) -> None:
    signed_in("alice")
    signed_in("bob").post("/keys", {"revoke": str(ApiKey.objects.get(user__username="alice").pk)})
    assert ApiKey.objects.get(user__username="alice").revoked is None
