"""Recognise a negative picture, dark stars on a bright sky, and invert it.

The test has two steps.  The first one compares how far the pixels of each part of a picture rise above the sky and how
far they fall below it; nearly every ordinary picture passes it, in one or two nanoseconds a pixel.  Only a picture that
does not pass is searched for stars of both kinds.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from novacli.arrays.statistics import median, quantile
from novacli.extraction.detect import DetectionSettings, detect_sources
from novacli.records.field import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from novacli.records.field import Field

#: The picture has this many parts along each axis, and the sky level of a part is the median of this many pixels along
#: each axis.
_PARTS, _SKY_SAMPLES = 16, 24
#: A picture of few stars has no star in up to this share of its parts.
_EMPTY_SHARE = 0.9
#: Stars are searched for in the picture binned to at most this many pixels.
_SEARCH_PX = 1_000_000
_THRESHOLD_SIGMA, _MIN_AREA_PX = 6.0, 3
#: A source counts as a star if it is round, and small in binned pixels.
_LEAST_AXIS_RATIO, _MAX_SEMI_AXIS_PX = 0.6, 5.0
#: A negative shows at least this many dark stars, and this many times as many as bright ones.
_LEAST_DARK, _LEAST_DARK_PER_BRIGHT = 6, 3
#: Dark letters and leaves are about equally deep, while most stars are much fainter than the brightest ones. If this
#: many bright stars are there too, the median depth must be below a share of that of the tenth deepest source.
_FEW_BRIGHT, _DEEPEST, _MAX_MEDIAN_DEPTH = 2, 10, 0.55
#: Bright sources with a peak below this share of the median depth are the rings that JPEG draws around dark stars.
_FAINT_SHARE = 0.25


def with_bright_stars(field: Field, invert: bool | None) -> Field:
    """Return a field whose stars are brighter than the sky.

    Parameters
    ----------
    field
        An image or a star list; it is not changed.  A star list is returned as it is.
    invert
        True for a negative, False for an ordinary picture, None to find out.

    Returns
    -------
    Field
        The field itself, or the inverted image with a note about it.
    """
    if not isinstance(field, Image) or invert is False:
        return field
    if invert:
        return _inverted(field, "inverted the picture, as asked")
    if not _may_be_negative(field):
        return field
    remedy = "give --no-invert (invert=False in Python) if that is wrong"
    negative = _inverted(field, f"took the picture as a negative, with stars darker than the sky: {remedy}")
    return negative if _is_negative(_star_peaks(negative), _star_peaks(field)) else field


def _inverted(image: Image, note: str) -> Image:
    """Return an inverted image with the same range of values and one more note; masked pixels stay 0."""
    good = image.pixels if image.mask is None else image.pixels[~image.mask]
    pixels = (good.min() + good.max() if good.size else np.float32(0)) - image.pixels
    if image.mask is not None:
        pixels[image.mask] = 0
    return replace(image, pixels=pixels, notes=(*image.notes, note))


def _may_be_negative(image: Image) -> bool:
    """Return False if pixels rise further above the sky than they fall below it in the parts that have stars."""
    rises, falls = _extremes(image.pixels)
    return quantile(falls, _EMPTY_SHARE) >= quantile(rises, _EMPTY_SHARE)


def _extremes(pixels: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how far the highest pixel of each part of the picture is above the part's sky, and the lowest below it.

    Rows and columns beyond the last whole part are left out.
    """
    rows, columns = (max(1, side // _PARTS) for side in pixels.shape)
    down, across = (min(_PARTS, side) for side in pixels.shape)
    whole = pixels[: rows * down, : columns * across].reshape(down, rows, across * columns)
    highest, lowest = (extreme(axis=1).reshape(down, across, columns) for extreme in (whole.max, whole.min))
    steps = (math.ceil(side / _SKY_SAMPLES) for side in (rows, columns))
    parts = whole.reshape(down, rows, across, columns)[:, :: next(steps), :, :: next(steps)]
    sky = median(parts.transpose(0, 2, 1, 3).reshape(down, across, -1))
    return highest.max(axis=2) - sky, sky - lowest.min(axis=2)


def _star_peaks(image: Image) -> NDArray[np.float64]:
    """Return the peaks of the stars in an image above the sky, highest first."""
    binning = max(1, math.ceil(math.sqrt(image.pixels.size / _SEARCH_PX)))
    if image.is_mosaic:
        binning += binning % 2
    found = detect_sources(image, DetectionSettings(binning, _THRESHOLD_SIGMA, _MIN_AREA_PX))
    is_star = (found["b"] > _LEAST_AXIS_RATIO * found["a"]) & (found["a"] < _MAX_SEMI_AXIS_PX)
    return np.sort(found["peak"][is_star].astype(np.float64))[::-1]


def _is_negative(dark: NDArray[np.float64], bright: NDArray[np.float64]) -> bool:
    """Return True if a picture with these peaks of dark and of bright sources, highest first, is a negative."""
    if len(dark) < _LEAST_DARK:
        return False
    typical = float(median(dark))
    rivals = int(np.sum(bright > _FAINT_SHARE * typical))
    if len(dark) < _LEAST_DARK_PER_BRIGHT * rivals:
        return False
    return rivals < _FEW_BRIGHT or typical < _MAX_MEDIAN_DEPTH * float(dark[:_DEEPEST][-1])
