"""XMP packets in PNG files: an iTXt chunk with Adobe's keyword.

Source: Adobe, "XMP Specification Part 3", section 1.1.5; W3C, "Portable Network Graphics", third edition.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from novacli.errors import DataError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEYWORD = b"XML:com.adobe.xmp\0"
#: Longest packet that is unpacked.
_MAX_PACKET_BYTES = 64 * 2**20
_PIXELS = b"IDAT"


def read_packet(stream: BinaryIO) -> bytes | None:
    """Return the XMP packet of a PNG file, None if it has none; raise DataError if the file is damaged."""
    return next((_packet_of(body) for kind, body, _ in _chunks(stream) if _is_xmp(kind, body)), None)


def copy(stream: BinaryIO, packet: bytes, out: BinaryIO) -> None:
    """Copy a PNG file with an XMP packet in place of the one that it has; raise DataError if the file is damaged."""
    out.write(_SIGNATURE)
    is_written = False
    for kind, body, raw in _chunks(stream):
        if kind == _PIXELS and not is_written:
            out.write(_chunk(b"iTXt", _KEYWORD + b"\0\0\0\0" + packet))
            is_written = True
        if not _is_xmp(kind, body):
            out.write(raw)


def _is_xmp(kind: bytes, body: bytes) -> bool:
    return kind == b"iTXt" and body.startswith(_KEYWORD)


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield (type, content, all bytes) of each chunk."""
    stream.seek(0)
    if stream.read(len(_SIGNATURE)) != _SIGNATURE:
        raise DataError("it is not a PNG file: it has changed since it was solved")
    while head := stream.read(8):
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        rest = stream.read(length + 4)
        if len(head) < 8 or len(rest) < length + 4:
            raise DataError("it is a damaged PNG file")
        yield kind, rest[:length], head + rest


def _packet_of(body: bytes) -> bytes:
    """Return the packet in the content of an iTXt chunk, which may be compressed."""
    is_packed, rest = body[len(_KEYWORD) : len(_KEYWORD) + 1] == b"\1", body[len(_KEYWORD) + 2 :]
    parts = rest.split(b"\0", 2)
    if len(parts) < 3:
        raise DataError("its XMP metadata are damaged")
    if not is_packed:
        return parts[2]
    unpacker = zlib.decompressobj()
    try:
        packet = unpacker.decompress(parts[2], _MAX_PACKET_BYTES)
    except zlib.error as exc:
        raise DataError("its XMP metadata are damaged") from exc
    if not unpacker.eof:
        raise DataError("its XMP metadata are damaged or too long")
    return packet


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body)
    return len(body).to_bytes(4, "big") + kind + body + checksum.to_bytes(4, "big")
