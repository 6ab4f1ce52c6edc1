"""``--ds9``: regions for SAOImage DS9: the outline of the image, its pointing, matched stars and deep-sky objects.

Objects need the extra ``pictures``; without it, they are left out.

A region's angle counts from the west through north, so it is the position angle plus 90 degrees.

Source: SAOImage DS9 Reference Manual, "Regions".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from novacli.errors import UnavailableError
from novacli.exports.registry import Export, SolvedField

if TYPE_CHECKING:
    from novacli.catalog.sky_object import SkyObject
    from novacli.wcs.tansip import TanSip

_HEADER = "# Region file format: DS9 version 4.1\nglobal color=green width=1\nicrs\n"
#: Radius of the circles around matched stars, pixels.
_RADIUS_PX = 6.0


def _write(field: SolvedField, target: Path) -> None:
    from novacli.exports.matched_stars import matched_stars
    from novacli.exports.outline import outline_deg
    from novacli.files.atomic import write_file

    solution = field.solution.tan_sip
    corners = ",".join(f"{ra:.8f},{dec:.8f}" for ra, dec in outline_deg(solution))
    lines = [f"polygon({corners}) # color=cyan text={{field}}", _box(solution)]
    radius = f'{_RADIUS_PX * solution.pixscale_arcsec:.3f}"'
    for star in matched_stars(field):
        lines.append(f"circle({star['ra']:.8f},{star['dec']:.8f},{radius}) # color=orange")
        lines.append("point({:.8f},{:.8f}) # point=x".format(*solution.pixel_to_sky(star["field_x"], star["field_y"])))
    lines += _objects(solution)
    write_file(target, (_HEADER + "\n".join(lines) + "\n").encode())


def _box(solution: TanSip) -> str:
    """Return the field as a rotated rectangle, which can be moved to plan the next exposure."""
    from novacli.wcs.sphere import position_angle_deg

    x, y = solution.center_px
    ra, dec = solution.tan_pixel_to_sky(x, y)
    up_deg = position_angle_deg((ra, dec), solution.tan_pixel_to_sky(x, y + 0.5))
    # The box's height points up at an angle of 0, where up is a position angle of 0.
    width, height = (side * solution.pixscale_arcsec for side in (solution.width, solution.height))
    return f'box({ra:.8f},{dec:.8f},{width:.3f}",{height:.3f}",{up_deg:.6f}) # color=grey dash=1 text={{pointing}}'


def _objects(solution: TanSip) -> list[str]:
    """Return a region for each deep-sky object in the image; none without the catalogue."""
    from novacli.catalog.field import deep_sky_in_field

    try:
        return [_object(found.sky) for found in deep_sky_in_field(solution)]
    except UnavailableError:
        return []


def _object(sky: SkyObject) -> str:
    """Return an ellipse; a circle if the object is round or its orientation is unknown, a diamond without a size."""
    place, text = f"{sky.ra_deg:.8f},{sky.dec_deg:.8f}", f"color=green text={{{sky.label}}}"
    major, minor = sky.major_arcmin, sky.minor_arcmin
    if major is None:
        return f"point({place}) # point=diamond {text}"
    if minor is None or minor == major or sky.position_angle_deg is None:
        # An ellipse of unknown orientation lies within the circle.
        dash = "" if minor is None or minor == major else " dash=1"
        return f'circle({place},{30 * major:.3f}") # {text}{dash}'
    angle = (sky.position_angle_deg + 90) % 360
    return f'ellipse({place},{30 * major:.3f}",{30 * minor:.3f}",{angle:.4f}) # {text}'


EXPORT = Export("ds9", ".reg", "outline, matched stars and objects as DS9 regions", _write)
