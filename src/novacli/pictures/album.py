"""What a page shows of a solved field: the plain picture, layers of drawings that fit over it, and the objects.

The image is read once for all of them.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from novacli.catalog.epoch import epoch_of_header, julian_year
from novacli.catalog.field import objects_in_field
from novacli.catalog.listing import object_to_json
from novacli.errors import InputMissingError, NovaError
from novacli.exports.registry import SolvedField
from novacli.files.atomic import write_file
from novacli.pictures import annotated, match, svg
from novacli.pictures.background import displayed, plain, read_image
from novacli.pictures.canvas import Canvas
from novacli.pictures.plotting import viewport_of
from novacli.pictures.registry import Picture, Subject
from novacli.pictures.style import OF_KIND, STYLES

if TYPE_CHECKING:
    from PIL import Image

    from novacli.inputs.reduced import ReducedImage
    from novacli.pictures.viewport import Viewport

#: Longer sides in pixels, and the size in bytes that a JPEG is at most, if its lowest quality is small enough.
LONGER_SIDE, THUMBNAIL_SIDE = 1200, 360
_MOST_BYTES = 300_000
_QUALITIES = (88, 80, 70, 60, 45, 30)
_OBJECTS = frozenset({*OF_KIND.values(), "sparse", "vague"} - {"star"})
_GRID = frozenset({"grid", "furniture"})
#: Layer → the picture that it is a part of, and the styles of its lines and labels.
LAYERS: dict[str, tuple[Picture, frozenset[str]]] = {
    "grid": (annotated.PICTURE, _GRID),
    "constellations": (annotated.PICTURE, frozenset({"constellation"})),
    "stars": (annotated.PICTURE, frozenset({"star"})),
    "objects": (annotated.PICTURE, _OBJECTS),
    "matches": (match.PICTURE, frozenset(STYLES)),
}
DISPLAY, THUMBNAIL, OBJECTS, VIEW = "display.jpg", "thumbnail.jpg", "objects.json", "view.json"


def layer_file(layer: str) -> str:
    """Return the name of the file of a layer."""
    return f"layer-{layer}.svg"


def write_album(field: SolvedField, created: str | None, folder: Path) -> None:
    """Write the files of the album of a solved field.

    Parameters
    ----------
    field
        The solved field, whose image is read.
    created
        When the job was made, ISO 8601: the date of the stars if the image states none.
    folder
        The folder, which exists: ``display.jpg`` and ``thumbnail.jpg``, ``layer-NAME.svg`` with the size and place of
        ``display.jpg`` for each of ``LAYERS``, ``objects.json``, and ``view.json``, from which a program can map
        places in the picture to the sky.

    Raises
    ------
    NovaError
        If the image is not there, or a file cannot be written.
    """
    viewport = viewport_of(field, None, LONGER_SIDE)
    image = _image_of(field)
    epoch = None if image is None else epoch_of_header(image.header)
    year = epoch.year if epoch else julian_year(created or "") or 2000.0
    ground = plain(viewport.width, viewport.height)
    picture = ground if image is None else displayed(image, viewport, is_stretched=True)
    objects = [object_to_json(found) for found in objects_in_field(viewport.solution, year)]
    files = {
        DISPLAY: jpeg_of(picture, _MOST_BYTES),
        THUMBNAIL: jpeg_of(_thumbnail(picture), _MOST_BYTES),
        OBJECTS: json.dumps({"year": year, "objects": objects}, ensure_ascii=False).encode(),
        VIEW: json.dumps(_view(viewport)).encode(),
        **_layers(Subject(field, viewport, year)),
    }
    for name, content in files.items():
        write_file(folder / name, content)


def _image_of(field: SolvedField) -> ReducedImage | None:
    """Return the image of a field; None for a star list, whose stars are drawn on dark ground."""
    try:
        return read_image(field.origin, LONGER_SIDE)
    except InputMissingError:
        raise
    except NovaError:
        return None


def jpeg_of(picture: Image.Image, most_bytes: int) -> bytes:
    """Return a JPEG of the best quality with which it has at most ``most_bytes`` bytes, or of the lowest quality."""
    for quality in _QUALITIES:
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality, progressive=True, optimize=True)
        if out.tell() <= most_bytes:
            break
    return out.getvalue()


def _thumbnail(picture: Image.Image) -> Image.Image:
    small = picture.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    return small


def _layers(subject: Subject) -> dict[str, bytes]:
    viewport = subject.viewport
    canvases: dict[str, Canvas] = {}
    for picture, _ in LAYERS.values():
        if picture.name not in canvases:
            canvas = canvases[picture.name] = Canvas(viewport.width, viewport.height)
            picture.draw(subject, canvas)
            canvas.place_labels()
    return {
        layer_file(name): svg.overlay(canvases[picture.name], styles).encode()
        for name, (picture, styles) in LAYERS.items()
    }


def _view(viewport: Viewport) -> dict[str, Any]:
    """Return the solution as JSON: pixels as in FITS, SIP terms as (power of u, power of v, coefficient)."""
    solution = viewport.solution
    return {
        "width": solution.width,
        "height": solution.height,
        "y_up": viewport.is_fits_like,
        "crval": solution.crval,
        "crpix": solution.crpix,
        "cd": solution.cd,
        "a": solution.a,
        "b": solution.b,
    }
