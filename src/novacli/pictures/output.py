"""Join a drawing and the image below it in a file: PNG, JPEG, WebP, PDF or SVG, by the ending of its name."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from novacli.errors import UnavailableError
from novacli.files.atomic import write_file
from novacli.pictures import svg
from novacli.pictures.canvas import Canvas
from novacli.pictures.lettering import FONT_FILE

_JPEG_QUALITY, _WEBP_QUALITY = 90, 88
#: Fast, and a few percent larger than the best.
_PNG_LEVEL = 3
_EXIF_DESCRIPTION = 270


def write_picture(canvas: Canvas, ground: Image.Image, credit: str, target: Path) -> None:
    """Write a picture; the ending of ``target`` is one of ``ENDINGS``.

    Parameters
    ----------
    canvas
        The drawing, with its labels placed.
    ground
        The picture below it, of the same size.
    credit
        The sources of what is drawn; the file states them.
    target
        The file.

    Raises
    ------
    UnavailableError
        If the package resvg-py is not installed; SVG does not need it.
    OutputError
        If the file cannot be written.
    """
    write_file(target, ENDINGS[target.suffix.lower()](canvas, ground, credit))


def _svg(canvas: Canvas, ground: Image.Image, credit: str) -> bytes:
    image = _encoded(ground, "JPEG", quality=_JPEG_QUALITY)
    return svg.standalone(canvas, image, credit).encode()


def _png(canvas: Canvas, ground: Image.Image, credit: str) -> bytes:
    info = PngInfo()
    info.add_itxt("Comment", credit)
    return _encoded(joined(canvas, ground), "PNG", compress_level=_PNG_LEVEL, pnginfo=info)


def _jpeg(canvas: Canvas, ground: Image.Image, credit: str) -> bytes:
    return _encoded(joined(canvas, ground), "JPEG", quality=_JPEG_QUALITY, comment=credit.encode())


def _webp(canvas: Canvas, ground: Image.Image, credit: str) -> bytes:
    exif = Image.Exif()
    exif[_EXIF_DESCRIPTION] = credit
    return _encoded(joined(canvas, ground), "WEBP", quality=_WEBP_QUALITY, exif=exif)


def _pdf(canvas: Canvas, ground: Image.Image, credit: str) -> bytes:
    return _encoded(joined(canvas, ground), "PDF", subject=credit)


#: What files can be written, by the ending of their names.
ENDINGS: dict[str, Callable[[Canvas, Image.Image, str], bytes]] = {
    ".png": _png,
    ".jpg": _jpeg,
    ".jpeg": _jpeg,
    ".webp": _webp,
    ".svg": _svg,
    ".pdf": _pdf,
}


def joined(canvas: Canvas, ground: Image.Image) -> Image.Image:
    """Return the drawing on the picture below it.

    Raises
    ------
    UnavailableError
        If the package resvg-py is not installed.
    """
    try:
        import resvg_py
    except ImportError as exc:
        raise UnavailableError(
            "pictures are drawn by resvg: pip install 'novacli[pictures]', or name the file .svg"
        ) from exc
    drawn = resvg_py.svg_to_bytes(svg_string=svg.overlay(canvas), skip_system_fonts=True, font_files=[str(FONT_FILE)])
    with Image.open(io.BytesIO(bytes(drawn)), formats=["PNG"]) as layer:
        ground.paste(layer, mask=layer)
    return ground


def _encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()
