"""``annotated``: the image with its objects, named stars, constellation lines, grid, compass and scale bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from novacli.pictures.registry import Picture, Subject

if TYPE_CHECKING:
    from novacli.pictures.canvas import Canvas


def _draw(subject: Subject, canvas: Canvas) -> None:
    from novacli.catalog.field import objects_in_field
    from novacli.pictures.figures import draw_constellations
    from novacli.pictures.furniture import draw_compass, draw_scale_bar
    from novacli.pictures.graticule import draw_graticule
    from novacli.pictures.symbols import draw_object, ranked

    viewport = subject.viewport
    draw_compass(canvas, viewport)
    draw_scale_bar(canvas, viewport)
    draw_graticule(canvas, viewport)
    draw_constellations(canvas, viewport)
    for found in ranked(objects_in_field(viewport.solution, subject.year), canvas, viewport):
        draw_object(canvas, viewport, found)


PICTURE = Picture("annotated", "objects, named stars, constellation lines, grid, compass and scale bar", _draw)
