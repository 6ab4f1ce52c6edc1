"""The engine's remarks about its match, in the COMMENT cards of ``wcs.fits``: lines ``name: number`` between prose.

The text may come from a server, so it may contain anything: a remark that cannot be parsed is ignored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

INDEX_ID, INDEX_HEALPIX, LOG_ODDS, MATCHED = "index id", "index healpix", "log odds", "nmatch"
#: Ids of index files and numbers of stars are below this.
_MAX_WHOLE = 2**31


def number(comments: Iterable[str], name: str) -> float | None:
    """Return the number in the first comment ``name: …``; None if there is no such comment or no finite number."""
    for text in comments:
        found, _, value = text.strip().partition(":")
        if found == name:
            return _finite(value)
    return None


def whole(comments: Iterable[str], name: str) -> int | None:
    """Return the whole number in the first comment ``name: …``; None if there is none."""
    value = number(comments, name)
    return int(value) if value is not None and abs(value) < _MAX_WHOLE and value == int(value) else None


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
