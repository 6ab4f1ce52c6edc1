"""Read values of a header; a value that cannot be used becomes a note instead of an exception."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping

from novacli.records.field import HeaderValue

_NUMBER_AND_UNIT = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?)\s*(.*?)\s*", re.ASCII | re.DOTALL)


class Cards:
    """The keywords of one header, and notes on values that were ignored."""

    def __init__(self, header: Mapping[str, HeaderValue]) -> None:
        self._header = header
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes so far, each once."""
        return tuple(self._notes)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self._header

    def ignore(self, what: str, reason: str) -> None:
        """Note that ``what`` was ignored because it ``reason``, such as "is not in degrees"."""
        self._notes[f"{what} in the header {reason}: ignored"] = None

    def value(self, keyword: str) -> HeaderValue | None:
        """Return a value as it stands; None if the keyword is absent."""
        return self._header.get(keyword)

    def is_empty(self, keyword: str) -> bool:
        """Return True if a keyword is absent, has no value, or is blank."""
        value = self._header.get(keyword)
        return value is None or isinstance(value, bool) or (isinstance(value, str) and not value.strip())

    def text(self, keyword: str) -> str:
        """Return a stripped string; an empty one if the keyword is absent or its value is not a string."""
        value = self._header.get(keyword)
        return value.strip() if isinstance(value, str) else ""

    def number(self, keyword: str, units: Collection[str] = ()) -> float | None:
        """Return a finite number, also from a string such as ``"0.53 arcsec"`` with one of ``units``; else None."""
        value = self._header.get(keyword)
        if isinstance(value, str):
            match = _NUMBER_AND_UNIT.fullmatch(value)
            if match is None or (match[2] and match[2].lower() not in units):
                return None
            # FITS allows the exponent letter D, which Fortran wrote.
            value = match[1].upper().replace("D", "E")
        elif isinstance(value, bool) or value is None:
            return None
        number = _to_float(value)
        if not math.isfinite(number):
            self.ignore(f"{keyword} = {number}", "is not a finite number")
            return None
        return number

    def positive(self, keyword: str, units: Collection[str] = ()) -> float | None:
        """Return a number above zero, else None; a number that is not above zero is noted."""
        number = self.number(keyword, units)
        if number is not None and number <= 0:
            self.ignore(f"{keyword} = {number:g}", "is not above zero")
            return None
        return number


def _to_float(value: str | int | float) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        return math.inf
