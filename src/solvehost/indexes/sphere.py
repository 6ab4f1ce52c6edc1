"""Angles on the sky."""

from __future__ import annotations

import math
from collections.abc import Sequence


def separation_deg(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the angle between two positions, in degrees; accurate for small angles and for antipodes.

    Parameters
    ----------
    one, other
        RA and Dec in degrees.

    Notes
    -----
    Source: Vincenty's formula, on a sphere.
    """
    ra_1, dec_1, ra_2, dec_2 = map(math.radians, (*one, *other))
    east = math.cos(dec_2) * math.sin(ra_2 - ra_1)
    north = math.cos(dec_1) * math.sin(dec_2) - math.sin(dec_1) * math.cos(dec_2) * math.cos(ra_2 - ra_1)
    along = math.sin(dec_1) * math.sin(dec_2) + math.cos(dec_1) * math.cos(dec_2) * math.cos(ra_2 - ra_1)
    return math.degrees(math.atan2(math.hypot(east, north), along))
