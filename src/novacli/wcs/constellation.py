"""The constellation at a position on the sky; ``nova submit`` prints it.

This module imports neither numpy nor astropy: importing astropy for one word would take longer than the whole report.
"""

from __future__ import annotations

import math

from novacli.wcs.roman1987 import BOUNDARIES, NAMES
from novacli.wcs.sphere import wrap_degrees

# Delporte drew the boundaries along circles of right ascension and declination of B1875.0 (JD 2405889.25855).  This is
# the IAU 2006 precession from J2000.0 to that date, from ERFA's eraBp06 (its matrix "rp"; the frame bias, 0.02", and
# the difference between the FK4 and FK5 equinoxes, about 1", are left out).
_J2000_TO_B1875 = (
    (0.9995359270, 0.0279353071, 0.0121469820),
    (-0.0279353057, 0.9996097188, -0.0001698236),
    (-0.0121469853, -0.0001695849, 0.9999262083),
)


def constellation_at(ra_deg: float, dec_deg: float) -> tuple[str, str] | None:
    """Return the constellation at a position as (IAU abbreviation, full name).

    Parameters
    ----------
    ra_deg, dec_deg
        ICRS right ascension and declination, degrees.

    Returns
    -------
    tuple or None
        ``("UMa", "Ursa Major")``; None if the position is not finite.

    Source: Roman, N. G. 1987, PASP 99, 695.
    """
    ra_hours, dec_b1875_deg = _precess_to_b1875(ra_deg, dec_deg)
    for ra_low, ra_high, dec_low, abbreviation in BOUNDARIES:
        if ra_low <= ra_hours < ra_high and dec_low <= dec_b1875_deg:
            return abbreviation, NAMES[abbreviation]
    return None


def _precess_to_b1875(ra_deg: float, dec_deg: float) -> tuple[float, float]:
    """Return (right ascension in hours, declination in degrees), equator and equinox of B1875.0."""
    if not (math.isfinite(ra_deg) and math.isfinite(dec_deg)):
        return math.nan, math.nan
    ra, dec = math.radians(ra_deg), math.radians(dec_deg)
    direction = (math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec))
    x, y, z = (sum(m * d for m, d in zip(row, direction, strict=True)) for row in _J2000_TO_B1875)
    return wrap_degrees(math.degrees(math.atan2(y, x))) / 15, math.degrees(math.atan2(z, math.hypot(x, y)))
