"""What a picture draws on: lines, circles and labels in picture coordinates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from novacli.pictures.labels import Label, LabelPlacer, LabelRequest
from novacli.pictures.lettering import ASCENT, DESCENT, text_width
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Lines and labels have sizes in units of 1/1600 of the longer side of the picture, but at least this many pixels.
_UNITS, _LEAST_UNIT = 1600, 0.6
#: How much labels avoid what is drawn.
MARK, LINE, FAINT = 40.0, 8.0, 1.0
#: Parts of lines further outside the picture than this part of its size are left out.
_MARGIN = 0.1
_STEP_PX = 3.0


@record
class Shape:
    """An SVG path with a style; ``is_filled`` for dots."""

    style: str
    path: str
    is_filled: bool = False


class Canvas:
    """A drawing of ``width`` by ``height`` pixels; ``unit`` is the length by which widths and sizes are scaled."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.unit = max(_LEAST_UNIT, max(width, height) / _UNITS)
        self.shapes: list[Shape] = []
        self._placer = LabelPlacer(width, height)
        self._requests: list[LabelRequest] = []

    @property
    def labels(self) -> list[Label]:
        """The labels that have a place; see :meth:`place_labels`."""
        return self._placer.labels

    def polyline(self, points: Floats, style: str, weight: float = LINE) -> None:
        """Draw a line through points, shape (n, 2); it is broken at NaN and far outside the picture."""
        runs = [run for run in _runs(points, self._near(points)) if len(run) > 1]
        for run in runs:
            self.shapes.append(Shape(style, "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in run)))
            self._placer.add_weight(_dense(run), weight)

    def circle(self, x: float, y: float, radius: float, style: str, *, is_filled: bool = False) -> None:
        """Draw a circle."""
        r = f"{radius:.1f}"
        path = f"M{x - radius:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * radius:.1f} 0a{r} {r} 0 1 0 {-2 * radius:.1f} 0Z"
        self.shapes.append(Shape(style, path, is_filled))
        turn = np.linspace(0, 2 * math.pi, max(8, int(2 * radius)))
        rim = np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], axis=1)
        self._placer.add_weight(rim, FAINT if is_filled else MARK)

    def request_label(self, mark: tuple[float, float, float], text: str, style: str, size: float, rank: float) -> None:
        """Ask for a label beside a mark.

        Parameters
        ----------
        mark
            (x, y, radius) of the mark.
        text, style
            The text, and the style whose colour it has.
        size
            Size of the font, in units.
        rank
            Lower for more important labels.
        """
        self._requests.append(LabelRequest(*mark, text, style, size * self.unit, rank))

    def write(self, corner: tuple[float, float], text: str, style: str, size: float, align: float = 0.0) -> bool:
        """Write a text at a fixed place; return False if something else is there.

        Parameters
        ----------
        corner
            Upper left corner of the text, or its upper right one for ``align`` 1, the middle of its top for 0.5.
        text, style, size, align
            As in :meth:`request_label`; ``align`` is the part of the width that is left of the corner.
        """
        drawn = size * self.unit
        return self._placer.put(text, style, drawn, (corner[0] - align * text_width(text, drawn), corner[1]))

    def line_height(self, size: float) -> float:
        """Return the height of a line of text of a font size in units."""
        return (ASCENT + DESCENT) * size * self.unit

    def reserve(self, left: float, top: float, right: float, bottom: float) -> None:
        """Keep labels out of a box."""
        self._placer.reserve((left, top, right, bottom))

    def place_labels(self) -> None:
        """Find places for the labels that were asked for; called once, when everything is drawn."""
        self._placer.place(self._requests)

    def _near(self, points: Floats) -> NDArray[np.bool_]:
        """Return True for points in the picture or close to it."""
        across, down = self.width * _MARGIN, self.height * _MARGIN
        with np.errstate(invalid="ignore"):
            x_good = (points[:, 0] > -across) & (points[:, 0] < self.width + across)
            return np.asarray(x_good & (points[:, 1] > -down) & (points[:, 1] < self.height + down))


def _runs(points: Floats, near: NDArray[np.bool_]) -> list[Floats]:
    """Return the parts of a line near the picture, with the points just before and after them."""
    known = np.isfinite(points[:, 0])
    kept = near.copy()
    kept[1:] |= near[:-1]
    kept[:-1] |= near[1:]
    kept &= known
    edges = np.flatnonzero(np.diff(np.concatenate([[False], kept, [False]]).astype(int)))
    return [points[first:end] for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _dense(points: Floats) -> Floats:
    """Return points along a line, a few pixels apart."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    places = np.arange(0.0, along[-1], _STEP_PX)
    return np.stack([np.interp(places, along, points[:, n]) for n in (0, 1)], axis=1)
