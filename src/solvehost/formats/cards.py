"""The primary header of a stranger's axy, read card by card; which cards there are is told in ``axy.py``."""

from __future__ import annotations

import math
from collections.abc import Container

from solvehost.errors import DataError
from solvehost.formats import fitsfile


class Cards:
    """A header, read card by card with a range for each; remembers which cards were used.

    Every reader raises DataError, naming the card, where it is malformed or out of range.
    """

    def __init__(self, header: fitsfile.Header) -> None:
        self._header = header
        self._used: set[str] = set()

    def _value(self, keyword: str) -> fitsfile.CardValue | None:
        self._used.add(keyword)
        if keyword in self._header.unreadable:
            raise DataError(f"axy card {keyword} has no value that can be read")
        return self._header.get(keyword)

    def real(self, keyword: str, low: float, high: float) -> float | None:
        """Return a number within a range, None where there is no such card."""
        value = self._value(keyword)
        if value is None:
            return None
        if isinstance(value, bool | str) or not math.isfinite(value) or not low <= value <= high:
            raise DataError(f"axy card {keyword} is {value!r}: expected a number from {low:g} to {high:g}")
        return float(value)

    def whole(self, keyword: str, low: int, high: int) -> int | None:
        """Return a whole number within a range, None where there is no such card."""
        value = self.real(keyword, low, high)
        if value is None:
            return None
        if value != int(value):
            raise DataError(f"axy card {keyword} is {value!r}: expected a whole number")
        return int(value)

    def flag(self, keyword: str) -> bool | None:
        """Return T or F, None where there is no such card."""
        value = self._value(keyword)
        if value is None or isinstance(value, bool):
            return value
        raise DataError(f"axy card {keyword} is {value!r}: expected T or F")

    def word(self, keyword: str, length: int) -> str:
        """Return printable ASCII of at most so many characters, empty where there is no such card."""
        value = self._value(keyword)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > length or not (value.isascii() and value.isprintable()):
            raise DataError(f"axy card {keyword} is no short plain text")
        return value

    def unused(self, known: Container[str]) -> tuple[str, ...]:
        """Return the keywords that nobody asked for and that are not ``known``."""
        names = (*self._header, *sorted(self._header.unreadable))
        # A stranger's keyword may hold control characters, and ends on somebody's terminal.
        return tuple(ascii(k)[1:-1] for k in names if k not in self._used and k not in known)
