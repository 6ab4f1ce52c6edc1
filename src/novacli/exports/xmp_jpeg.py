"""XMP packets in JPEG files: an APP1 segment with Adobe's name in front.

Source: Adobe, "XMP Specification Part 3", section 1.1.3; ITU-T T.81, annex B.
"""

from __future__ import annotations

import shutil
from typing import BinaryIO

from novacli.errors import DataError
from solvehost.record import record

_NAME = b"http://ns.adobe.com/xap/1.0/\0"
_START, _APP0, _APP1, _SCAN = b"\xff\xd8", 0xE0, 0xE1, 0xDA
_MAX_SEGMENT_BYTES = 0xFFFF - 2
#: Markers without a length: TEM and the restart markers.
_BARE = (0x01, *range(0xD0, 0xD8))


@record
class _Segment:
    """A segment before the compressed pixels: its marker's second byte, and the content after its length."""

    marker: int
    content: bytes

    @property
    def is_xmp(self) -> bool:
        return self.marker == _APP1 and self.content.startswith(_NAME)

    def to_bytes(self) -> bytes:
        return b"\xff" + bytes([self.marker]) + (len(self.content) + 2).to_bytes(2, "big") + self.content


def read_packet(stream: BinaryIO) -> bytes | None:
    """Return the XMP packet of a JPEG file, None if it has none; raise DataError if the file is damaged."""
    return next((s.content[len(_NAME) :] for s in _segments(stream) if s.is_xmp), None)


def copy(stream: BinaryIO, packet: bytes, out: BinaryIO) -> None:
    """Copy a JPEG file with an XMP packet in place of the one that it has.

    Raises
    ------
    DataError
        If the file is damaged, or the packet is too long for a segment.
    """
    if len(_NAME) + len(packet) > _MAX_SEGMENT_BYTES:
        raise DataError(f"its XMP metadata take {len(packet)} bytes, more than a JPEG file can hold")
    kept = [segment for segment in _segments(stream) if not segment.is_xmp]
    # The packet follows the segments of JFIF and EXIF, which readers expect first.
    first = next((n for n, s in enumerate(kept) if s.marker not in (_APP0, _APP1)), len(kept))
    out.write(_START)
    for segment in [*kept[:first], _Segment(_APP1, _NAME + packet), *kept[first:]]:
        out.write(segment.to_bytes())
    shutil.copyfileobj(stream, out)


def _segments(stream: BinaryIO) -> list[_Segment]:
    """Return the segments before the first scan, and leave the stream at the marker of the scan."""
    stream.seek(0)
    if stream.read(2) != _START:
        raise DataError("it is not a JPEG file: it has changed since it was solved")
    found: list[_Segment] = []
    while True:
        at = stream.tell()
        marker = _read_marker(stream)
        if marker == _SCAN:
            stream.seek(at)
            return found
        length = int.from_bytes(stream.read(2), "big")
        content = stream.read(length - 2) if length >= 2 else b""
        if length < 2 or len(content) < length - 2:
            raise DataError("it is a damaged JPEG file")
        found.append(_Segment(marker, content))


def _read_marker(stream: BinaryIO) -> int:
    """Return the second byte of the next marker; fill bytes before it are skipped."""
    byte = stream.read(1)
    if byte != b"\xff":
        raise DataError("it is a damaged JPEG file")
    while byte == b"\xff":
        byte = stream.read(1)
    if not byte or byte[0] in _BARE or byte[0] == 0:
        raise DataError("it is a damaged JPEG file")
    return byte[0]
