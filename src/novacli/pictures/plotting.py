"""Make a picture of a solved job: read the image, draw, and write the file."""

from __future__ import annotations

from pathlib import Path

from novacli.catalog.epoch import Epoch, epoch_of_header, julian_year
from novacli.catalog.sources import SOURCES
from novacli.exports.linear import is_fits_like
from novacli.exports.registry import SolvedField
from novacli.pictures.background import displayed, plain, read_image
from novacli.pictures.canvas import Canvas
from novacli.pictures.output import write_picture
from novacli.pictures.registry import Picture, Subject
from novacli.pictures.viewport import Viewport, make_viewport
from solvehost.record import record

#: Longer side of a picture, pixels.
LONGER_SIDE = 1600


@record
class PlotOptions:
    """How a picture is made.

    ``width`` is in pixels: None for a longer side of ``LONGER_SIDE``, 0 for the image's own size.  ``date`` is when the
    image was taken, ISO 8601, None for the date in its header, or else ``created``, the date of the job.
    """

    width: int | None
    is_stretched: bool
    date: str | None
    created: str | None


def plot(picture: Picture, field: SolvedField, options: PlotOptions, target: Path) -> None:
    """Write a picture of a solved field.

    Parameters
    ----------
    picture
        What to draw.
    field
        The solved field.
    options
        How to draw it.
    target
        The file; its ending is one of :data:`novacli.pictures.output.ENDINGS`.

    Raises
    ------
    NovaError
        If the image cannot be read, an extra is not installed, or the file cannot be written.
    """
    width = field.solution.tan_sip.width if options.width == 0 else options.width
    viewport = viewport_of(field, width, LONGER_SIDE)
    image = read_image(field.origin, max(viewport.width, viewport.height)) if picture.has_image else None
    taken = Epoch(julian_year(options.date) or 2000.0, "--date") if options.date else None
    if taken is None and image is not None:
        taken = epoch_of_header(image.header)
    year = taken.year if taken else julian_year(options.created or "") or 2000.0
    canvas = _canvas(picture, viewport, options)
    picture.draw(Subject(field, viewport, year), canvas)
    canvas.place_labels()
    if image is None:
        ground = plain(canvas.width, canvas.height)
    else:
        ground = displayed(image, viewport, is_stretched=options.is_stretched)
    write_picture(canvas, ground, credit(), target)


def viewport_of(field: SolvedField, width: int | None, longer_side: int) -> Viewport:
    """Return the viewport of a solved field; see :func:`novacli.pictures.viewport.make_viewport`."""
    up = is_fits_like(field)
    return make_viewport(field.solution.tan_sip, width=width, longer_side=longer_side, is_fits_like=up)


def _canvas(picture: Picture, viewport: Viewport, options: PlotOptions) -> Canvas:
    if picture.aspect is None:
        return Canvas(viewport.width, viewport.height)
    width = options.width or LONGER_SIDE
    return Canvas(width, max(1, round(width * picture.aspect)))


def credit() -> str:
    """Return the sources of what pictures show, with their licences."""
    return "Made with nova. " + "; ".join(f"{s.title} ({s.licence})" for s in SOURCES)
