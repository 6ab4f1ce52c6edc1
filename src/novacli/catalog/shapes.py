"""Ellipses on the sky."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_POINTS = 72


def offset_places(ra_deg: float, dec_deg: float, east_deg: Floats, north_deg: Floats) -> tuple[Floats, Floats]:
    """Return (ra, dec) in degrees of places at offsets along great circles; right at the poles, too.

    Parameters
    ----------
    ra_deg, dec_deg
        The place that the offsets start from.
    east_deg, north_deg
        Offsets in degrees; their length is the angle from the place.
    """
    angle = np.radians(np.hypot(east_deg, north_deg))
    turn = np.arctan2(east_deg, north_deg)
    sin0, cos0 = math.sin(math.radians(dec_deg)), math.cos(math.radians(dec_deg))
    sin_dec = sin0 * np.cos(angle) + cos0 * np.sin(angle) * np.cos(turn)
    east = np.sin(turn) * np.sin(angle)
    north = cos0 * np.cos(angle) - sin0 * np.sin(angle) * np.cos(turn)
    ra = ra_deg + np.degrees(np.arctan2(east, north))
    dec = np.degrees(np.arctan2(sin_dec, np.hypot(east, north)))
    return ra % 360, dec


def ellipse_places(
    ra_deg: float, dec_deg: float, major_deg: float, minor_deg: float, position_angle_deg: float
) -> tuple[Floats, Floats]:
    """Return (ra, dec) in degrees of the points of an ellipse, the last one equal to the first.

    Parameters
    ----------
    ra_deg, dec_deg
        Its centre.
    major_deg, minor_deg
        Its axes, from end to end.
    position_angle_deg
        Direction of the major axis, degrees east of north.
    """
    phase = np.linspace(0, 2 * math.pi, _POINTS + 1)
    along, across = major_deg / 2 * np.cos(phase), minor_deg / 2 * np.sin(phase)
    sin, cos = math.sin(math.radians(position_angle_deg)), math.cos(math.radians(position_angle_deg))
    return offset_places(ra_deg, dec_deg, along * sin + across * cos, along * cos - across * sin)
