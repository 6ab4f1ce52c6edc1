"""Angles on the sky."""

from __future__ import annotations

import math
from collections.abc import Sequence


def separation_deg(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the angle between two places (RA and Dec in degrees); exact for small ones and for large ones.

    Source: the haversine formula.
    """
    ra_1, dec_1, ra_2, dec_2 = map(math.radians, (*one, *other))
    half = math.sin((dec_2 - dec_1) / 2) ** 2 + math.cos(dec_1) * math.cos(dec_2) * math.sin((ra_2 - ra_1) / 2) ** 2
    return math.degrees(2 * math.asin(math.sqrt(min(half, 1.0))))
