"""Lines of equal right ascension and declination, with labels where they enter the picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from novacli.pictures.canvas import FAINT, Canvas
from novacli.pictures.viewport import Viewport
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LABEL_SIZE = 15.0
#: The field has about this many lines along its shorter side.
_LINES = 4.0
#: Steps of declination in arcseconds, and of right ascension in seconds of time.
_DEC_STEPS = (
    *(1, 2, 5, 10, 20, 30),
    *(60 * n for n in (1, 2, 5, 10, 20, 30)),
    *(3600 * n for n in (1, 2, 5, 10, 15, 30)),
)
_RA_STEPS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30),
    *(60 * n for n in (1, 2, 5, 10, 20, 30)),
    *(3600 * n for n in (1, 2, 3, 6)),
)
_POINTS = 240
#: Places where the sky under the picture is looked up, along each side.
_LOOKS = 17


@record
class SkyRange:
    """The part of the sky under a picture, in degrees.

    Right ascensions are from ``ra0 - ra_reach`` to ``ra0 + ra_reach``.
    """

    ra0: float
    ra_reach: float
    dec_low: float
    dec_high: float


def draw_graticule(canvas: Canvas, viewport: Viewport) -> None:
    """Draw lines of equal right ascension and declination with their labels."""
    sky = sky_range(viewport)
    field_deg = min(canvas.width, canvas.height) * viewport.degrees_per_pixel
    dec_step = _step(_DEC_STEPS, field_deg / _LINES * 3600) / 3600
    ra_seconds = _ra_step(sky, field_deg)
    has_pole = sky.ra_reach >= 180
    # Meridians end at the last parallel before a pole, where they would run together.
    limit = 90 - dec_step if has_pole else 90.0
    for number in range(math.ceil(sky.dec_low / dec_step), math.floor(sky.dec_high / dec_step) + 1):
        dec = number * dec_step
        if abs(dec) < 90 - 1e-9:
            parallel = sky.ra0 + np.linspace(-sky.ra_reach, sky.ra_reach, _POINTS)
            _draw_line(canvas, viewport.of_sky(parallel, np.full(_POINTS, dec)), dec_text(dec, dec_step))
    for ra in _multiples(sky.ra0 - sky.ra_reach, sky.ra0 + sky.ra_reach, ra_seconds / 240, has_pole):
        meridian = np.linspace(max(sky.dec_low, -limit), min(sky.dec_high, limit), _POINTS)
        _draw_line(canvas, viewport.of_sky(np.full(_POINTS, ra), meridian), ra_text(ra, ra_seconds))


def sky_range(viewport: Viewport) -> SkyRange:
    """Return the part of the sky under a picture; all right ascensions if a pole is in it."""
    x, y = np.linspace(0, viewport.width, _LOOKS), np.linspace(0, viewport.height, _LOOKS)
    ra0, _ = viewport.centre
    places = np.array([viewport.to_sky(a, b) for a in x for b in y])
    dec_low, dec_high = float(places[:, 1].min()), float(places[:, 1].max())
    for pole in (90.0, -90.0):
        (px, py) = viewport.of_sky(np.array([ra0]), np.array([pole]))[0]
        if (
            -0.02 * viewport.width <= px <= 1.02 * viewport.width
            and -0.02 * viewport.height <= py <= 1.02 * viewport.height
        ):
            return SkyRange(ra0, 180.0, min(dec_low, pole), max(dec_high, pole))
    reach = float(np.abs((places[:, 0] - ra0 + 180) % 360 - 180).max())
    margin = 0.05 * (dec_high - dec_low)
    return SkyRange(ra0, min(180.0, 1.05 * reach), max(-90.0, dec_low - margin), min(90.0, dec_high + margin))


def _ra_step(sky: SkyRange, field_deg: float) -> float:
    """Return the step of right ascension in seconds of time."""
    if sky.ra_reach >= 180:
        return 2 * 3600.0
    middle = (sky.dec_low + sky.dec_high) / 2
    narrow = max(math.cos(math.radians(middle)), field_deg / 360)
    return _step(_RA_STEPS, field_deg / _LINES / narrow * 240)


def _step(steps: tuple[float, ...], wanted: float) -> float:
    return min(steps, key=lambda step: abs(math.log(step / wanted)))


def _multiples(low: float, high: float, step: float, is_whole_circle: bool) -> list[float]:
    numbers = range(math.ceil(low / step), math.floor(high / step) + 1)
    return [n * step for n in (list(numbers)[: round(360 / step)] if is_whole_circle else numbers)]


def _draw_line(canvas: Canvas, points: Floats, text: str) -> None:
    canvas.polyline(points, "grid", FAINT)
    for place in _entries(canvas, points):
        if _write_at_edge(canvas, place, text):
            return
    _write_on_circle(canvas, points, text)


def _write_on_circle(canvas: Canvas, points: Floats, text: str) -> None:
    """Write the label of a line that crosses no edge, such as a parallel around a pole, at its lowest point."""
    if not np.isfinite(points).all():
        return
    x, y = points[np.argmax(points[:, 1])]
    if 0 < x < canvas.width and points[:, 1].min() > 0 and y < canvas.height:
        canvas.write((float(x), float(y)), text, "grid", _LABEL_SIZE, 0.5)


def _entries(canvas: Canvas, points: Floats) -> list[tuple[float, float]]:
    """Return where a line crosses the edges of the picture, the left and lower ones first."""
    width, height = canvas.width, canvas.height
    with np.errstate(invalid="ignore"):
        inside = (points[:, 0] > 0) & (points[:, 0] < width) & (points[:, 1] > 0) & (points[:, 1] < height)
    found = []
    for n in np.flatnonzero(inside[1:] != inside[:-1]).tolist():
        inner, outer = (points[n + 1], points[n]) if inside[n + 1] else (points[n], points[n + 1])
        if np.isfinite(outer).all():
            found.append(_cut(inner, outer, width, height))
    return sorted(found, key=lambda place: min(place[0], height - place[1]))


def _cut(inner: Floats, outer: Floats, width: int, height: int) -> tuple[float, float]:
    """Return where the line from a point in the picture to one outside crosses its edge."""
    parts = [1.0]
    for start, end, limit in ((inner[0], outer[0], width), (inner[1], outer[1], height)):
        for edge in (0.0, float(limit)):
            if (end - edge) * (start - edge) < 0:
                parts.append(float((edge - start) / (end - start)))
    part = min(parts)
    return float(inner[0] + part * (outer[0] - inner[0])), float(inner[1] + part * (outer[1] - inner[1]))


def _write_at_edge(canvas: Canvas, place: tuple[float, float], text: str) -> bool:
    """Write a label inside the picture, beside the place where its line crosses the edge."""
    x, y = place
    gap, high = 4 * canvas.unit, canvas.line_height(_LABEL_SIZE)
    if x < 1 or x > canvas.width - 1:
        is_left = x < 1
        return canvas.write((gap if is_left else canvas.width - gap, y - high), text, "grid", _LABEL_SIZE, not is_left)
    top = gap if y < 1 else canvas.height - high - gap
    return canvas.write((x + gap, top), text, "grid", _LABEL_SIZE)


def ra_text(ra_deg: float, step_seconds: float) -> str:
    """Return a right ascension as a label, as precise as the step between lines: ``4ʰ20ᵐ``."""
    tenths = round(ra_deg % 360 * 2400) % 864000
    hours, minutes, seconds = tenths // 36000, tenths // 600 % 60, tenths % 600 / 10
    text = f"{hours}ʰ"
    if step_seconds < 3600:
        text += f"{minutes:02d}ᵐ"
    if step_seconds < 60:
        text += f"{seconds:02.0f}ˢ" if step_seconds >= 1 else f"{seconds:04.1f}ˢ"
    return text


def dec_text(dec_deg: float, step_deg: float) -> str:
    """Return a declination as a label, as precise as the step between lines: ``+41°30′``."""
    seconds = round(abs(dec_deg) * 3600)
    sign = "" if seconds == 0 else "+" if dec_deg > 0 else "−"
    text = f"{sign}{seconds // 3600}°"
    if step_deg * 3600 < 3599:
        text += f"{seconds // 60 % 60:02d}′"
    if step_deg * 3600 < 59:
        text += f"{seconds % 60:02d}″"
    return text
