"""``grid``: the image with lines of equal right ascension and declination, compass and scale bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from novacli.pictures.registry import Picture, Subject

if TYPE_CHECKING:
    from novacli.pictures.canvas import Canvas


def _draw(subject: Subject, canvas: Canvas) -> None:
    from novacli.pictures.furniture import draw_compass, draw_scale_bar
    from novacli.pictures.graticule import draw_graticule

    draw_compass(canvas, subject.viewport)
    draw_scale_bar(canvas, subject.viewport)
    draw_graticule(canvas, subject.viewport)


PICTURE = Picture("grid", "right ascension and declination, compass and scale bar alone", _draw)
