"""JPEG, PNG, GIF, WebP and BMP → ``Image``, by Pillow (16-bit colour PNG by imagecodecs, since Pillow cuts it to 8).

Rows stay in the order in which they are stored; EXIF's orientation and alpha are ignored.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from novacli.errors import DataError
from novacli.inputs import exif
from novacli.inputs.pixels import Block, assemble, row_blocks
from novacli.records.field import HeaderValue, Image

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

    from novacli.inputs.reduction import Reduction
    from novacli.inputs.source import ReadOptions, Source

#: Pillow's reader of each format.  ``PIL.Image.open`` is not used, since it would apply Pillow's own, process-wide
#: limit of pixels instead of ours.
_PLUGINS: dict[str, tuple[str, str]] = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "WebP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
}
#: Modes that numpy can read; all others are converted to the mode in ``_CONVERT_TO``, or to RGB.
_DIRECT_MODES = frozenset({"L", "RGB", "I", "F", "I;16", "I;16B", "I;16L"})
_CONVERT_TO = {"1": "L", "LA": "L", "La": "L"}
_PNG_DEPTH_AT, _PNG_COLOUR_AT = 24, 25
#: Colour types of 16-bit PNGs that Pillow cuts to 8 bits (RGB, grey with alpha, RGBA) → their colour channels.
_PNG_CUT_BY_PILLOW = {2: 3, 4: 1, 6: 3}
_WARNING_FILTERS = threading.Lock()


def read(source: Source, options: ReadOptions) -> Image:
    """Return the image; the first frame if there are several.

    Raises
    ------
    DataError
        It is truncated, damaged, or above ``limits.max_pixels``.
    """
    with _without_warnings():
        picture = _open(source, options)
        header, notes = _exif(picture)
    width, height = picture.size
    options.limits.check_pixels(source.shown, width, height)
    if options.reduction is not None:
        width, height = _decode_reduced(picture, options.reduction)
    channels = _deep_png_channels(source, options)
    blocks = _deep_png_blocks(source, channels) if channels else _blocks(_loaded(picture, source, options))
    pixels, mask = assemble(height, width, blocks, options.reduction)
    if getattr(picture, "n_frames", 1) > 1 and options.word != "JPEG":
        notes = (*notes, "read the first frame of several")
    return Image(
        pixels=pixels,
        mask=mask,
        header=header,
        origin=source.origin(options.word),
        is_fits_like=False,
        notes=notes,
    )


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Suppress Pillow's warnings about damaged EXIF data, which ``-W error`` would turn into errors.

    The filters belong to the process, so that one thread at a time changes and restores them.
    """
    with _WARNING_FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _open(source: Source, options: ReadOptions) -> ImageFile:
    module, name = _PLUGINS[options.word]
    source.file.seek(0)
    try:
        picture: ImageFile = getattr(importlib.import_module(module), name)(source.file)
    except Exception as exc:  # Pillow's plugins raise nearly anything on a damaged header.
        raise _damaged(source, options, exc) from exc
    return picture


def _loaded(picture: ImageFile, source: Source, options: ReadOptions) -> ImageFile:
    try:
        picture.load()
    except Exception as exc:
        raise _damaged(source, options, exc) from exc
    return picture


def _damaged(source: Source, options: ReadOptions, exc: Exception) -> DataError:
    words = str(exc).lower()
    if isinstance(exc, EOFError) or any(word in words for word in ("truncat", "end of file", "eof", "too short")):
        return DataError(f"{source.shown} is truncated: its {options.word} data end too early; copy it again")
    return DataError(f"{source.shown} is a damaged {options.word} file: copy or export it again")


def _exif(picture: ImageFile) -> tuple[dict[str, HeaderValue], tuple[str, ...]]:
    try:
        block = picture.getexif()
        return exif.header_from_tags({**block, **block.get_ifd(exif.EXIF_POINTER)}), ()
    except Exception:  # Without EXIF data an image has no hints, but can still be solved.
        return {}, ("the EXIF data are damaged: no hints were read from them",)


def _decode_reduced(picture: ImageFile, reduction: Reduction) -> tuple[int, int]:
    """Have a JPEG decoded at 1/2, 1/4 or 1/8 of its size if that is enough; return (width, height) of the result."""
    reduction.note_size(*picture.size)
    scale = reduction.target_px / max(picture.size)
    if scale < 1:
        # Pillow decodes at the smallest size that is at least the one asked for; None keeps the colours.
        picture.draft(None, (int(picture.size[0] * scale), int(picture.size[1] * scale)))
    return picture.size


def _blocks(picture: ImageFile) -> Iterator[Block]:
    width, height = picture.size
    for first, end in row_blocks(height, width):
        part = picture.crop((0, first, width, end))
        if part.mode not in _DIRECT_MODES:
            part = part.convert(_CONVERT_TO.get(part.mode, "RGB"))
        yield first, 0, np.asarray(part)


def _deep_png_channels(source: Source, options: ReadOptions) -> int:
    """Return the number of colour channels of a PNG that Pillow would cut to 8 bits, else 0."""
    if options.word != "PNG" or source.head[_PNG_DEPTH_AT] != 16:
        return 0
    return _PNG_CUT_BY_PILLOW.get(source.head[_PNG_COLOUR_AT], 0)


def _deep_png_blocks(source: Source, channels: int) -> Iterator[Block]:
    import imagecodecs

    source.file.seek(0)
    try:
        values = np.asarray(imagecodecs.png_decode(source.file.read()))
    except Exception as exc:
        raise DataError(f"{source.shown} is a truncated or damaged PNG file: copy or export it again") from exc
    for first, end in row_blocks(*values.shape[:2]):
        yield first, 0, values[first:end, :, :channels]
