"""The gnomonic (TAN) projection between the sky and the plane that touches it at a reference point.

Positions are (right ascension, declination) in degrees; plane coordinates are (xi, eta), xi to the east and eta to the
north.  The functions on single positions use the standard library alone, so that light commands start fast.

Source: Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

from novacli.wcs.sphere import wrap_degrees

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_Number = TypeVar("_Number", float, "Floats")
#: Cosines of the largest angles from the reference point that are projected: just under 90 degrees for a single
#: position, 87 degrees for arrays, because larger tangents would dominate a fit.
_LEAST_COSINE, _LEAST_COSINE_OF_ARRAYS = 1e-9, 0.05


def sky_to_plane(ra: float, dec: float, crval: tuple[float, float]) -> tuple[float, float] | None:
    """Project a position onto the plane; degrees.

    Parameters
    ----------
    ra, dec
        The position.
    crval
        The reference point.

    Returns
    -------
    tuple or None
        (xi, eta); None if the position is 90 degrees or more from the reference point.
    """
    delta_ra, delta, dec0 = math.radians(ra - crval[0]), math.radians(dec), math.radians(crval[1])
    x, y = math.cos(delta) * math.cos(delta_ra), math.cos(delta) * math.sin(delta_ra)
    east, north, ahead = _direction_cosines(x, y, math.sin(delta), dec0)
    return (math.degrees(east / ahead), math.degrees(north / ahead)) if ahead >= _LEAST_COSINE else None


def plane_to_sky(xi: float, eta: float, crval: tuple[float, float]) -> tuple[float, float]:
    """Return the position (ra, dec), 0 <= ra < 360, at plane coordinates; all in degrees."""
    xi, eta, dec0 = math.radians(xi), math.radians(eta), math.radians(crval[1])
    away = math.cos(dec0) - eta * math.sin(dec0)
    ra = crval[0] + math.degrees(math.atan2(xi, away))
    dec = math.atan2(math.sin(dec0) + eta * math.cos(dec0), math.hypot(xi, away))
    return wrap_degrees(ra), math.degrees(dec)


def sky_arrays_to_plane(ra: Floats, dec: Floats, crval: tuple[float, float]) -> Floats:
    """Project positions onto the plane.

    Parameters
    ----------
    ra, dec
        Positions, degrees, each of shape (n,).
    crval
        The reference point, degrees.

    Returns
    -------
    array
        (xi, eta) in degrees, shape (2, n); NaN for positions 87 degrees or more from the reference point.
    """
    import numpy as np

    delta_ra, delta = np.radians(ra - crval[0]), np.radians(dec)
    return _project(np.cos(delta) * np.cos(delta_ra), np.cos(delta) * np.sin(delta_ra), np.sin(delta), crval[1])


def directions_to_plane(directions: Floats, crval: tuple[float, float]) -> Floats:
    """Project unit vectors onto the plane.

    Parameters
    ----------
    directions
        Unit vectors in equatorial coordinates, shape (n, 3).
    crval
        The reference point, degrees.

    Returns
    -------
    array
        (xi, eta) in degrees, shape (2, n); NaN for directions 87 degrees or more from the reference point.
    """
    cos, sin = math.cos(math.radians(crval[0])), math.sin(math.radians(crval[0]))
    x, y, z = directions.T
    return _project(x * cos + y * sin, y * cos - x * sin, z, crval[1])


def _project(x: Floats, y: Floats, z: Floats, dec0_deg: float) -> Floats:
    """Return (xi, eta) in degrees of direction vectors turned so that the reference point has right ascension 0."""
    import numpy as np

    east, north, ahead = _direction_cosines(x, y, z, math.radians(dec0_deg))
    return np.degrees(np.stack([east, north]) / np.where(ahead > _LEAST_COSINE_OF_ARRAYS, ahead, np.nan))


def _direction_cosines(x: _Number, y: _Number, z: _Number, dec0: float) -> tuple[_Number, _Number, _Number]:
    """Return the components to the east, to the north and towards the reference point of a direction vector.

    ``x``, ``y``, ``z`` are equatorial, turned so that the reference point has right ascension 0; ``dec0`` is its
    declination in radians.
    """
    sin0, cos0 = math.sin(dec0), math.cos(dec0)
    return y, z * cos0 - x * sin0, z * sin0 + x * cos0
