"""Header values as plain Python, and recognition of a camera's colour mosaic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from novacli.records.field import HeaderValue

#: Keywords of free text, which give no hints and may be repeated.
_FREE_TEXT = frozenset({"", "COMMENT", "HISTORY", "CONTINUE"})
#: Keywords for the pattern of a mosaic: BAYERPAT and COLORTYP (SBFITSEXT, INDI, N.I.N.A., MaxIm DL), CFATYPE;
#: POCS names the pattern in FILTER.
_PATTERN_KEYS = ("BAYERPAT", "COLORTYP", "CFATYPE", "CFA_PAT", "FILTER")
_PATTERN_LETTERS = frozenset("RGBCMYW")


def plain(pairs: Iterable[tuple[Any, Any]]) -> dict[str, HeaderValue]:
    """Return the pairs whose value is a string, a number or a truth value; the first of each key."""
    header: dict[str, HeaderValue] = {}
    for key, value in pairs:
        name = str(key).strip()
        number = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
        if name not in _FREE_TEXT and isinstance(number, str | int | float | bool):
            header.setdefault(name, number)
    return header


def is_mosaic(header: Mapping[str, HeaderValue]) -> bool:
    """Return True if a header names a 2×2 colour pattern, such as ``RGGB``."""
    return any(_is_pattern(header.get(key)) for key in _PATTERN_KEYS)


def _is_pattern(value: HeaderValue | None) -> bool:
    if not isinstance(value, str):
        return False
    letters = value.strip().upper()
    return len(letters) == 4 and set(letters) <= _PATTERN_LETTERS and len(set(letters)) >= 3
