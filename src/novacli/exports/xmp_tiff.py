"""XMP packets in TIFF files: tag 700 of the first directory.

The copy has the old file's bytes and, behind them, the packet and a new first directory, to which the header points.
So no offset in the old bytes changes.  An old packet is blanked, because some readers search files for packets.

Source: Adobe, "XMP Specification Part 3", section 1.1.8; "TIFF Revision 6.0", section 2; the BigTIFF design.
"""

from __future__ import annotations

import os
import shutil
from typing import BinaryIO, Literal

from novacli.errors import DataError
from solvehost.record import record

_XMP_TAG, _BYTE = 700, 1
_CLASSIC, _BIG = 42, 43
_MAX_PACKET_BYTES = 64 * 2**20
_MAX_ENTRIES = 65535
_COPY_BYTES = 2**20


@record
class _Layout:
    """How a TIFF file stores numbers: byte order, and the number of bytes of an offset and of a directory's count."""

    order: Literal["little", "big"]
    offset_bytes: int
    count_bytes: int

    @property
    def entry_bytes(self) -> int:
        return 4 + 2 * self.offset_bytes

    @property
    def header_bytes(self) -> int:
        """Length of the header up to the offset of the first directory."""
        return 4 if self.offset_bytes == 4 else 8

    def number(self, raw: bytes) -> int:
        return int.from_bytes(raw, self.order)

    def pack(self, value: int, size: int) -> bytes:
        return value.to_bytes(size, self.order)


@record
class _Directory:
    """The first directory: its entries by tag, as they are stored, and the offset of the next directory."""

    layout: _Layout
    entries: dict[int, bytes]
    next_offset: bytes

    @property
    def packet_range(self) -> tuple[int, int] | None:
        """The offset and the length of the XMP packet; None if there is none."""
        entry, width = self.entries.get(_XMP_TAG), self.layout.offset_bytes
        if entry is None:
            return None
        return self.layout.number(entry[4 + width :]), self.layout.number(entry[4 : 4 + width])


def read_packet(stream: BinaryIO) -> bytes | None:
    """Return the XMP packet of a TIFF file, None if it has none; raise DataError if the file is damaged."""
    place = _read_directory(stream).packet_range
    if place is None:
        return None
    offset, size = place
    stream.seek(offset)
    packet = stream.read(min(size, _MAX_PACKET_BYTES))
    if len(packet) < size:
        raise DataError("its XMP metadata are damaged or too long")
    return packet


def copy(stream: BinaryIO, packet: bytes, out: BinaryIO) -> None:
    """Copy a TIFF file with an XMP packet in place of the one that it has.

    Raises
    ------
    DataError
        If the file is damaged, or has no room for more within the 4 GB of a classic TIFF file.
    """
    directory = _read_directory(stream)
    layout = directory.layout
    size = stream.seek(0, os.SEEK_END)
    packet_at = size + size % 2
    directory_at = packet_at + len(packet) + len(packet) % 2
    if directory_at + 2 * layout.entry_bytes * len(directory.entries) >= 256**layout.offset_bytes:
        raise DataError("the file is too large for more metadata")
    entry = layout.pack(_XMP_TAG, 2) + layout.pack(_BYTE, 2)
    entry += layout.pack(len(packet), layout.offset_bytes) + layout.pack(packet_at, layout.offset_bytes)
    entries = {**directory.entries, _XMP_TAG: entry}
    stream.seek(0)
    out.write(stream.read(layout.header_bytes) + layout.pack(directory_at, layout.offset_bytes))
    _copy_blanked(stream, layout.header_bytes + layout.offset_bytes, directory.packet_range, out)
    out.write(bytes(size % 2) + packet + bytes(len(packet) % 2))
    out.write(layout.pack(len(entries), layout.count_bytes))
    out.write(b"".join(entries[tag] for tag in sorted(entries)) + directory.next_offset)


def _copy_blanked(stream: BinaryIO, start: int, blank: tuple[int, int] | None, out: BinaryIO) -> None:
    """Copy a file from ``start`` on, with blanks in place of the range (offset, length) ``blank``."""
    stream.seek(start)
    if blank is not None and blank[0] >= start:
        left = blank[0] - start
        while left and (block := stream.read(min(left, _COPY_BYTES))):
            out.write(block)
            left -= len(block)
        out.write(b" " * len(stream.read(blank[1])))
    shutil.copyfileobj(stream, out)


def _read_directory(stream: BinaryIO) -> _Directory:
    layout = _read_layout(stream)
    stream.seek(layout.header_bytes)
    stream.seek(layout.number(stream.read(layout.offset_bytes)))
    count = layout.number(stream.read(layout.count_bytes))
    raw = stream.read(min(count, _MAX_ENTRIES) * layout.entry_bytes)
    following = stream.read(layout.offset_bytes)
    if not 0 < count <= _MAX_ENTRIES or len(raw) + len(following) < count * layout.entry_bytes + layout.offset_bytes:
        raise DataError("it is a damaged TIFF file")
    pieces = [raw[n : n + layout.entry_bytes] for n in range(0, len(raw), layout.entry_bytes)]
    return _Directory(layout, {layout.number(piece[:2]): piece for piece in pieces}, following)


def _read_layout(stream: BinaryIO) -> _Layout:
    stream.seek(0)
    head = stream.read(4)
    orders: dict[bytes, Literal["little", "big"]] = {b"II": "little", b"MM": "big"}
    order = orders.get(head[:2])
    kind = int.from_bytes(head[2:], order) if order is not None else 0
    if order is None or kind not in (_CLASSIC, _BIG):
        raise DataError("it is not a TIFF file: it has changed since it was solved")
    return _Layout(order, 4, 2) if kind == _CLASSIC else _Layout(order, 8, 8)
