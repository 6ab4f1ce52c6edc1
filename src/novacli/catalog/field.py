"""The objects in the field of an image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from novacli.catalog.deep_sky import deep_sky_objects
from novacli.catalog.shapes import ellipse_places
from novacli.catalog.sky_object import FieldObject, Kind, SkyObject
from novacli.catalog.stars import names_by_hip, star_object, stars_at
from novacli.wcs.pixel_arrays import sky_to_pixels
from novacli.wcs.sphere import separation_arcsec
from novacli.wcs.tansip import TanSip

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Fields up to this radius show all Hipparcos stars, wider ones those with a name, a letter or a Flamsteed number.
ALL_STARS_RADIUS_DEG = 2.5
#: Larger objects without a magnitude and without a common name are clouds that no one sees.
_LARGEST_NAMELESS_ARCMIN = 60.0
#: Objects without a magnitude come last.
_FAINTEST = 99.0
#: Each side of the polygon that stands for an ellipse is looked at in this many places.
_PARTS = 20
#: Half the size of the largest object, the Large Magellanic Cloud.
_REACH_DEG = 5.5


def objects_in_field(solution: TanSip, year: float) -> tuple[FieldObject, ...]:
    """Return the objects that an image shows: deep-sky objects, then stars, each the brightest first.

    Parameters
    ----------
    solution
        The solution of the image.
    year
        Julian year when it was taken; stars are moved there by their proper motion.

    Raises
    ------
    UnavailableError
        If the package pyongc, which has the catalogue of deep-sky objects, is not installed.
    """
    return (*deep_sky_in_field(solution), *stars_in_field(solution, year))


def field_radius_deg(solution: TanSip) -> float:
    """Return the largest angle between the centre of an image and its edges, degrees."""
    width, height = solution.width, solution.height
    centre = solution.pixel_to_sky(*solution.center_px)
    edges = [(x * width + 0.5, y * height + 0.5) for x in (0, 0.5, 1) for y in (0, 0.5, 1)]
    return max(separation_arcsec(centre, solution.pixel_to_sky(*edge)) for edge in edges) / 3600


def deep_sky_in_field(solution: TanSip) -> tuple[FieldObject, ...]:
    """Return the deep-sky objects whose place or ellipse is in an image, the brightest first."""
    _, dec = solution.pixel_to_sky(*solution.center_px)
    radius = field_radius_deg(solution) + _REACH_DEG
    known = [found for found in deep_sky_objects(dec - radius, dec + radius) if not _is_faint_cloud(found)]
    x, y = sky_to_pixels(solution, np.array([o.ra_deg for o in known]), np.array([o.dec_deg for o in known]))
    inside = _inside(solution, x, y)
    placed = [FieldObject(o, float(x[n]), float(y[n]), bool(inside[n])) for n, o in enumerate(known) if x[n] == x[n]]
    return _brightest_first(found for found in placed if found.inside or _reaches_in(solution, found))


def stars_in_field(solution: TanSip, year: float) -> tuple[FieldObject, ...]:
    """Return the Hipparcos stars in an image at a Julian year, the brightest first; see ``ALL_STARS_RADIUS_DEG``."""
    radius, (_, dec) = field_radius_deg(solution), solution.pixel_to_sky(*solution.center_px)
    stars = stars_at(year)
    chosen = np.abs(stars.dec_deg - dec) <= radius
    if radius > ALL_STARS_RADIUS_DEG:
        chosen &= np.isin(stars.hip, list(names_by_hip()))
    x, y = np.full((2, len(stars.hip)), np.nan)
    x[chosen], y[chosen] = sky_to_pixels(solution, stars.ra_deg[chosen], stars.dec_deg[chosen])
    rows = np.flatnonzero(_inside(solution, x, y)).tolist()
    return _brightest_first(FieldObject(star_object(stars, n), float(x[n]), float(y[n]), True) for n in rows)


def _brightest_first(objects: Iterable[FieldObject]) -> tuple[FieldObject, ...]:
    return tuple(sorted(objects, key=lambda o: _FAINTEST if o.sky.magnitude is None else o.sky.magnitude))


def _is_faint_cloud(found: SkyObject) -> bool:
    return (
        found.magnitude is None
        and not found.common_names
        and found.kind is not Kind.STAR
        and (found.major_arcmin or 0) > _LARGEST_NAMELESS_ARCMIN
    )


def _inside(solution: TanSip, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        across = (x >= 0.5) & (x <= solution.width + 0.5)
        return np.asarray(across & (y >= 0.5) & (y <= solution.height + 0.5))


def _reaches_in(solution: TanSip, found: FieldObject) -> bool:
    """Return True if the ellipse of an object outside the image reaches into it, or surrounds it."""
    major = found.sky.major_arcmin or 0.0
    beyond_x = max(0.5 - found.x, found.x - solution.width - 0.5, 0.0)
    beyond_y = max(0.5 - found.y, found.y - solution.height - 0.5, 0.0)
    # The scale grows away from the reference point, at most by half in the reach of the largest object.
    if max(beyond_x, beyond_y) * solution.pixscale_arcsec > 1.5 * 60 * major:
        return False
    minor, angle = found.sky.minor_arcmin or major, found.sky.position_angle_deg or 0.0
    ra, dec = ellipse_places(found.sky.ra_deg, found.sky.dec_deg, major / 60, minor / 60, angle)
    x, y = sky_to_pixels(solution, ra, dec)
    steps = np.arange(0, len(x) - 1, 1 / _PARTS)
    rim = np.interp(steps, np.arange(len(x)), x), np.interp(steps, np.arange(len(y)), y)
    return bool(_inside(solution, *rim).any()) or _surrounds(x, y, solution.center_px)


def _surrounds(x: NDArray[np.float64], y: NDArray[np.float64], place: tuple[float, float]) -> bool:
    """Return True if a place is inside a closed polygon: a line from it to the right crosses an odd number of sides."""
    dx, dy = x - place[0], y - place[1]
    crosses = (dy[:-1] > 0) != (dy[1:] > 0)
    x0, y0, x1, y1 = dx[:-1][crosses], dy[:-1][crosses], dx[1:][crosses], dy[1:][crosses]
    return bool(np.count_nonzero(x0 - y0 * (x1 - x0) / (y1 - y0) > 0) % 2)
