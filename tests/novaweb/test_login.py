"""Log in with an API key; replies are upstream's, word for word."""

from __future__ import annotations

import json
import re

import pytest
from django.utils import timezone
from made_client import ApiClient

from novaweb.accounts.keys import ANONYMOUS_KEY, make_key
from novaweb.accounts.models import ApiKey, ApiSession
from novaweb.accounts.people import make_person
from novaweb.accounts.sessions import find_session, remove_expired


def error(message: str) -> dict[str, str]:
    return {"status": "error", "errormessage": message}


def test_a_key_opens_a_session(client_at) -> None:
    key = make_key(make_person("ada"), "laptop")
    answer = client_at("192.0.2.1").raw("login", apikey=key)
    value = json.loads(answer.content)
    assert (value["status"], value["message"]) == ("success", "authenticated user: ada")
    assert re.fullmatch("[a-z0-9]{32}", value["session"])
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.cookies["novaweb_session"]["httponly"]


def test_the_anonymous_key_opens_a_session(client_at) -> None:
    assert client_at("192.0.2.1").post("login", apikey=ANONYMOUS_KEY)["message"] == "authenticated user: anonymous"


def test_the_anonymous_key_can_be_switched_off(client_at, settings) -> None:
    settings.NOVAWEB = settings.NOVAWEB.replaced("test", anonymous=False)
    assert client_at("192.0.2.1").post("login", apikey=ANONYMOUS_KEY) == error("bad apikey")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"apikey": "nosuchkey"}', "bad apikey"),
        ('{"apikey": ""}', "bad apikey"),
        ("{}", 'need "apikey"'),
        ('{"apikey": null}', 'need "apikey"'),
        ('{"apikey": 12}', "bad apikey"),
        ('{"apikey": ["a"]}', "bad apikey"),
        ('{"apikey": ', 'failed to parse JSON: "{"apikey": "'),
        ("null", 'failed to parse JSON: "null"'),
        ("[1,2]", 'failed to parse JSON: "[1,2]"'),
        ('"x"', 'failed to parse JSON: ""x""'),
        ("[" * 100_000, 'failed to parse JSON: "' + "[" * 1000 + '"'),
    ],
)
def test_what_upstream_answers_to_a_wrong_request(client_at, text: str, message: str) -> None:
    answer = client_at("192.0.2.1").http.post("/api/login", {"request-json": text})
    assert (answer.status_code, json.loads(answer.content)) == (200, error(message))


@pytest.mark.parametrize("method", ["get", "put", "delete", "options"])
def test_other_methods_have_no_json(client_at, method: str) -> None:
    answer = getattr(client_at("192.0.2.1").http, method)("/api/login")
    assert json.loads(answer.content) == error("no json")


def test_a_slash_at_the_end_is_allowed(client_at) -> None:
    assert client_at("192.0.2.1").post("login/", apikey="x") == error("bad apikey")


def test_neither_keys_nor_sessions_are_stored(alice: ApiClient) -> None:
    key = make_key(make_person("bob"), "test")
    stored = [*ApiKey.objects.values_list("digest", flat=True), *ApiSession.objects.values_list("digest", flat=True)]
    assert not {key, alice.session} & set(stored)
    assert all(len(digest) == 64 for digest in stored)


def test_a_revoked_key_opens_nothing_and_its_sessions_end(alice: ApiClient) -> None:
    ApiKey.objects.update(revoked=timezone.now())
    assert alice.post("myjobs") == error(f'no session with key "{alice.session}"')


def test_an_expired_session_is_refused_and_removed(alice: ApiClient) -> None:
    ApiSession.objects.update(expires=timezone.now())
    assert find_session(alice.session or "") is None
    assert remove_expired() == 1
