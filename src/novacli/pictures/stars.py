"""``stars``: the image with the stars that were found in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from novacli.pictures.registry import Picture, Subject

if TYPE_CHECKING:
    from novacli.pictures.canvas import Canvas

#: More rings would hide the image.
_MOST = 1000
_NUMBERED = 25


def _draw(subject: Subject, canvas: Canvas) -> None:
    import numpy as np

    from novacli.pictures.legend import draw_legend
    from novacli.solution import tables

    sources = tables.sources(subject.field.solution.files)
    shown = sources[:_MOST]
    draw_legend(canvas, [
        (None, f"{len(sources)} stars found" + (f", the first {_MOST} shown" if len(sources) > _MOST else "")),
    ])  # fmt: skip
    places = subject.viewport.of_pixels(np.asarray(shown["X"], float), np.asarray(shown["Y"], float))
    for number, (x, y) in enumerate(places.tolist(), 1):
        radius = (6 + 8 / number**0.4) * canvas.unit
        canvas.circle(x, y, radius, "source")
        if number <= _NUMBERED:
            canvas.request_label((x, y, radius), str(number), "source", 15, number)


PICTURE = Picture("stars", "the stars found, with numbers for the first in the list", _draw)
