"""Write a solved image as a new FITS file with the solution in its header, for ``--new-fits``.

A FITS image is copied byte for byte except for one header.  Of any other picture, the pixels are written in the depth
in which they are stored, first stored row first, so that the solution fits them.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from novacli.errors import DataError, InternalError, UsageError
from novacli.exports import insert
from novacli.exports.description import description_cards, read_solution
from novacli.files.atomic import replacing
from novacli.files.compression import kind_by_name, open_packer
from novacli.fits import celestial
from novacli.inputs import FileInput
from novacli.inputs.limits import DEFAULT_LIMITS, Limits
from novacli.inputs.opening import open_input
from novacli.records.field import Origin
from novacli.text.printable import shown_name
from solvehost.formats import fitsfile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: BITPIX and BZERO by numpy type.  With BZERO, FITS stores unsigned integers as signed ones, and signed bytes as
#: unsigned ones.
#: Source: FITS Standard 4.0, table 11.
_BITPIX: dict[str, tuple[int, int]] = {
    "u1": (8, 0), "i1": (8, -(2**7)), "i2": (16, 0), "u2": (16, 2**15),
    "i4": (32, 0), "u4": (32, 2**31), "i8": (64, 0), "f4": (-32, 0), "f8": (-64, 0),
}  # fmt: skip
_ROWS_AT_ONCE = 256


def new_fits(
    origin: Origin, wcs_fits: bytes, out: Path, *, local: str | None = None, limits: Limits = DEFAULT_LIMITS
) -> None:
    """Write a solved image as a new FITS file with the solution in its header.

    Parameters
    ----------
    origin
        Where the solved image came from.
    wcs_fits
        Content of the solution's ``wcs.fits``.
    out
        The file to write; it is packed if its name ends in ``.gz`` or ``.bz2``.
    local
        A file with the same bytes, if the image came from standard input or a URL.
    limits
        Bounds on the image, which is read again.

    Raises
    ------
    UsageError
        If there is no picture to write, or if ``out`` is the image itself.
    DataError, InputMissingError, DeniedError, TransferError
        If the image cannot be read again, or has changed.
    OutputError
        If ``out`` cannot be written.
    """
    path = local or origin.path
    if path is None:
        raise UsageError(
            f"{shown_name(origin.name)} was not read from a file, which --new-fits needs: save it first, or use --wcs"
        )
    with contextlib.suppress(OSError):
        if out.samefile(path):
            raise UsageError(
                f"{shown_name(str(out))} is the image itself: use --update, or give --new-fits another name"
            )
    if origin.format == "FITS":
        with open_input(FileInput(path), limits) as source:
            header = insert.plan(source.file, origin.hdu or 0, wcs_fits, source.shown, insert.COPY_HISTORY)
            with replacing(out) as raw, open_packer(raw, kind_by_name(out)) as stream:
                insert.copy(source.file, header, stream, source.shown)
        return
    from novacli.exports.original_pixels import stored_pixels

    pixels = stored_pixels(path, limits)
    _check_size(pixels, wcs_fits, path)
    write_pixels(pixels, wcs_fits, out)


def _check_size(pixels: NDArray[Any], wcs_fits: bytes, path: str) -> None:
    """Raise if the pixels are not those that were solved."""
    solution = read_solution(wcs_fits)
    if pixels.shape[:2] != (solution.height, solution.width):
        size, wanted = f"{pixels.shape[1]} x {pixels.shape[0]}", f"{solution.width} x {solution.height}"
        raise DataError(f"{shown_name(path)} has {size} pixels, but {wanted} were solved: solve the image again")


def write_pixels(pixels: NDArray[Any], wcs_fits: bytes, out: Path) -> None:
    """Write an array as a new FITS image with the solution in its header.

    Parameters
    ----------
    pixels
        Integers or floats, shape (height, width) or (height, width, channels); row 0 is y = 1.  They keep their values
        and, if FITS has it, their type.  Channels become planes (NAXIS3).
    wcs_fits
        Content of the solution's ``wcs.fits``.
    out
        The file to write; it is packed if its name ends in ``.gz`` or ``.bz2``.

    Raises
    ------
    OutputError
        If the file cannot be written.
    DataError
        If ``wcs_fits`` holds no solution.
    UsageError
        If the image has channels and its distortion has no form beside them.
    """
    pixels = _storable(pixels)
    header = _header(pixels, wcs_fits)
    with replacing(out) as raw, open_packer(raw, kind_by_name(out)) as stream:
        stream.write(header)
        _write_planes(pixels, stream)


def _storable(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the pixels in a type that FITS has, without loss."""
    import numpy as np

    if pixels.ndim not in (2, 3) or pixels.dtype.kind not in "buif":
        raise InternalError(f"an array of shape {pixels.shape} and type {pixels.dtype} is not a picture")
    if pixels.dtype.kind == "b":
        return pixels.astype(np.uint8)
    if pixels.dtype.str[1:] in _BITPIX:
        return pixels
    return pixels.astype(np.float32 if pixels.dtype.itemsize < 4 else np.float64)


def _header(pixels: NDArray[Any], wcs_fits: bytes) -> bytes:
    bitpix, zero = _BITPIX[pixels.dtype.str[1:]]
    axes = (pixels.shape[1], pixels.shape[0], *pixels.shape[2:])
    values: list[tuple[str, fitsfile.CardValue]] = [("SIMPLE", True), ("BITPIX", bitpix), ("NAXIS", len(axes))]
    values += [(f"NAXIS{n}", length) for n, length in enumerate(axes, 1)]
    if zero:
        values += [("BSCALE", 1), ("BZERO", zero)]
    cards = [fitsfile.card(key, value) for key, value in values]
    wcs_cards = description_cards(wcs_fits, len(axes))
    return fitsfile.end_header(celestial.replace_celestial(cards, wcs_cards, insert.COPY_HISTORY))


def _write_planes(pixels: NDArray[Any], stream: BinaryIO) -> None:
    height = pixels.shape[0]
    planes = [pixels] if pixels.ndim == 2 else [pixels[:, :, c] for c in range(pixels.shape[2])]
    for plane in planes:
        for first in range(0, height, _ROWS_AT_ONCE):
            stream.write(_big_endian(plane[first : first + _ROWS_AT_ONCE]))
    stream.write(bytes(-pixels.nbytes % fitsfile.BLOCK))


def _big_endian(rows: NDArray[np.generic]) -> bytes:
    """Return rows of pixels as FITS stores them."""
    import numpy as np

    kind, size = rows.dtype.kind, rows.dtype.itemsize
    if _BITPIX[f"{kind}{size}"][1]:
        # Adding BZERO to a two's complement number inverts its highest bit.
        native = rows.astype(rows.dtype.newbyteorder("="))
        rows = native.view(f"u{size}") ^ np.array(1 << (8 * size - 1), f"u{size}")
    return rows.astype(rows.dtype.newbyteorder(">")).tobytes()
