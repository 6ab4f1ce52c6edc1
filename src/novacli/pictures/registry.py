"""The list of pictures, from which the choices of ``nova plot`` and the tests of the documentation follow.

A new picture is one module that defines ``PICTURE`` and one line in :data:`MODULES`.  The module must be cheap to
import, since ``nova plot --help`` imports it; ``PICTURE.draw`` imports what it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from solvehost.record import record

if TYPE_CHECKING:
    from novacli.exports.registry import SolvedField
    from novacli.pictures.canvas import Canvas
    from novacli.pictures.viewport import Viewport

#: One module for each picture, in the order in which help lists them.
MODULES = [
    "novacli.pictures.annotated",
    "novacli.pictures.stars",
    "novacli.pictures.match",
    "novacli.pictures.sky",
    "novacli.pictures.distortion",
    "novacli.pictures.grid",
]


@record
class Subject:
    """What a picture shows: a solved field, and the Julian year for which stars are drawn."""

    field: SolvedField
    viewport: Viewport
    year: float


@record
class Picture:
    """A kind of picture.

    Attributes
    ----------
    name
        The word for it, as ``--what`` takes it.
    help
        Noun phrase for the help.
    draw
        Draws on a canvas of the viewport's size, or of the shape of ``aspect``.
    has_image
        True if the image is below the drawing; else it is drawn on dark ground, and the image is not read.
    aspect
        Height by width of a picture that has not the shape of the image.
    """

    name: str
    help: str
    draw: Callable[[Subject, Canvas], None]
    has_image: bool = True
    aspect: float | None = None


def all_pictures() -> tuple[Picture, ...]:
    """Return the pictures in the order of :data:`MODULES`."""
    return tuple(import_module(name).PICTURE for name in MODULES)
