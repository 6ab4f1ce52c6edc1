"""Check JSON values as they are read, since a file may be damaged or written by another version."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


class JsonFields:
    """The values of a JSON object, checked as they are taken; a null counts as missing.

    Every method raises ``ValueError`` if the value has the wrong type, is out of range, or is missing where it is
    required; the message names the key.
    """

    def __init__(self, value: object, name: str = "it") -> None:
        if not isinstance(value, dict):
            raise ValueError(f"{name} is not a JSON object")
        self._value = value
        self._name = name

    def has(self, key: str) -> bool:
        """Return True if the key is there and not null."""
        return self._value.get(key) is not None

    def text(self, key: str) -> str:
        """Return a string."""
        value = self._value.get(key)
        if not isinstance(value, str):
            raise self._wrong(key, "a string")
        return value

    def flag(self, key: str) -> bool:
        """Return true or false."""
        value = self._value.get(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def number(self, key: str, low: float = -math.inf, high: float = math.inf) -> float:
        """Return a finite number from ``low`` to ``high``."""
        value = self._value.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, "a number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not (math.isfinite(number) and low <= number <= high):
            raise self._wrong(key, f"a number from {low:g} to {high:g}")
        return number

    def whole(self, key: str, low: int, high: int = 2**53) -> int:
        """Return a whole number from ``low`` to ``high``."""
        value = self._value.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._wrong(key, f"a whole number from {low} to {high}")
        return value

    def optional_whole(self, key: str) -> int | None:
        """Return a whole number of at most 16 digits, None if it is missing."""
        return self.whole(key, -(2**53)) if self.has(key) else None

    def check_known(self, keys: Iterable[str]) -> None:
        """Raise if there is a key that is not one of ``keys``."""
        unknown = sorted(map(str, self._value.keys() - set(keys)))
        if unknown:
            raise ValueError(f"{self._name} has an unknown key {unknown[0]!r:.40}")

    def part(self, key: str) -> JsonFields:
        """Return a JSON object within this one."""
        return JsonFields(self._value.get(key), f"{self._name}.{key}" if self._name != "it" else key)

    def each(self, key: str, parse: Callable[[object], T]) -> tuple[T, ...]:
        """Return a list whose items ``parse`` accepts, as a tuple; an empty one if the key is missing."""
        value = self._value.get(key)
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            raise self._wrong(key, "a list")
        return tuple(parse(item) for item in value)

    def each_sound(self, key: str, parse: Callable[[object], T]) -> tuple[T, ...]:
        """Return those items of a list that ``parse`` accepts; an empty tuple if the value is no list."""
        value = self._value.get(key)
        found: list[T] = []
        for item in value if isinstance(value, list | tuple) else ():
            with contextlib.suppress(ValueError):
                found.append(parse(item))
        return tuple(found)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings as a tuple."""
        return self.each(key, as_text)

    def optional(self, read: Callable[[str], T], key: str) -> T | None:
        """Return what ``read`` (a method of this object) returns for a key; None if it is missing."""
        return read(key) if self.has(key) else None

    def or_else(self, read: Callable[[str], T], key: str, otherwise: T) -> T:
        """Return what ``read`` returns for a key; ``otherwise`` if the value is missing or wrong."""
        try:
            return read(key) if self.has(key) else otherwise
        except ValueError:
            return otherwise

    def _wrong(self, key: str, wanted: str) -> ValueError:
        where = "" if self._name == "it" else f"{self._name}."
        return ValueError(f"{where}{key} is not {wanted}" if self.has(key) else f"{where}{key} is missing")


def as_text(value: object) -> str:
    """Return a value that is a string; raise ``ValueError`` otherwise."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.40} is not a string")
    return value
