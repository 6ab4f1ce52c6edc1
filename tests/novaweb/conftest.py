"""Fixtures of the web service: its folders, and people with keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from made_client import ApiClient

from novaweb import folders
from novaweb.accounts.keys import make_key
from novaweb.accounts.people import make_person


@pytest.fixture(autouse=True)
def data(tmp_path: Path, db: None, settings: Any) -> folders.Folders:
    """Folders of its own for each test."""
    settings.NOVAWEB = settings.NOVAWEB.replaced("test", data_dir=tmp_path / "web")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the others are slow on purpose
    made = folders.of(settings.NOVAWEB)
    made.make()
    _number_from_one()
    return made


def _number_from_one() -> None:
    """Have PostgreSQL number rows from 1 in each test; SQLite does so by itself after a rollback."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for table in ("submissions_submission", "submissions_userimage", "submissions_job"):
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), 1, false)", [table])


@pytest.fixture
def client_at() -> Callable[[str], ApiClient]:
    """A function that returns a client at a network address."""
    return lambda address: ApiClient(Client(REMOTE_ADDR=address))


@pytest.fixture
def person(client_at: Callable[[str], ApiClient]) -> Callable[..., ApiClient]:
    """A function that makes a person and returns their client, logged in."""

    def make(name: str, address: str = "192.0.2.1") -> ApiClient:
        return client_at(address).login(make_key(make_person(name), "test"))

    return make


@pytest.fixture
def alice(person: Callable[..., ApiClient]) -> ApiClient:
    return person("alice")


@pytest.fixture
def signed_in() -> Callable[..., Client]:
    """A function that makes a person and returns their browser, signed in by a key."""

    def make(name: str, address: str = "192.0.2.1") -> Client:
        browser = Client(REMOTE_ADDR=address)
        answer = browser.post("/sign-in", {"key": make_key(make_person(name), "browser")})
        assert answer.status_code == 302
        return browser

    return make
