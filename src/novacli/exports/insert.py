"""A FITS file copied with a new celestial description in the header of one HDU, and not one other byte changed."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from novacli.errors import DataError, UsageError
from novacli.files.atomic import reading
from novacli.fits import cards as fitscards
from novacli.fits import checksum
from novacli.wcs import header as wcsheader
from solvehost.errors import DataError as HeaderError
from solvehost.formats import fitsfile

if TYPE_CHECKING:
    from novacli.wcs.tansip import TanSip

HISTORY = "World coordinates by nova with astrometry-engine (Astrometry.net)"
#: Stands in a file that is a copy with a solution, never in an image that got its own: a batch leaves copies out.
COPY_HISTORY = "World coordinates by nova with astrometry-engine, in a new file"
_COPY_BYTES = 2**20
_INTERLEAVED_CHANNELS = (3, 4)
#: Holds the checksum of the whole image before compression, header included, which nobody can bring up to date.
_STALE = "ZHECKSUM"


@dataclass(frozen=True, slots=True)
class NewHeader:
    """The place of a header in a file, in bytes, and what is to stand there."""

    start: int
    end: int
    header: bytes


def plan(stream: BinaryIO, hdu: int, wcs_fits: bytes, shown: str, history: str = HISTORY) -> NewHeader:
    """Return the header that HDU ``hdu`` (0-based) of a seekable FITS stream gets with the solution in ``wcs_fits``.

    ``history`` is the text of the HISTORY card that says where the solution is from.

    Raises
    ------
    DataError
        Where the stream is damaged before or in that header, or has no such HDU.
    UsageError
        Where the HDU is no image, or no image whose first two axes are those of the solution.
    """
    try:
        header, offset = next(islice(fitsfile.iter_hdus(stream), hdu, None))
        size = fitsfile.data_size(header)
    except StopIteration:
        raise DataError(f"{shown} has no HDU {hdu}: it has changed since it was read") from None
    except HeaderError as exc:
        raise DataError(f"{shown}: {exc}: it has changed since it was read") from exc
    _check_image(header, solution(wcs_fits), hdu, shown)
    stream.seek(offset - header.size)
    cards = [c for c in fitscards.split(stream.read(header.size)) if fitscards.keyword(c) != _STALE]
    made = fitscards.replace_celestial(cards, fitscards.celestial_cards(wcs_fits), history)
    return NewHeader(offset - header.size, offset, _finished(made, stream, size))


def solution(wcs_fits: bytes) -> TanSip:
    """Return the solution in the bytes of a ``wcs.fits``.

    Raises
    ------
    DataError
        Where there is none.
    """
    try:
        return wcsheader.from_header(fitsfile.read_header(io.BytesIO(wcs_fits)))
    except (HeaderError, DataError) as exc:
        raise DataError(f"wcs.fits: {exc}; solve the image again") from exc


def _finished(cards: Sequence[bytes], stream: BinaryIO, data_bytes: int) -> bytes:
    """Return the header as bytes, its checksums brought up to date where it has any; ``stream`` stands at the data."""
    if checksum.is_needed(cards):
        cards = checksum.refresh(cards, checksum.sum_stream(stream, data_bytes))
    return fitsfile.end_header(list(cards))


def _check_image(header: fitsfile.Header, solved: TanSip, hdu: int, shown: str) -> None:
    axes = _axes(header)
    if len(axes) < 2:
        raise UsageError(
            f"{shown} has no image in HDU {hdu} to put the solution into: use --wcs for the solution alone"
        )
    wanted = (solved.width, solved.height)
    if axes[:2] == wanted:
        return
    if axes[0] in _INTERLEAVED_CHANNELS and axes[1:3] == wanted:
        raise UsageError(
            f"{shown} has its colours as the first axis, where FITS has no place for a distorted sky: use --wcs"
        )
    raise DataError(
        f"{shown} has {axes[0]} x {axes[1]} pixels in HDU {hdu}, but {wanted[0]} x {wanted[1]} were solved: "
        "solve the image again"
    )


def _axes(header: Mapping[str, fitsfile.CardValue]) -> tuple[int, ...]:
    """Return the lengths of an image's axes, of the uncompressed one where it is compressed; () for no image."""
    if header.get("ZIMAGE") is True:
        prefix = "Z"
    elif "XTENSION" in header and header["XTENSION"] != "IMAGE":
        return ()
    else:
        prefix = ""
    count = header.get(f"{prefix}NAXIS")
    lengths = [header.get(f"{prefix}NAXIS{n}") for n in range(1, min(int(count or 0), fitscards.MAX_AXES) + 1)]
    return tuple(n for n in lengths if isinstance(n, int))


def copy(stream: BinaryIO, new: NewHeader, out: BinaryIO, shown: str) -> None:
    """Copy a seekable FITS file with the new header in its place.

    Parameters
    ----------
    stream
        The file to copy.
    new
        The header and the place of the one that it replaces.
    out
        Where the copy is written, in blocks.
    shown
        Name of the copied file for messages.

    Raises
    ------
    TransferError
        If the file cannot be read.
    """
    source = reading(stream, shown)
    stream.seek(0)
    left = new.start
    while left and (block := source.read(min(left, _COPY_BYTES))):
        out.write(block)
        left -= len(block)
    out.write(new.header)
    stream.seek(new.end)
    while block := source.read(_COPY_BYTES):
        out.write(block)
