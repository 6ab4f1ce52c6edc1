"""An array in memory → ``Image``, for the Python API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from novacli.errors import DataError
from novacli.inputs import headers
from novacli.inputs.limits import DEFAULT_LIMITS
from novacli.inputs.pixels import Block, assemble, row_blocks
from novacli.records.field import Image, Origin


def image_from_array(array: ArrayLike, header: Mapping[str, Any] | Iterable[tuple[str, Any]] | None) -> Image:
    """Return an ``Image``; see ``novacli.inputs.from_array``."""
    values = _channels_last(_as_numbers(array))
    height, width = values.shape[:2]
    DEFAULT_LIMITS.check_pixels("the array", width, height)
    pixels, mask = assemble(height, width, _blocks(values))
    plain = headers.plain(_pairs(header))
    colour = values.ndim == 3
    return Image(
        pixels=pixels,
        mask=mask,
        header=plain,
        origin=Origin(name="array", path=None, format="array"),
        # An astronomer's array comes from FITS, whose first row is at the bottom.
        is_fits_like=True,
        is_mosaic=not colour and headers.is_mosaic(plain),
        notes=("averaged 3 colour channels",) if colour else (),
    )


def _as_numbers(array: ArrayLike) -> NDArray[np.generic]:
    values = np.asanyarray(array)
    if values.dtype.kind == "O":
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError) as exc:
            raise DataError("the array holds objects, not numbers: convert it to float32") from exc
    if values.dtype.kind not in "buif":
        raise DataError(f"the array holds {values.dtype} values, not real numbers: convert it to float32")
    return values


def _channels_last(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return a view of shape (height, width) or (height, width, 3)."""
    if values.ndim == 3 and 1 in (values.shape[0], values.shape[2]):
        values = values[0] if values.shape[0] == 1 else values[:, :, 0]
    if values.ndim == 2:
        return values
    if values.ndim == 3 and values.shape[2] in (3, 4):
        return values[:, :, :3]
    if values.ndim == 3 and values.shape[0] == 3:
        return np.moveaxis(values, 0, 2)
    raise DataError(f"an array of shape {values.shape} is no image: give (height, width), or that with 3 colours")


def _blocks(values: NDArray[np.generic]) -> Iterator[Block]:
    for first, end in row_blocks(*values.shape[:2]):
        yield first, 0, values[first:end]


def _pairs(header: Mapping[str, Any] | Iterable[tuple[str, Any]] | None) -> Iterable[tuple[Any, Any]]:
    if header is None:
        return ()
    # A Header of astropy has items() but is no Mapping.
    items = getattr(header, "items", None)
    return items() if callable(items) else header  # type: ignore[return-value]
