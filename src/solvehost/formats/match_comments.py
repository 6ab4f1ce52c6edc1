"""What the engine says of its match in the COMMENT cards of ``wcs.fits``: lines ``name: number``, prose for people.

An engine, or a server, may have written anything there: whatever cannot be understood is left unsaid, never an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

INDEX_ID, INDEX_HEALPIX, LOG_ODDS, MATCHED = "index id", "index healpix", "log odds", "nmatch"
#: No number of an index file or of stars is larger.
_MOST = 2**31


def number(comments: Iterable[str], name: str) -> float | None:
    """Return the number in the first comment ``name: …``; None where there is none that is finite."""
    for text in comments:
        found, _, value = text.strip().partition(":")
        if found == name:
            return _finite(value)
    return None


def whole(comments: Iterable[str], name: str) -> int | None:
    """Return the whole number in the first comment ``name: …``; None where there is none."""
    value = number(comments, name)
    return int(value) if value is not None and abs(value) < _MOST and value == int(value) else None


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
