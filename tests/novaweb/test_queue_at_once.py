"""Several workers and uploads at the same time, on a database that commits."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from made_client import ApiClient

from novaweb.queue import queue
from novaweb.submissions.models import Job

pytestmark = pytest.mark.django_db(transaction=True)
_WORKERS, _JOBS = 4, 24


def in_threads(function, arguments) -> list:
    """Call a function in one thread for each argument; return the results."""

    def call(argument):
        try:
            return function(argument)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(_WORKERS) as pool:
        return list(pool.map(call, arguments))


@pytest.fixture
def people() -> None:
    """The users that migrations make are removed after each test that commits."""
    from importlib import import_module

    from django.apps import apps

    from novaweb.accounts.models import User

    if not User.objects.filter(pk=1).exists():
        with connection.schema_editor() as editor:
            import_module("novaweb.accounts.migrations.0002_users_that_are_no_people")._make(apps, editor)


def test_each_job_is_claimed_once(people: None, alice: ApiClient) -> None:
    for _ in range(_JOBS):
        alice.upload()

    def claim_all(worker: int) -> list[int]:
        claimed: list[int] = []
        while claims := queue.claim(f"worker {worker}", 2):
            claimed += [claim.job_id for claim in claims]
        return claimed

    counts = Counter(number for numbers in in_threads(claim_all, range(_WORKERS)) for number in numbers)
    assert counts == Counter(Job.objects.values_list("pk", flat=True))


def test_uploads_at_once_are_all_taken(people: None, alice: ApiClient, client_at) -> None:
    def upload(_number: int) -> str:
        client = client_at("192.0.2.1")
        client.session = alice.session
        return client.upload()["status"]

    assert in_threads(upload, range(_JOBS)) == ["success"] * _JOBS
    assert Job.objects.count() == _JOBS
