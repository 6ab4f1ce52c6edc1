"""Lines of text in the upper left corner, each with the mark that it explains."""

from __future__ import annotations

from collections.abc import Callable

from novacli.pictures.canvas import Canvas

_SIZE, _EDGE = 17.0, 20.0
#: Draws a mark of a radius at (x, y) on a canvas.
Mark = Callable[[Canvas, float, float, float], None]


def draw_legend(canvas: Canvas, lines: list[tuple[Mark | None, str]]) -> None:
    """Draw a legend; a line without a mark begins at the left edge."""
    left = top = _EDGE * canvas.unit
    height = 1.5 * canvas.line_height(_SIZE)
    for number, (mark, text) in enumerate(lines):
        y = top + number * height
        if mark is not None:
            mark(canvas, left + 8 * canvas.unit, y + canvas.line_height(_SIZE) / 2, 7 * canvas.unit)
        canvas.write((left + (26 * canvas.unit if mark else 0), y), text, "furniture", _SIZE)
