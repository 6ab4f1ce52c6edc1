"""TIFF → ``Image``, by tifffile: 16-bit and float colour, which Pillow cuts to 8 bits or refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from novacli.errors import DataError, NovaError
from novacli.inputs.pixels import Block, assemble, row_blocks
from novacli.inputs.tiffheader import ANONYMOUS, page_header
from novacli.records.field import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from novacli.inputs.source import ReadOptions, Source
    from novacli.records.field import Field

_TAG_SUB_DIRECTORIES, _TAG_DNG_VERSION = 330, 50706
_PHOTOMETRIC = tifffile.PHOTOMETRIC
#: tifffile turns YCbCr into RGB where these compress it.
_JPEG_COMPRESSIONS = (6, 7)
#: Packed segments are read in batches of this size, which bounds the memory above the pixels.
_BATCH_BYTES = 16 * 1024 * 1024


def read(source: Source, options: ReadOptions) -> Field:
    """Return the first page as an image; a camera raw file is read by ``raw``.

    Raises
    ------
    DataError
        The file is truncated, damaged, above ``limits.max_pixels``, or not decodable by tifffile.
    """
    source.file.seek(0)
    try:
        with tifffile.TiffFile(source.file, name=ANONYMOUS) as tiff:
            page = tiff.pages[0]
            if not _is_camera_raw(page):
                return _image(page, source, options, several=_has_second_page(tiff))
    except NovaError:
        raise
    except Exception as exc:  # tifffile and its codecs raise nearly anything on damaged data.
        raise DataError(f"{source.shown} is a damaged or unusual TIFF file: export it again, uncompressed") from exc
    from novacli.inputs import raw

    return raw.read(source, options)


def _is_camera_raw(page: Any) -> bool:
    """Return True for a camera raw file: a DNG, or a thumbnail whose image is in a sub-directory."""
    return _TAG_DNG_VERSION in page.tags or (bool(page.is_reduced) and _TAG_SUB_DIRECTORIES in page.tags)


def _has_second_page(tiff: tifffile.TiffFile) -> bool:
    try:
        tiff.pages[1]
    except IndexError:
        return False
    return True


def _image(page: Any, source: Source, options: ReadOptions, *, several: bool) -> Image:
    width, height = int(page.imagewidth), int(page.imagelength)
    options.limits.check_pixels(source.shown, width, height)
    _check_whole(page, source)
    # dtype is None for numbers of a size that tifffile does not know.
    if page.dtype is None or page.dtype.kind not in "buif":
        raise DataError(f"{source.shown} does not hold real numbers as pixels: export it as 16-bit or float TIFF")
    pixels, mask = assemble(height, width, _blocks(page, source), options.reduction)
    return Image(
        pixels=pixels,
        mask=mask,
        header=page_header(page),
        origin=source.origin(options.word),
        is_fits_like=False,
        is_mosaic=page.photometric == _PHOTOMETRIC.CFA,
        notes=("read the first page of several",) if several else (),
    )


def _check_whole(page: Any, source: Source) -> None:
    ends = (offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False))
    missing = max(ends, default=0) - source.size_bytes
    if missing > 0:
        raise DataError(f"{source.shown} is truncated: at least {missing} bytes are missing; copy it again")


def _blocks(page: Any, source: Source) -> Iterator[Block]:
    if page.is_memmappable and page.planarconfig == 1:
        yield from _stored_rows(page, source)
    elif page.planarconfig == 1:
        yield from _decoded_segments(page)
    else:
        planes = np.moveaxis(page.asarray().reshape(page.samplesperpixel, page.imagelength, page.imagewidth), 0, 2)
        for first, end in row_blocks(page.imagelength, page.imagewidth):
            yield first, 0, _light(planes[first:end], page)


def _stored_rows(page: Any, source: Source) -> Iterator[Block]:
    """Yield uncompressed rows, without a copy of the whole image."""
    dtype = np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
    row_values = page.imagewidth * page.samplesperpixel
    for first, end in row_blocks(page.imagelength, page.imagewidth):
        source.file.seek(page.dataoffsets[0] + first * row_values * dtype.itemsize)
        stored = np.frombuffer(source.file.read((end - first) * row_values * dtype.itemsize), dtype)
        yield first, 0, _light(stored.reshape(end - first, page.imagewidth, page.samplesperpixel), page)


def _decoded_segments(page: Any) -> Iterator[Block]:
    """Yield strips or tiles as they are decoded."""
    for segment, (_, depth, row, column, _), (_, rows, columns, _) in page.segments(buffersize=_BATCH_BYTES):
        if segment is None or depth > 0:
            continue
        rows, columns = min(rows, page.imagelength - row), min(columns, page.imagewidth - column)  # noqa: PLW2901
        yield row, column, _light(segment[0, :rows, :columns], page)


def _light(samples: NDArray[Any], page: Any) -> NDArray[Any]:
    """Return samples, shape (rows, columns, samples), as brightness, mono or RGB, without alpha and further samples."""
    kind = page.photometric
    if kind == _PHOTOMETRIC.PALETTE and page.colormap is not None:
        return np.moveaxis(page.colormap[:, samples[:, :, 0]], 0, 2)
    if kind == _PHOTOMETRIC.SEPARATED and samples.shape[2] >= 4:
        paper = _inverted(samples[:, :, :4], page).astype(np.float32)
        return paper[:, :, :3] * (paper[:, :, 3:] / _white(page))
    is_luminance_first = kind == _PHOTOMETRIC.CIELAB or (
        kind == _PHOTOMETRIC.YCBCR and page.compression not in _JPEG_COMPRESSIONS
    )
    if samples.shape[2] < 3 or is_luminance_first:
        mono = samples[:, :, 0]
        return _inverted(mono, page) if kind == _PHOTOMETRIC.MINISWHITE else mono
    return samples[:, :, :3]


def _inverted(samples: NDArray[Any], page: Any) -> NDArray[Any]:
    return ~samples if samples.dtype.kind == "b" else np.asarray(_white(page) - samples)


def _white(page: Any) -> float | int:
    """Return the largest value that a sample can have."""
    return int(2 ** min(page.bitspersample, 32) - 1) if page.dtype.kind in "bu" else 1.0
