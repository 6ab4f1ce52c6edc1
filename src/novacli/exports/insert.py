"""Copy a FITS file with a new description of the sky in the header of one HDU; every other byte stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from novacli.errors import DataError, UsageError
from novacli.exports.description import description_cards, read_solution
from novacli.files.atomic import read_error, reading
from novacli.fits import celestial, checksum
from novacli.fits.cards import keyword, split
from solvehost.formats import fitsfile
from solvehost.record import record

if TYPE_CHECKING:
    from novacli.wcs.tansip import TanSip

HISTORY = "World coordinates by nova with astrometry-engine (Astrometry.net)"
#: Marks a copy with a solution.  A batch leaves copies out, but not images that got their own solution.
COPY_HISTORY = "World coordinates by nova with astrometry-engine, in a new file"
_COPY_BYTES = 2**20
_INTERLEAVED_CHANNELS = (3, 4)
#: Checksum of the header and the data before compression.  It is dropped, since it would take unpacking to renew it.
_STALE = "ZHECKSUM"


@record
class NewHeader:
    """A new header: ``start`` and ``end`` are the place of the old one in the file, bytes; ``header`` replaces it."""

    start: int
    end: int
    header: bytes


def plan(stream: BinaryIO, hdu: int, wcs_fits: bytes, shown: str, history: str = HISTORY) -> NewHeader:
    """Return the new header of an HDU with a solution.

    Parameters
    ----------
    stream
        A seekable FITS file.
    hdu
        Number of the HDU, counted from 0.
    wcs_fits
        Content of the solution's ``wcs.fits``.
    shown
        Name of the file for messages.
    history
        Text of the HISTORY card that says where the solution is from.

    Raises
    ------
    DataError
        If the file has no such HDU, is damaged before or in its header, or has another size than was solved.
    UsageError
        If the HDU is not an image, or not one whose first two axes were solved.
    TransferError
        If the file cannot be read.
    """
    try:
        header, offset, size = _find_hdu(stream, hdu, shown)
        _check_image(header, read_solution(wcs_fits), hdu, shown)
        stream.seek(offset - header.size)
        cards = [card for card in split(stream.read(header.size)) if keyword(card) != _STALE]
        new = celestial.replace_celestial(cards, description_cards(wcs_fits, celestial.count_axes(cards)), history)
        return NewHeader(offset - header.size, offset, _finished(new, stream, size))
    except OSError as exc:
        raise read_error(shown, exc) from exc


def _find_hdu(stream: BinaryIO, hdu: int, shown: str) -> tuple[fitsfile.Header, int, int]:
    """Return the header of an HDU, and the offset and the length of its data in bytes."""
    try:
        header, offset = next(islice(fitsfile.iter_hdus(stream), hdu, None))
        return header, offset, fitsfile.data_size(header)
    except StopIteration:
        raise DataError(f"{shown} has no HDU {hdu}: it has changed since it was read") from None
    except DataError as exc:
        raise DataError(f"{shown}: {exc}: it has changed since it was read") from exc


def _finished(cards: Sequence[bytes], stream: BinaryIO, data_bytes: int) -> bytes:
    """Return the header as bytes, with CHECKSUM and DATASUM renewed if it has them; ``stream`` stands at the data."""
    if checksum.is_needed(cards):
        cards = checksum.refresh(cards, checksum.sum_stream(stream, data_bytes))
    return fitsfile.end_header(list(cards))


def _check_image(header: fitsfile.Header, solved: TanSip, hdu: int, shown: str) -> None:
    """Raise if the HDU is not the image that was solved."""
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
            f"{shown} has its colours as the first axis, and readers expect the sky on the first two: use --wcs"
        )
    raise DataError(
        f"{shown} has {axes[0]} x {axes[1]} pixels in HDU {hdu}, but {wanted[0]} x {wanted[1]} were solved: "
        "solve the image again"
    )


def _axes(header: Mapping[str, fitsfile.CardValue]) -> tuple[int, ...]:
    """Return the lengths of an image's axes, before compression if it is compressed; () if it is not an image."""
    if header.get("ZIMAGE") is True:
        prefix = "Z"
    elif "XTENSION" in header and header["XTENSION"] != "IMAGE":
        return ()
    else:
        prefix = ""
    count = header.get(f"{prefix}NAXIS")
    lengths = [header.get(f"{prefix}NAXIS{n}") for n in range(1, min(int(count or 0), celestial.MAX_AXES) + 1)]
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
