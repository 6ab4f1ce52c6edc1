"""Read an image in colour at a reduced size, for pictures: blocks of pixels are averaged as the reader yields them.

The full image is kept in memory only if its decoder needs all of it (PNG, GIF, WebP, compressed TIFF planes).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from novacli.errors import DataError
from novacli.inputs import registry
from novacli.inputs.kinds import Input
from novacli.inputs.limits import DEFAULT_LIMITS, Limits
from novacli.inputs.opening import open_input
from novacli.inputs.reduction import Reduction
from novacli.inputs.source import ReadOptions
from novacli.records.field import HeaderValue, Image
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray


@record(eq=False)
class ReducedImage:
    """A colour image at a reduced size.

    Attributes
    ----------
    values
        float32, shape (height, width, 1 or 3), row 0 the first stored row; NaN where all pixels of a box are masked.
        The last row and column may lie partly outside the image.
    white
        The value of full white; None if the numbers have no such value, as in FITS.
    full_width, full_height
        Size of the image, pixels.
    step
        Image pixels on each side of a reduced pixel.
    header
        FITS keywords and EXIF tags, as :class:`novacli.records.field.Image` has them.
    is_fits_like
        True if y points up when the image is displayed.
    """

    values: NDArray[np.float32]
    white: float | None
    full_width: int
    full_height: int
    step: int
    header: Mapping[str, HeaderValue]
    is_fits_like: bool


def read_reduced(
    given: Input, target_px: int, *, hdu: int | None = None, limits: Limits = DEFAULT_LIMITS
) -> ReducedImage:
    """Read an image in colour, reduced by a whole number of pixels.

    Parameters
    ----------
    given
        A file, a URL or a stream.
    target_px
        Least length of the longer side of the result, pixels; it is below twice that, or the image is not reduced.
    hdu
        0-based FITS HDU; None for the first that holds an image.
    limits
        Bounds on sizes and download times.

    Raises
    ------
    DataError
        If it is not an image, is damaged, or exceeds a limit.
    NovaError
        As :func:`novacli.inputs.open_field`.
    """
    reduction = Reduction(target_px)
    with open_input(given, limits) as source:
        chosen = registry.choose(source)
        options = ReadOptions(word=chosen.word, hdu=hdu, size=None, limits=limits, reduction=reduction)
        field = chosen.reader().read(source, options)
        if not isinstance(field, Image):
            raise DataError(f"{source.shown} is a star list: name the image by --image")
    has_pattern = field.is_mosaic and reduction.step % 2
    return ReducedImage(
        values=_without_pattern(reduction.values) if has_pattern else reduction.values,
        white=reduction.white(is_fits_like=field.is_fits_like),
        full_width=reduction.full_width,
        full_height=reduction.full_height,
        step=reduction.step,
        header=field.header,
        is_fits_like=field.is_fits_like,
    )


def _without_pattern(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a mosaic in which each pixel has the same share of all colours, weighted 1-2-1 along both axes."""
    for axis in (0, 1):
        around = np.pad(values, [(1, 1) if n == axis else (0, 0) for n in range(values.ndim)], mode="reflect")
        before, after = np.delete(around, (-1, -2), axis), np.delete(around, (0, 1), axis)
        values = np.asarray((before + 2 * values + after) / 4, np.float32)
    return values
