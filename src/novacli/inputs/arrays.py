"""An array in memory → ``Image``, for the Python API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from novacli.errors import DataError, ParameterError
from novacli.inputs import headers
from novacli.inputs.limits import DEFAULT_LIMITS
from novacli.inputs.pixels import Block, assemble, row_blocks
from novacli.records.field import HeaderValue, Image, Origin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Header = Mapping[str, Any] | Iterable[tuple[str, Any]]


def image_from_array(array: ArrayLike, header: Header | None, mask: ArrayLike | None = None) -> Image:
    """Return an ``Image``; parameters as in :func:`novacli.inputs.from_array`."""
    values = _channels_last(_as_numbers(array))
    height, width = values.shape[:2]
    DEFAULT_LIMITS.check_pixels("the array", width, height)
    pixels, bad = assemble(height, width, _blocks(values))
    if mask is not None:
        bad = _add_mask(pixels, bad, mask, np.shape(array))
    cards = _cards(header)
    colour = values.ndim == 3
    return Image(
        pixels=pixels,
        mask=bad,
        header=cards,
        origin=Origin(name="array", path=None, format="array"),
        # An astronomer's array comes from FITS, whose first row is at the bottom.
        is_fits_like=True,
        is_mosaic=not colour and headers.is_mosaic(cards),
        notes=("averaged 3 colour channels",) if colour else (),
    )


def _as_numbers(array: ArrayLike) -> NDArray[np.generic]:
    values = np.asanyarray(array)
    if values.dtype.kind == "O":
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError) as exc:
            raise DataError(_describe_objects(array)) from exc
    if values.dtype.kind not in "buif":
        raise DataError(f"the array holds {values.dtype} values, not real numbers: convert it to float32")
    return values


def _describe_objects(array: object) -> str:
    if isinstance(array, np.ndarray | list | tuple):
        return "the array holds objects, not numbers: convert it to float32"
    kind = type(array).__name__
    return f"{kind} is not an array of numbers: give its pixels, such as hdu.data, and its header by header="


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
    raise DataError(f"an array of shape {values.shape} is not an image: give (height, width), or that with 3 colours")


def _blocks(values: NDArray[np.generic]) -> Iterator[Block]:
    for first, end in row_blocks(*values.shape[:2]):
        yield first, 0, values[first:end]


def _add_mask(
    pixels: NDArray[np.float32], bad: NDArray[np.bool_] | None, mask: ArrayLike, shape: tuple[int, ...]
) -> NDArray[np.bool_] | None:
    """Return the mask of an image with the caller's added to it; masked pixels become 0.

    ``shape`` is that of the caller's array, which the caller's mask may have too.
    """
    values = np.asarray(mask)
    if values.dtype.kind not in "bui":
        kind = values.dtype
        raise ParameterError(f"mask holds {kind} values, not truth values: give True where a pixel must not be used")
    if values.ndim == 3 and values.shape == shape:
        values = np.any(np.atleast_3d(_channels_last(values)), axis=2)
    added: NDArray[np.bool_] = values.astype(np.bool_)
    if added.shape != pixels.shape:
        raise ParameterError(
            f"mask has shape {added.shape}, but the image {pixels.shape}: give one value for each pixel"
        )
    if not added.any():
        return bad
    pixels[added] = 0
    return added if bad is None else np.logical_or(bad, added)


def _cards(header: Header | None) -> dict[str, HeaderValue]:
    if header is None:
        return {}
    # A Header of astropy has items() but is no Mapping.
    items = getattr(header, "items", None)
    pairs: Any = items() if callable(items) else header
    try:
        return headers.plain(pairs)
    except (TypeError, ValueError) as exc:
        raise ParameterError("header is neither a mapping of FITS keywords nor (keyword, value) pairs") from exc
