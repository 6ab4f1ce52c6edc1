"""The part of the sky that an index file covers: HEALPix geometry, as much as choosing files needs.

A series of index files with one tile each (``index-5201-00`` … ``-47``) covers the sky in 12 × nside² equal areas.  The
number of a tile is base × nside² + x × nside + y, x counted north-eastwards and y north-westwards within one of the 12
base tiles (upstream's order, neither RING nor NESTED).  Geometry: Górski et al. 2005, ApJ 622, 759, section 4.
"""

from __future__ import annotations

import functools
import math

from solvehost.indexes.sphere import separation_deg
from solvehost.record import record

_QUARTER = math.pi / 4
#: Points on each edge at which the radius of a tile is measured; its corners are farthest out in most tiles.
_STEPS = 8
#: Index files hold stars from a margin around their tile, as wide as their fine grid; it covers rounding as well.
_MARGIN_DEG = 0.5


@record
class Cap:
    """A circle on the sky, in degrees, that contains a tile."""

    ra_deg: float
    dec_deg: float
    radius_deg: float


@functools.cache
def cap(tile: int, nside: int) -> Cap | None:
    """Return a circle around a tile, None if there is no such tile."""
    if nside < 1 or not 0 <= tile < 12 * nside**2:
        return None
    base, rest = divmod(tile, nside**2)
    x, y = divmod(rest, nside)
    middle = _sky_deg(base, (x + 0.5) / nside, (y + 0.5) / nside)
    steps = [n / _STEPS for n in range(_STEPS + 1)]
    edge = [(x + a, y + b) for n in steps for a, b in ((n, 0.0), (n, 1.0), (0.0, n), (1.0, n))]
    radius_deg = max(separation_deg(middle, _sky_deg(base, u / nside, v / nside)) for u, v in edge)
    return Cap(*middle, radius_deg + _MARGIN_DEG)


def may_overlap(tile: int, nside: int, center_deg: tuple[float, float], radius_deg: float) -> bool:
    """Return True if a tile may overlap a circle on the sky, and if there is no such tile.

    Parameters
    ----------
    tile, nside
        Number of the tile in upstream's order, and the resolution of the tiles.
    center_deg
        RA and Dec of the circle's centre.
    radius_deg
        The circle's radius.
    """
    around = cap(tile, nside)
    if around is None:
        return True
    return separation_deg(center_deg, (around.ra_deg, around.dec_deg)) <= radius_deg + around.radius_deg


def _sky_deg(base: int, x: float, y: float) -> tuple[float, float]:
    """Return RA and Dec of a point of a base tile; x and y run from 0 at its southern corner to 1."""
    row, column = divmod(base, 4)  # rows 0, 1, 2: northern, equatorial, southern base tiles
    along = _QUARTER * (2 * column + (0 if row == 1 else 1)) + _QUARTER * (x - y)
    up = _QUARTER * (1 - row + x + y - 1)
    if abs(up) <= _QUARTER:
        z = 8 * up / (3 * math.pi)
    else:
        from_pole = max(0.0, 2 - abs(up) / _QUARTER)
        z = math.copysign(1 - from_pole**2 / 3, up)
        axis = _QUARTER * (2 * column + 1)
        along = axis + (along - axis) / from_pole if from_pole > 0 else axis
    return math.degrees(along) % 360, math.degrees(math.asin(max(-1.0, min(1.0, z))))
