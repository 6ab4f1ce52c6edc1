"""XISF (PixInsight) → ``Image``, by the optional package ``xisf``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from novacli.errors import DataError, NovaError, UnavailableError
from novacli.inputs import headers
from novacli.inputs.pixels import Block, assemble, row_blocks
from novacli.inputs.source import library_path
from novacli.records.field import HeaderValue, Image

if TYPE_CHECKING:
    from novacli.inputs.source import ReadOptions, Source

_INTEGER = re.compile(r"[-+]?\d{1,18}")
_COLOUR_CHANNELS = 3


def read(source: Source, options: ReadOptions) -> Image:
    """Return the first image of an XISF file.

    Raises
    ------
    UnavailableError
        The package ``xisf`` is not installed.
    DataError
        The file is truncated, damaged, or above ``limits.max_pixels``.
    """
    try:
        import xisf
    except ImportError as exc:
        raise UnavailableError(f"{source.shown} is an XISF file, which needs: pip install xisf") from exc
    with library_path(source) as path:
        try:
            return _image(xisf.XISF(path), source, options)
        except NovaError:
            raise
        except Exception as exc:  # xisf raises any error of its codecs and its parser.
            raise DataError(f"{source.shown} is a damaged or unusual XISF file: export it as FITS") from exc


def _image(file: Any, source: Source, options: ReadOptions) -> Image:
    images = file.get_images_metadata()
    if not images:
        raise DataError(f"{source.shown} is an XISF file without an image: export it again")
    facts = images[0]
    width, height, channels = facts["geometry"]
    options.limits.check_pixels(source.shown, width, height)
    options.limits.check_bytes(f"{source.shown}, unpacked,", width * height * channels * facts["dtype"].itemsize)
    _check_whole(facts, source)
    header = _header(facts["FITSKeywords"])
    colours = _COLOUR_CHANNELS if channels >= _COLOUR_CHANNELS else 1
    blocks = _blocks(file.read_image(0)[:, :, :colours])
    pixels, mask = assemble(height, width, blocks, options.reduction)
    notes = ("averaged 3 colour channels",) if colours == _COLOUR_CHANNELS else ()
    return Image(
        pixels=pixels,
        mask=mask,
        header=header,
        origin=source.origin(options.word),
        is_fits_like=False,
        is_mosaic=colours == 1 and headers.is_mosaic(header),
        notes=(*notes, "read the first image of several") if len(images) > 1 else notes,
    )


def _check_whole(facts: Mapping[str, Any], source: Source) -> None:
    location = facts["location"]
    if location[0] != "attachment":
        return
    missing = location[1] + location[2] - source.size_bytes
    if missing > 0:
        raise DataError(f"{source.shown} is truncated: {missing} bytes are missing; copy it again")


def _blocks(values: Any) -> Iterator[Block]:
    for first, end in row_blocks(*values.shape[:2]):
        block = values[first:end]
        yield first, 0, block if block.shape[2] > 1 else block[:, :, 0]


def _header(keywords: Mapping[str, list[dict[str, str]]]) -> dict[str, HeaderValue]:
    """Return FITS keywords, which XISF stores as text, with their types."""
    return headers.plain((key, _typed(cards[0]["value"])) for key, cards in keywords.items() if cards)


def _typed(text: str) -> HeaderValue:
    if text in ("T", "F"):
        return text == "T"
    if _INTEGER.fullmatch(text):
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text
