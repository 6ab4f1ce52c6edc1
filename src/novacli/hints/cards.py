"""A header read with remarks: what is there but of no use ends up in ``notes`` rather than in an exception."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping

from novacli.records.field import HeaderValue

_NUMBER_AND_UNIT = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?)\s*(.*?)\s*", re.ASCII | re.DOTALL)


class Cards:
    """The keywords of one header, and the remarks that reading them gave rise to."""

    def __init__(self, header: Mapping[str, HeaderValue]) -> None:
        self._header = header
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """The remarks so far, each once."""
        return tuple(self._notes)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self._header

    def ignore(self, what: str, reason: str) -> None:
        """Note that ``what`` was left aside, and why."""
        self._notes[f"{what} in the header {reason}: ignored"] = None

    def value(self, keyword: str) -> HeaderValue | None:
        """Return a value as it stands; None where there is none."""
        return self._header.get(keyword)

    def is_empty(self, keyword: str) -> bool:
        """Tell whether a keyword is absent, without a value, or blank."""
        value = self._header.get(keyword)
        return value is None or isinstance(value, bool) or (isinstance(value, str) and not value.strip())

    def text(self, keyword: str) -> str:
        """Return a string, stripped; empty where the keyword is absent or its value is no string."""
        value = self._header.get(keyword)
        return value.strip() if isinstance(value, str) else ""

    def number(self, keyword: str, units: Collection[str] = ()) -> float | None:
        """Return a finite number, None where there is none; a string may hold one, followed by one of ``units``."""
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
        """Return a number above zero, None where there is none; a number that is not is noted."""
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
