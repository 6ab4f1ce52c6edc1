"""``sky``: where the image is on the whole sky, with constellations, bright stars and the band of the Milky Way."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from novacli.pictures.registry import Picture, Subject

if TYPE_CHECKING:
    from novacli.pictures.allsky import HammerMap
    from novacli.pictures.canvas import Canvas

#: Stars up to this magnitude are drawn; the brightest dot has this radius.
_FAINTEST, _DOT = 4.3, 4.6
#: The Milky Way is drawn as a band of these galactic latitudes.
_BAND_DEG = (-9.0, 9.0)
#: A smaller outline gets a ring around it.
_LEAST_OUTLINE = 18.0
_NAME_SIZE, _PLACE_SIZE = 13.0, 18.0


def _draw(subject: Subject, canvas: Canvas) -> None:
    import numpy as np

    from novacli.exports.outline import outline_deg
    from novacli.pictures.allsky import HammerMap, galactic_to_equatorial
    from novacli.pictures.graticule import dec_text, ra_text

    ra0, dec0 = subject.viewport.centre
    chart = HammerMap(ra0, canvas.width, canvas.height)
    every = np.linspace(-180, 180, 361)
    canvas.polyline(chart.rim(), "frame", 0)
    for dec in (-60.0, -30.0, 0.0, 30.0, 60.0):
        chart.draw(canvas, ra0 + every, np.full_like(every, dec), "grid")
    for hour in range(0, 24, 2):
        chart.draw(canvas, np.full(181, 15.0 * hour), np.linspace(-90, 90, 181), "grid")
    for latitude in _BAND_DEG:
        chart.draw(canvas, *galactic_to_equatorial(every, np.full_like(every, latitude)), "milkyway")
    _draw_constellations(chart, canvas)
    _draw_stars(chart, canvas, subject.year)
    outline = np.array(outline_deg(subject.viewport.solution))
    closed = np.vstack([outline, outline[:1]])
    chart.draw(canvas, closed[:, 0], closed[:, 1], "outline")
    x, y = chart.places(np.array([ra0]), np.array([dec0]))[0].tolist()
    spread = np.nanmax(np.abs(chart.places(outline[:, 0], outline[:, 1]) - [x, y]))
    if spread < _LEAST_OUTLINE * canvas.unit:
        canvas.circle(x, y, _LEAST_OUTLINE * canvas.unit, "outline")
    place = f"{ra_text(ra0, 10)} {dec_text(dec0, 1 / 60)}"
    radius = max(spread, _LEAST_OUTLINE * canvas.unit)
    canvas.request_label((x, y, float(radius)), place, "outline", _PLACE_SIZE, -math.inf)


def _draw_constellations(chart: HammerMap, canvas: Canvas) -> None:
    import numpy as np

    from novacli.catalog.lines import constellation_lines
    from novacli.pictures.figures import segment_places
    from novacli.wcs.roman1987 import NAMES

    for segment in segment_places():
        chart.draw(canvas, segment[:, 0], segment[:, 1], "constellation")
    corners: dict[str, list[tuple[float, float]]] = {}
    for line in constellation_lines():
        corners.setdefault(line.constellation, []).extend(line.places)
    for name, places in corners.items():
        points = chart.places(*np.array(places).T)
        # A constellation at the seam of the map has its label on the side that holds more of it.
        side = points[points[:, 0] > chart.width / 2] if np.ptp(points[:, 0]) > chart.width / 2 else points
        middle = np.median(side, axis=0)
        mark = (float(middle[0]), float(middle[1]), 0.0)
        canvas.request_label(mark, NAMES[name], "grid", _NAME_SIZE, -float(len(places)))


def _draw_stars(chart: HammerMap, canvas: Canvas, year: float) -> None:
    from novacli.catalog.stars import stars_at

    stars = stars_at(year)
    bright = stars.magnitude < _FAINTEST
    places = chart.places(stars.ra_deg[bright], stars.dec_deg[bright])
    for (x, y), magnitude in zip(places.tolist(), stars.magnitude[bright].tolist(), strict=True):
        canvas.circle(x, y, max(0.7, _DOT * 0.72 ** max(0.0, magnitude)) * canvas.unit, "dot", is_filled=True)


PICTURE = Picture(
    "sky",
    "where the image is on the whole sky, with constellations and the Milky Way",
    _draw,
    has_image=False,
    aspect=0.52,
)
