"""Angles and directions on the sky; positions are (right ascension, declination) in degrees."""

from __future__ import annotations

import math

from solvehost.indexes.sphere import separation_deg


def wrap_degrees(angle: float) -> float:
    """Return ``angle`` in 0 <= angle < 360."""
    wrapped = angle % 360
    # A tiny negative angle rounds to exactly 360.
    return 0.0 if wrapped == 360 else wrapped


def separation_arcsec(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Return the angle between two positions, arcsec; accurate for small and for large angles."""
    return 3600 * separation_deg(first, second)


def position_angle_deg(start: tuple[float, float], end: tuple[float, float]) -> float:
    """Return the direction from ``start`` to ``end`` in degrees east of north, 0 <= angle < 360."""
    ra1, dec1, ra2, dec2 = (math.radians(v) for v in (*start, *end))
    east = math.sin(ra2 - ra1) * math.cos(dec2)
    # Sines of differences lose no digits between neighbouring pixels.
    turn = 2 * math.sin((ra2 - ra1) / 2) ** 2
    north = math.sin(dec2 - dec1) + math.sin(dec1) * math.cos(dec2) * turn
    return wrap_degrees(math.degrees(math.atan2(east, north)))
