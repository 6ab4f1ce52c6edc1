"""PGM, PPM (8 or 16 bits, binary or ASCII) and PFM (float32) → ``Image``.

Pillow would cut 16-bit colours to 8 bits, and scale grey values by the largest one that the header allows.

Source: the manual pages pgm(5) and ppm(5) of Netpbm; for PFM, pfm(5).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from novacli.errors import DataError
from novacli.inputs.pixels import Block, assemble, row_blocks
from novacli.inputs.registry import PNM_HEADER
from novacli.inputs.source import CHUNK_BYTES
from novacli.records.field import Image
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from novacli.inputs.source import ReadOptions, Source

_ASCII, _COLOUR, _FLOAT = b"23", b"36F", b"Ff"
_MAX_VALUE, _MAX_DIGITS = 65535, 8


@record
class PnmHeader:
    """The header of a PNM file: the size in pixels, the stored type, and the offset of the pixels in bytes."""

    width: int
    height: int
    channels: int
    dtype: np.dtype[Any]
    is_ascii: bool
    offset: int

    @property
    def row_values(self) -> int:
        """The number of values in a row."""
        return self.width * self.channels

    @property
    def least_bytes(self) -> int:
        """The least size of the file; a value in ASCII has a digit, and a space before the next one."""
        values = self.height * self.row_values
        return self.offset + (2 * values - 1 if self.is_ascii else values * self.dtype.itemsize)


def read(source: Source, options: ReadOptions) -> Image:
    """Return the image; its first row is the first stored one.

    Raises
    ------
    DataError
        It is truncated, damaged, or above ``limits.max_pixels``.
    """
    header = read_header(source)
    options.limits.check_pixels(source.shown, header.width, header.height)
    pixels, mask = assemble(header.height, header.width, blocks(source, header), options.reduction)
    return Image(
        pixels=pixels,
        mask=mask,
        header={},
        origin=source.origin(options.word),
        # PFM begins with the lowest row, as FITS does.
        is_fits_like=header.dtype.kind == "f",
    )


def read_header(source: Source) -> PnmHeader:
    """Return the header of a PNM file.

    Raises
    ------
    DataError
        A value in it is out of range, or the file is too short for its pixels.
    """
    match = PNM_HEADER.match(source.head)
    assert match is not None  # noqa: S101 - the registry checked it
    kind, width, height, largest = match.groups()
    if kind in _FLOAT:
        dtype: np.dtype[Any] = np.dtype("<f4" if largest.startswith(b"-") else ">f4")
    elif largest.isdigit() and 0 < int(largest) <= _MAX_VALUE:
        dtype = np.dtype("u1" if int(largest) < 256 else ">u2")
    else:
        raise _damaged(source)
    channels = 3 if kind in _COLOUR else 1
    header = PnmHeader(int(width), int(height), channels, dtype, kind in _ASCII, match.end())
    if source.size_bytes < header.least_bytes:
        raise _truncated(source)
    return header


def blocks(source: Source, header: PnmHeader) -> Iterator[Block]:
    """Yield the pixels as blocks of rows.

    Raises
    ------
    DataError
        The file ends too early, or holds something else than numbers.
    """
    numbers = _numbers(source, header) if header.is_ascii else None
    source.file.seek(header.offset)
    for first, end in row_blocks(header.height, header.width):
        start, count = first * header.row_values, (end - first) * header.row_values
        if numbers is None:
            values = np.frombuffer(source.file.read(count * header.dtype.itemsize), header.dtype)
        else:
            values = numbers[start : start + count]
        shape = (end - first, header.width, header.channels)
        yield first, 0, values.reshape(shape if header.channels > 1 else shape[:2])


def _numbers(source: Source, header: PnmHeader) -> NDArray[np.generic]:
    """Return all values of a picture that is written in ASCII."""
    values = np.zeros(header.height * header.row_values, header.dtype)
    filled, rest = 0, b""
    source.file.seek(header.offset)
    while filled < values.size:
        chunk = source.file.read(CHUNK_BYTES)
        words = (rest + chunk).split()
        # The last number may go on in the next chunk.
        rest = words.pop() if chunk and words and not chunk[-1:].isspace() else b""
        if not chunk and not words:
            raise _truncated(source)
        if len(rest) > _MAX_DIGITS or not all(word.isdigit() and len(word) <= _MAX_DIGITS for word in words):
            raise _damaged(source)
        found = np.array(words[: values.size - filled], dtype=f"S{_MAX_DIGITS}").astype(np.int64)
        if found.size and found.max() > np.iinfo(header.dtype).max:
            raise _damaged(source)
        values[filled : filled + found.size] = found
        filled += found.size
    return values


def _truncated(source: Source) -> DataError:
    return DataError(f"{source.shown} is truncated: its pixels end too early; copy it again")


def _damaged(source: Source) -> DataError:
    return DataError(f"{source.shown} is a damaged PNM file: copy or export it again")
