"""The outline of an image on the sky, distortion included, for formats that describe footprints."""

from __future__ import annotations

from novacli.wcs.tansip import TanSip

#: Points on each side; four corners are too few for a wide or distorted field.
_POINTS_A_SIDE = 12


def outline_deg(solution: TanSip) -> list[tuple[float, float]]:
    """Return (RA, Dec) in degrees of points along the outer edges of the image's pixels.

    The points run counter-clockwise as seen on the sky with north up and east to the left.
    """
    left, bottom, right, top = 0.5, 0.5, solution.width + 0.5, solution.height + 0.5
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    if solution.det_cd > 0:
        corners.reverse()
    steps = [n / _POINTS_A_SIDE for n in range(_POINTS_A_SIDE)]
    sides = zip(corners, corners[1:] + corners[:1], strict=True)
    pixels = [(x0 + s * (x1 - x0), y0 + s * (y1 - y0)) for (x0, y0), (x1, y1) in sides for s in steps]
    return [solution.pixel_to_sky(x, y) for x, y in pixels]
