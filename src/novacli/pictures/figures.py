"""The lines of constellations in a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from novacli.catalog.lines import constellation_lines
from novacli.pictures.canvas import Canvas
from novacli.pictures.viewport import Viewport

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_POINTS = 24
_GAP = 11.0
#: In wider fields lines are drawn even if none of their stars is in the picture.
_WIDE_DEG = 10.0


def draw_constellations(canvas: Canvas, viewport: Viewport) -> None:
    """Draw the lines of the constellations, with a gap at each star."""
    segments = segment_places()
    points = viewport.of_sky(segments[..., 0].ravel(), segments[..., 1].ravel()).reshape(segments.shape)
    is_wide = max(canvas.width, canvas.height) * viewport.degrees_per_pixel > _WIDE_DEG
    with np.errstate(invalid="ignore"):
        size = np.array([canvas.width, canvas.height])
        near = np.all((points > -0.1 * size) & (points < 1.1 * size), axis=2).any(axis=1)
    for line in points[near]:
        if is_wide or any(0 <= x <= canvas.width and 0 <= y <= canvas.height for x, y in line[[0, -1]]):
            trimmed = without_ends(line, _GAP * canvas.unit)
            if len(trimmed) > 1:
                canvas.polyline(trimmed, "constellation")


def segment_places() -> Floats:
    """Return (RA, Dec) in degrees along the great circle of each segment, shape (segments, points, 2)."""
    ends = np.array(
        [pair for line in constellation_lines() for pair in zip(line.places, line.places[1:], strict=False)]
    )
    ra, dec = np.radians(ends[..., 0]), np.radians(ends[..., 1])
    vectors = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
    part = np.linspace(0, 1, _POINTS)[:, np.newaxis]
    x, y, z = np.moveaxis(vectors[:, :1] * (1 - part) + vectors[:, 1:] * part, -1, 0)
    return np.stack([np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))], axis=-1)


def without_ends(line: Floats, gap: float) -> Floats:
    """Return a line that begins and ends ``gap`` pixels from its ends."""
    if not np.isfinite(line).all():
        return line[np.isfinite(line).all(axis=1)]
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    if along[-1] <= 2 * gap:
        return line[:0]
    places = np.linspace(gap, along[-1] - gap, len(line))
    return np.stack([np.interp(places, along, line[:, n]) for n in (0, 1)], axis=1)
