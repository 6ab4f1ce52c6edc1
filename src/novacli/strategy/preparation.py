"""Prepare attempts in a thread, so that the race goes on meanwhile: engines get their turns, and limits are kept.

Finding the stars of a large image takes up to a second, of which most is spent outside Python.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

#: Wait this long before reporting that an item is not ready: a list of stars that were found before takes less.
_PATIENCE_S = 0.005
#: How often :func:`when_ready` looks.
_POLL_S = 0.01


def prepare_beside(items: Iterator[T]) -> Iterator[T | None]:
    """Yield the items of an iterator, each prepared by a thread; yield None as long as the next one is not ready.

    An item is prepared when it is first asked for.  If no more is asked for, a thread that runs is left to its end and
    its item is dropped.  What the iterator raises is raised here.
    """
    while True:
        preparation = _Preparation(items)
        preparation.join(_PATIENCE_S)
        while preparation.is_alive():
            yield None
        if preparation.error is not None:
            raise preparation.error
        if not preparation.items:
            return
        yield preparation.items[0]


def when_ready(items: Iterator[T | None]) -> Iterator[T]:
    """Yield the items that are not None; wait while the next one is not ready."""
    for item in items:
        if item is None:
            time.sleep(_POLL_S)
        else:
            yield item


class _Preparation(threading.Thread, Generic[T]):
    """A thread that takes one item from an iterator; ``items`` stays empty if there is none."""

    def __init__(self, source: Iterator[T]) -> None:
        super().__init__(name="preparation", daemon=True)
        self._source = source
        self.items: list[T] = []
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.items.extend(itertools.islice(self._source, 1))
        except BaseException as exc:
            self.error = exc
