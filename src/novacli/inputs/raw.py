"""Camera raw (CR2, CR3, NEF, ARW, DNG, RAF, …) → ``Image``, by the optional package ``rawpy`` (LibRaw)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from novacli.errors import DataError, UnavailableError
from novacli.inputs.pixels import Block, assemble, row_blocks
from novacli.inputs.tiffheader import read_header
from novacli.records.field import Image

if TYPE_CHECKING:
    from novacli.inputs.source import ReadOptions, Source

_BAYER_SHAPE = (2, 2)


def read(source: Source, options: ReadOptions) -> Image:
    """Return the values of the sensor: a mosaic, or the mean of the colours if its pattern is not 2×2.

    Rows stay in the order of the sensor, whatever the camera's orientation.

    Raises
    ------
    UnavailableError
        The package ``rawpy`` is not installed.
    DataError
        The file is truncated, damaged, above ``limits.max_pixels``, or of a camera that LibRaw does not know.
    """
    try:
        import rawpy
    except ImportError as exc:
        raise UnavailableError(f"{source.shown} is a camera raw file, which needs: pip install rawpy") from exc
    header = read_header(source)
    source.file.seek(0)
    with contextlib.closing(rawpy.RawPy()) as camera:
        try:
            camera.open_buffer(source.file)
            options.limits.check_pixels(source.shown, camera.sizes.raw_width, camera.sizes.raw_height)
            camera.unpack()
            values, is_mosaic = _values(camera)
        except (rawpy.LibRawError, rawpy.NotSupportedError) as exc:
            raise DataError(
                f"{source.shown} is truncated, damaged, or of a camera that LibRaw does not know: convert it to FITS"
            ) from exc
        pixels, mask = assemble(values.shape[0], values.shape[1], _blocks(values), options.reduction)
    return Image(
        pixels=pixels,
        mask=mask,
        header=header,
        origin=source.origin("raw"),
        is_fits_like=False,
        is_mosaic=is_mosaic,
        notes=() if is_mosaic else ("averaged 3 colour channels",),
    )


def _values(camera: Any) -> tuple[Any, bool]:
    """Return the values, shape (height, width) or (height, width, 3), and True if they are a 2×2 mosaic."""
    pattern = camera.raw_pattern
    if pattern is not None and pattern.shape == _BAYER_SHAPE:
        return camera.raw_image_visible, True
    # Linear, to keep fluxes; not rotated, to keep the order of the rows.
    linear = {"gamma": (1, 1), "no_auto_bright": True, "output_bps": 16, "user_flip": 0}
    return camera.postprocess(**linear), False


def _blocks(values: Any) -> Iterator[Block]:
    for first, end in row_blocks(*values.shape[:2]):
        yield first, 0, values[first:end]
