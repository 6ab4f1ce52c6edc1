"""Blocks of any type → float32 pixels and a mask; colours are averaged; NaN and fill values are masked.

Readers pass blocks of rows (or tiles), so that no second copy of the image is held in another type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from novacli.inputs.reduction import Reduction

#: Pixels converted at a time: large enough to be fast, small enough to stay out of the memory peak.
BLOCK_PIXELS = 1 << 19
#: Some software writes a value beyond this (often -3.4e38) for a pixel without a value; sums over it overflow float32,
#: and sep crashes.
_LARGEST = 1e30

Block: TypeAlias = "tuple[int, int, NDArray[np.generic]]"


def row_blocks(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield (first, end) row numbers, 0-based, that cover ``height`` rows in blocks of about ``BLOCK_PIXELS``."""
    step = max(1, BLOCK_PIXELS // max(1, width))
    for first in range(0, height, step):
        yield first, min(first + step, height)


def assemble(
    height: int, width: int, blocks: Iterable[Block], reduction: Reduction | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Return pixels and mask from blocks.

    Parameters
    ----------
    height, width
        Size of the image, in pixels.
    blocks
        (row, column, values): the 0-based position of the block's first pixel in the image, and its values, shape
        (rows, columns) or (rows, columns, channels), of any real type, possibly a masked array.  Channels are averaged.
    reduction
        Collects the blocks in colour at a reduced size; the pixels that are returned then have that size, too.

    Returns
    -------
    pixels
        float32, shape (height, width); masked pixels are 0, so that no later arithmetic meets a NaN.
    mask
        bool, same shape, True for a value that is masked, NaN or beyond ``_LARGEST``; None if there is none.
    """
    if reduction is not None:
        return reduction.collect(height, width, blocks), None
    pixels = np.zeros((height, width), dtype=np.float32)
    mask: NDArray[np.bool_] | None = None
    for row, column, values in blocks:
        target = pixels[row : row + values.shape[0], column : column + values.shape[1]]
        bad = _convert(values, target)
        if bad is None:
            continue
        if mask is None:
            mask = np.zeros((height, width), dtype=np.bool_)
        mask[row : row + values.shape[0], column : column + values.shape[1]] = bad
        target[bad] = 0
    return pixels, mask


def _convert(values: NDArray[np.generic], target: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """Write ``values`` to ``target``; return a mask of bad values, or None if there are none."""
    data = np.asarray(values)
    with np.errstate(over="ignore", invalid="ignore"):
        if data.ndim == 2:
            np.copyto(target, data, casting="unsafe")
        else:
            _average(data, target)
    # numpy.ma is not asked if this is a masked array: importing it takes 12 ms, and few arrays are masked.
    masked: Any = getattr(values, "mask", False)
    bad: NDArray[np.bool_] | None = np.asarray(masked) if np.ndim(masked) else None
    if bad is not None and bad.ndim == 3:
        bad = np.asarray(np.any(bad, axis=2))
    if data.dtype.kind == "f":
        absurd = ~(np.abs(target) <= _LARGEST)
        bad = absurd if bad is None else np.logical_or(bad, absurd)
    return bad if bad is not None and bad.any() else None


def _average(data: NDArray[np.generic], target: NDArray[np.float32]) -> None:
    """Write the mean of the channels, the last axis of ``data``, to ``target``."""
    channels = data.shape[2]
    np.copyto(target, data[:, :, 0], casting="unsafe")
    for channel in range(1, channels):
        np.add(target, data[:, :, channel], out=target, casting="unsafe", dtype=np.float32)
    target /= channels
