"""Checks of JSON values that came over the wire: each returns True if a value has the right type and range."""

from __future__ import annotations

import re
from collections.abc import Callable

Predicate = Callable[[object], bool]


def is_integer(value: object) -> bool:
    """Return True for an integer; a JSON boolean is none, though Python's is."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_text(value: object) -> bool:
    """Return True for a string."""
    return isinstance(value, str)


def is_number_below(limit: float) -> Predicate:
    """Return a check for a number of at least 0 and less than ``limit``, which NaN and infinities fail."""
    return lambda v: isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v < limit


def is_number_from(low: float, high: float) -> Predicate:
    """Return a check for a number from ``low`` to ``high``, which NaN and infinities fail."""
    return lambda v: isinstance(v, int | float) and not isinstance(v, bool) and low <= v <= high


def is_integer_from(low: int, high: int = 2**62) -> Predicate:
    """Return a check for an integer from ``low`` to ``high``."""
    return lambda v: is_integer(v) and low <= v <= high  # type: ignore[operator]


def is_match_of(pattern: re.Pattern[str]) -> Predicate:
    """Return a check for a string that matches ``pattern`` from end to end."""
    return lambda v: isinstance(v, str) and pattern.fullmatch(v) is not None


def is_none_or(check: Predicate) -> Predicate:
    """Return a check for null or a value that passes ``check``."""
    return lambda v: v is None or check(v)


def is_list_of(check: Predicate) -> Predicate:
    """Return a check for a list whose items all pass ``check``."""
    return lambda v: isinstance(v, list) and all(map(check, v))


def is_object_of(check: Predicate) -> Predicate:
    """Return a check for a JSON object whose values all pass ``check``."""
    return lambda v: isinstance(v, dict) and all(map(check, v.values()))
