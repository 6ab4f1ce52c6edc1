"""Repeating an exchange: how often, how long, and after which errors."""

from __future__ import annotations

import itertools

import pytest

from novacli.backends.ssh import retrying
from novacli.backends.ssh.exit_codes import UnreachedError
from novacli.backends.ssh.limits import CancelledError
from novacli.errors import DataError, RetryLaterError
from novacli.records.budget import Budget
from novacli.records.progress import Progress


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FIRST_PAUSE_S", 0.0001)
    monkeypatch.setattr(retrying, "_LONGEST_PAUSE_S", 0.001)


def test_pauses_grow_and_are_random(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FIRST_PAUSE_S", 0.5)
    monkeypatch.setattr(retrying, "_LONGEST_PAUSE_S", 10.0)
    pauses = list(retrying.pauses_s())
    assert len(pauses) == 23
    assert all(0.25 * 2**n <= pause <= 0.75 * 2**n for n, pause in enumerate(pauses[:5]))
    assert all(pause <= 15 for pause in pauses)
    assert pauses != list(retrying.pauses_s())


def test_an_exchange_is_repeated_until_it_succeeds() -> None:
    count = itertools.count()

    def third() -> int:
        if (n := next(count)) < 2:
            raise RetryLaterError("busy")
        return n

    assert retrying.patiently(third, Budget()) == 2


@pytest.mark.parametrize(
    ("error", "tries"), [(RetryLaterError("busy"), 24), (UnreachedError("no route"), 6), (DataError("no"), 1)]
)
def test_the_number_of_tries_is_limited(error: Exception, tries: int) -> None:
    count = itertools.count()

    def fail() -> None:
        next(count)
        raise error

    with pytest.raises(type(error)):
        retrying.patiently(fail, Budget())
    assert next(count) == tries


def test_there_is_no_pause_beyond_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the error is that of the server, instead of a time-out."""
    monkeypatch.setattr(retrying, "_FIRST_PAUSE_S", 1000.0)

    def fail() -> None:
        raise RetryLaterError("busy")

    with pytest.raises(RetryLaterError, match="busy"):
        retrying.patiently(fail, Budget.of_seconds(10))


def test_cancelling_ends_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FIRST_PAUSE_S", 1000.0)

    def fail() -> None:
        raise RetryLaterError("busy")

    with pytest.raises(CancelledError):
        retrying.patiently(fail, Budget(), Progress(cancelled=lambda: True))
