"""Find places for labels beside what they name: no two overlap, and the important ones come first.

Each label is tried at eleven places around its mark.  Of those where it fits, it gets the one that covers least of
what is drawn, measured on a raster of cells.  A label that fits nowhere is left out; its mark stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from novacli.pictures.lettering import ASCENT, DESCENT, text_width
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in picture coordinates."""

_CELL_PX = 4
#: Directions around a mark in the order of preference: the shift of the label's box in units of its size and of the
#: mark's radius.  (0, 0) would put the upper left corner of the box at the mark.
_PLACES = (
    (0.0, -0.5, 1.0, 0.0), (0.0, -1.0, 0.7, -0.7), (0.0, 0.0, 0.7, 0.7), (-1.0, -0.5, -1.0, 0.0),
    (-1.0, -1.0, -0.7, -0.7), (-1.0, 0.0, -0.7, 0.7), (-0.5, -1.0, 0.0, -1.0), (-0.5, 0.0, 0.0, 1.0),
    (-0.25, -1.0, 0.3, -1.0), (-0.25, 0.0, 0.3, 1.0), (-0.75, -1.0, -0.3, -1.0),
)  # fmt: skip
#: Cost of the next place in the order of preference, in the unit of the weights of what is drawn.
_PREFERENCE = 6


@record
class LabelRequest:
    """A text for a mark at (x, y) with a radius, in picture coordinates.

    The most important requests have the lowest rank.
    """

    x: float
    y: float
    radius: float
    text: str
    style: str
    size: float
    rank: float


@record
class Label:
    """A placed text: its box, its style and the size of its font."""

    text: str
    style: str
    size: float
    box: Box

    @property
    def baseline(self) -> tuple[float, float]:
        """Where the text starts: x of its left edge, y of its baseline."""
        return self.box[0], self.box[1] + ASCENT * self.size


class LabelPlacer:
    """Places labels on a picture of ``width`` by ``height`` pixels."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.labels: list[Label] = []
        self._taken: Floats = np.empty((0, 4))
        self._weights = np.zeros((height // _CELL_PX + 1, width // _CELL_PX + 1), np.float32)

    def reserve(self, box: Box) -> None:
        """Keep labels out of a box."""
        self._taken = np.vstack([self._taken, box])

    def add_weight(self, points: Floats, weight: float) -> None:
        """Make labels avoid the cells of points in picture coordinates, shape (n, 2)."""
        with np.errstate(invalid="ignore"):
            cells = np.floor(points / _CELL_PX)
            rows, columns = self._weights.shape
            good = (cells[:, 0] >= 0) & (cells[:, 0] < columns) & (cells[:, 1] >= 0) & (cells[:, 1] < rows)
        column, row = cells[good].astype(int).T
        self._weights[row, column] = np.maximum(self._weights[row, column], weight)

    def put(self, text: str, style: str, size: float, corner: tuple[float, float]) -> bool:
        """Put a text with its upper left corner at a place; return False if it does not fit there."""
        box = self._box(text, size, *corner)
        if not self._is_free(box):
            return False
        self._take(Label(text, style, size, box))
        return True

    def place(self, requests: Iterable[LabelRequest]) -> None:
        """Place labels, the most important first."""
        for request in sorted(requests, key=lambda r: r.rank):
            box = self._best_box(request)
            if box is not None:
                self._take(Label(request.text, request.style, request.size, box))

    def _take(self, label: Label) -> None:
        self.labels.append(label)
        self.reserve(label.box)

    def _best_box(self, request: LabelRequest) -> Box | None:
        gap = request.radius + 0.2 * request.size
        width, height = text_width(request.text, request.size), (ASCENT + DESCENT) * request.size
        best: tuple[float, Box] | None = None
        for order, (across, down, out_x, out_y) in enumerate(_PLACES):
            left, top = request.x + across * width + out_x * gap, request.y + down * height + out_y * gap
            box = (left, top, left + width, top + height)
            if self._is_free(box):
                cost = self._weight(box) + order * _PREFERENCE
                if best is None or cost < best[0]:
                    best = cost, box
        return None if best is None else best[1]

    def _box(self, text: str, size: float, left: float, top: float) -> Box:
        return left, top, left + text_width(text, size), top + (ASCENT + DESCENT) * size

    def _is_free(self, box: Box) -> bool:
        left, top, right, bottom = box
        if left < 2 or top < 2 or right > self.width - 2 or bottom > self.height - 2:
            return False
        taken = self._taken
        hits = (taken[:, 0] < right) & (taken[:, 2] > left) & (taken[:, 1] < bottom) & (taken[:, 3] > top)
        return not hits.any()

    def _weight(self, box: Box) -> float:
        left, top, right, bottom = (int(edge) // _CELL_PX for edge in box)
        return float(self._weights[top : bottom + 1, left : right + 1].sum())
