"""A compass and a scale bar."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from novacli.catalog.shapes import offset_places
from novacli.pictures.canvas import Canvas
from novacli.pictures.viewport import Viewport

_TEXT_SIZE = 17.0
_ARM = 52.0
_EDGE = 34.0
_HEAD = 9.0
#: Lengths of the bar in arcseconds.
_LENGTHS = [scale * n for scale in (1, 60, 3600) for n in (1, 2, 3, 5, 10, 15, 20, 30)] + [3600.0 * n for n in (45, 60)]
#: The bar is at most this part of the picture's width.
_BAR_PART = 0.2


def draw_compass(canvas: Canvas, viewport: Viewport) -> None:
    """Draw arrows to the north and to the east, as they are at the centre, in the lower right corner."""
    step = 8 * viewport.degrees_per_pixel
    ra, dec = offset_places(*viewport.centre, np.array([0.0, 0.0, step]), np.array([0.0, step, 0.0]))
    centre, north, east = viewport.of_sky(ra, dec)
    arms = [_unit(north - centre), _unit(east - centre)]
    arm, edge = _ARM * canvas.unit, _EDGE * canvas.unit
    reach = arm + 1.4 * _TEXT_SIZE * canvas.unit
    left = max(0.0, *(-reach * a[0] for a in arms))
    right = max(0.0, *(reach * a[0] for a in arms))
    up, down = max(0.0, *(-reach * a[1] for a in arms)), max(0.0, *(reach * a[1] for a in arms))
    x, y = canvas.width - edge - right, canvas.height - edge - down
    for (dx, dy), name in zip(arms, "NE", strict=True):
        tip = np.array([x + arm * dx, y + arm * dy])
        _arrow(canvas, np.array([x, y]), tip)
        beyond = arm + 0.9 * _TEXT_SIZE * canvas.unit
        top = y + beyond * dy - canvas.line_height(_TEXT_SIZE) / 2
        canvas.write((x + beyond * dx, top), name, "furniture", _TEXT_SIZE, 0.5)
    canvas.reserve(x - left, y - up, x + right, y + down)


def _unit(vector: NDArray[np.float64]) -> tuple[float, float]:
    length = float(np.hypot(*vector)) or 1.0
    return float(vector[0]) / length, float(vector[1]) / length


def _arrow(canvas: Canvas, start: NDArray[np.float64], tip: NDArray[np.float64]) -> None:
    canvas.polyline(np.stack([start, tip]), "furniture")
    angle = math.atan2(tip[1] - start[1], tip[0] - start[0])
    barbs = [
        tip - _HEAD * canvas.unit * np.array([math.cos(angle + turn), math.sin(angle + turn)]) for turn in (0.45, -0.45)
    ]
    canvas.polyline(np.stack([barbs[0], tip, barbs[1]]), "furniture")


def draw_scale_bar(canvas: Canvas, viewport: Viewport) -> None:
    """Draw a bar of a round angle, at the scale of the centre, in the lower left corner."""
    widest = _BAR_PART * canvas.width * viewport.degrees_per_pixel * 3600
    arcsec = max((length for length in _LENGTHS if length <= widest), default=_LENGTHS[0])
    length = arcsec / 3600 / viewport.degrees_per_pixel
    left, y, tick = _EDGE * canvas.unit, canvas.height - 1.6 * _EDGE * canvas.unit, 6 * canvas.unit
    ends = np.array([[left, y - tick], [left, y + tick], [left, y], [left + length, y], [left + length, y - tick]])
    canvas.polyline(np.vstack([ends, [left + length, y + tick]]), "furniture")
    top = y - tick - canvas.line_height(_TEXT_SIZE)
    canvas.write((left + length / 2, top), angle_text(arcsec), "furniture", _TEXT_SIZE, 0.5)
    canvas.reserve(left - tick, y - tick, left + length + tick, y + 2 * tick)


def angle_text(arcsec: float) -> str:
    """Return a round angle with its unit, such as ``30′``."""
    for size, unit in ((3600, "°"), (60, "′")):
        if arcsec >= size:
            return f"{arcsec / size:g}{unit}"
    return f"{arcsec:g}″"
