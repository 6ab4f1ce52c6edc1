"""Preparing attempts in a thread beside the race."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from novacli.strategy.preparation import prepare_beside, when_ready

#: Seconds after which a test that should have ended has failed.
_PATIENCE_S = 60.0


def test_items_come_in_their_order() -> None:
    assert list(when_ready(prepare_beside(iter("abc")))) == ["a", "b", "c"]
    assert list(prepare_beside(iter(()))) == []


def test_an_item_is_prepared_when_it_is_asked_for() -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for number in (1, 2):
            asked.append(number)
            yield number

    ready = when_ready(prepare_beside(items()))
    assert asked == []
    assert next(ready) == 1
    assert asked == [1]


def test_the_caller_goes_on_while_an_item_is_prepared() -> None:
    """None says that it is not ready; the item comes once it is."""
    is_found = threading.Event()

    def items() -> Iterator[str]:
        assert is_found.wait(_PATIENCE_S)
        yield "stars"

    ready = prepare_beside(items())
    assert [next(ready) for _ in range(3)] == [None, None, None]
    is_found.set()
    assert next(item for item in ready if item is not None) == "stars"
    assert list(ready) == []


def test_nothing_waits_for_an_item_that_is_no_longer_wanted() -> None:
    is_over = threading.Event()

    def items() -> Iterator[str]:
        is_over.wait(_PATIENCE_S)
        yield "too late"

    ready = prepare_beside(items())
    assert next(ready) is None
    del ready
    assert not is_over.is_set()
    is_over.set()


def test_an_error_of_the_preparation_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no stars")

    ready = when_ready(prepare_beside(items()))
    assert next(ready) == 1
    with pytest.raises(ValueError, match="no stars"):
        next(ready)


def test_waiting_skips_what_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("novacli.strategy.preparation._POLL_S", 0)
    assert list(when_ready(itertools.chain([None, None], [4], [None]))) == [4]
