"""Reading the primary header of an axy that comes from outside, card by card; ``axy.py`` says which cards there are."""

from __future__ import annotations

import math
from collections.abc import Container

from solvehost.errors import DataError
from solvehost.formats import fitsfile


class AxyCards:
    """The primary header of an axy; each card is read with its allowed range, and counts as used from then on.

    Every reader raises DataError, naming the card, if it is malformed or out of range.
    """

    def __init__(self, header: fitsfile.Header) -> None:
        self._header = header
        self._used: set[str] = set()

    def _value(self, keyword: str) -> fitsfile.CardValue | None:
        self._used.add(keyword)
        if self._header.is_unreadable(keyword):
            raise DataError(f"axy card {keyword} has a value that cannot be read")
        return self._header.get(keyword)

    def real(self, keyword: str, low: float, high: float) -> float | None:
        """Return a number from ``low`` to ``high``, None if the card is missing."""
        value = self._value(keyword)
        if value is None:
            return None
        if isinstance(value, bool | str) or not math.isfinite(value) or not low <= value <= high:
            raise DataError(f"axy card {keyword} is {value!r}: expected a number from {low:g} to {high:g}")
        return float(value)

    def whole(self, keyword: str, low: int, high: int) -> int | None:
        """Return a whole number from ``low`` to ``high``, None if the card is missing."""
        value = self.real(keyword, low, high)
        if value is None:
            return None
        if value != int(value):
            raise DataError(f"axy card {keyword} is {value!r}: expected a whole number")
        return int(value)

    def flag(self, keyword: str) -> bool | None:
        """Return True for T and False for F, None if the card is missing."""
        value = self._value(keyword)
        if value is None or isinstance(value, bool):
            return value
        raise DataError(f"axy card {keyword} is {value!r}: expected T or F")

    def word(self, keyword: str, length: int) -> str:
        """Return printable ASCII of at most ``length`` characters, an empty text if the card is missing."""
        value = self._value(keyword)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > length or not (value.isascii() and value.isprintable()):
            raise DataError(f"axy card {keyword} is not printable ASCII of at most {length} characters")
        return value

    def unused(self, known: Container[str]) -> tuple[str, ...]:
        """Return the keywords that were not read and are not ``known``.

        Keywords from outside may contain control characters: escape them before printing.
        """
        names = (*self._header, *sorted(self._header.unreadable))
        return tuple(name for name in names if name not in self._used and name not in known)
