"""The map of the frames on the sky: SVG, Aitoff projection, right ascension increasing to the left."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator

#: Half the width of the map in its own units; the height is half the width.
_HALF_WIDTH = 360.0
_MARGIN = 4.0
#: Frames closer together than this share a dot, so that the map's size stays bounded for any number of frames.
_DOT_UNITS = 2
#: Diameters of dots: (smallest number of frames, diameter).
SIZES = ((1, 4.0), (10, 6.0), (100, 9.0))
_STEP_DEG = 3


def aitoff(ra_deg: float, dec_deg: float) -> tuple[float, float]:
    """Project a position onto the map, with right ascension 0h at the centre.

    Parameters
    ----------
    ra_deg, dec_deg
        The position, degrees.

    Returns
    -------
    tuple
        x to the right from -1 to 1, y up from -0.5 to 0.5.

    Source: Snyder (1987), Map Projections: A Working Manual, and Calabretta & Greisen (2002), section 5.
    """
    half_lon = math.radians((ra_deg + 180) % 360 - 180) / 2
    lat = math.radians(dec_deg)
    away = math.acos(max(-1.0, min(1.0, math.cos(lat) * math.cos(half_lon))))
    stretch = 1.0 if away == 0 else away / math.sin(away)
    return -2 * stretch * math.cos(lat) * math.sin(half_lon) / math.pi, stretch * math.sin(lat) / math.pi


class Sky:
    """Collects the centres of frames and draws the map."""

    def __init__(self) -> None:
        self._dots: Counter[tuple[int, int]] = Counter()

    def add(self, ra_deg: float, dec_deg: float) -> None:
        """Add the centre of a frame, degrees."""
        x, y = _place(ra_deg, dec_deg)
        self._dots[round(x / _DOT_UNITS), round(y / _DOT_UNITS)] += 1

    @property
    def count(self) -> int:
        """Number of frames on the map."""
        return self._dots.total()

    def svg(self) -> Iterator[str]:
        """Yield the lines of the SVG image; the page's style sheet colours the classes grid, dots and label."""
        wide, high = _HALF_WIDTH + _MARGIN, _HALF_WIDTH / 2 + _MARGIN
        yield (
            f'<svg class="sky" viewBox="{-wide:g} {-high:g} {2 * wide:g} {2 * high:g}" role="img" '
            f'aria-label="The whole sky with the centres of {self.count} frames">'
        )
        yield f'<path class="grid" d="{"".join(_grid())}"/>'
        for number, (least, width) in enumerate(SIZES):
            below = SIZES[number + 1][0] if number + 1 < len(SIZES) else math.inf
            dots = [dot for dot, frames in sorted(self._dots.items()) if least <= frames < below]
            if dots:
                drawn = "".join(f"M{x * _DOT_UNITS} {y * _DOT_UNITS}h0" for x, y in dots)
                yield f'<path class="dots" stroke-width="{width:g}" d="{drawn}"/>'
        for hours in range(-8, 12, 4):
            x, y = _place(hours * 15, 0)
            yield f'<text class="label" x="{x:.0f}" y="{y - 3:.0f}">{hours % 24}h</text>'
        for dec in (-60, -30, 30, 60):
            x, y = _place(0, dec)
            yield f'<text class="label" x="{x:.0f}" y="{y - 3:.0f}">{dec:+d}°</text>'
        yield "</svg>"


def _place(ra_deg: float, dec_deg: float) -> tuple[float, float]:
    """Return a position's place on the map in its own units, y down."""
    x, y = aitoff(ra_deg, dec_deg)
    return x * _HALF_WIDTH, -y * _HALF_WIDTH


def _grid() -> Iterator[str]:
    """Yield lines of equal right ascension every 2 hours, including both edges, and of equal declination every 30°."""
    edge = 180 - 1e-9
    decs = range(-90, 91, _STEP_DEG)
    for lon in (-edge, *range(-150, 180, 30), edge):
        yield _line((lon, dec) for dec in decs)
    for dec in (-60, -30, 0, 30, 60):
        yield _line((max(-edge, min(edge, lon)), dec) for lon in range(-180, 181, _STEP_DEG))


def _line(places: Iterable[tuple[float, float]]) -> str:
    points = (_place(lon, dec) for lon, dec in places)
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
