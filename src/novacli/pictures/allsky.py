"""A map of the whole sky in Hammer's projection, east to the left, and galactic coordinates.

Source: Calabretta & Greisen 2002, A&A 395, 1077, section 5.2.4 (Hammer-Aitoff); for the galactic pole, Hipparcos
Catalogue, volume 1, section 1.5.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from novacli.pictures.canvas import FAINT, Canvas

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MARGIN = 0.02
#: Right ascension and declination of the galactic north pole, and galactic longitude of the celestial one; degrees.
_POLE_RA, _POLE_DEC, _NODE = 192.85948, 27.12825, 122.93192


class HammerMap:
    """A map whose middle is at a right ascension (degrees) on the equator, in a picture of a size in pixels."""

    def __init__(self, ra0: float, width: int, height: int) -> None:
        self.ra0, self.width, self.height = ra0, width, height
        self._radius = min(width * (0.5 - _MARGIN) / 2, height * (0.5 - _MARGIN))

    def places(self, ra: Floats, dec: Floats) -> Floats:
        """Return the picture coordinates of positions in degrees, shape (n, 2)."""
        return self._project(np.radians((ra - self.ra0 + 180) % 360 - 180), np.radians(dec))

    def _project(self, lon: Floats, lat: Floats) -> Floats:
        gamma = np.sqrt(1 + np.cos(lat) * np.cos(lon / 2))
        x, y = 2 * np.cos(lat) * np.sin(lon / 2) / gamma, np.sin(lat) / gamma
        return np.stack([self.width / 2 - self._radius * x, self.height / 2 - self._radius * y], axis=-1)

    def rim(self) -> Floats:
        """Return the outline of the map in picture coordinates."""
        lat = np.radians(np.concatenate([np.linspace(-90, 90, 181), np.linspace(90, -90, 181)]))
        lon = np.repeat([np.pi, -np.pi], 181)
        return self._project(lon, lat)

    def draw(self, canvas: Canvas, ra: Floats, dec: Floats, style: str) -> None:
        """Draw a line through positions; it is broken where it crosses the seam of the map."""
        points = self.places(np.asarray(ra, float), np.asarray(dec, float))
        jumps = np.flatnonzero(np.abs(np.diff(points[:, 0])) > self.width / 4) + 1
        for part in np.split(points, jumps):
            if len(part) > 1:
                canvas.polyline(part, style, FAINT)


def galactic_to_equatorial(longitude: Floats, latitude: Floats) -> tuple[Floats, Floats]:
    """Return (RA, Dec) in degrees (J2000) of galactic coordinates in degrees."""
    lon, lat, pole = np.radians(_NODE - longitude), np.radians(latitude), np.radians(_POLE_DEC)
    sin_dec = np.sin(pole) * np.sin(lat) + np.cos(pole) * np.cos(lat) * np.cos(lon)
    east = np.cos(lat) * np.sin(lon)
    north = np.cos(pole) * np.sin(lat) - np.sin(pole) * np.cos(lat) * np.cos(lon)
    return (_POLE_RA + np.degrees(np.arctan2(east, north))) % 360, np.degrees(np.arcsin(sin_dec))
