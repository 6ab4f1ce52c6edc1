"""Digests of a frame's content: one over all bytes, and one that stays the same when only the solution changes.

Two batches that update the headers of the same frames would otherwise take each other's updates for new frames.
"""

from __future__ import annotations

import contextlib
import hashlib
import zlib
from collections.abc import Sequence
from typing import BinaryIO, cast

from novacli.batch.records import FileContent
from novacli.errors import NovaError
from novacli.exports.insert import HISTORY
from novacli.files import compression
from novacli.fits import cards as fitscards
from novacli.fits import celestial
from solvehost.formats import fitsfile
from solvehost.record import record

_CHUNK_BYTES = 2**20
_MAGIC_BYTES = len(b"SIMPLE")
#: Cards that change whenever the solution does.
_CHECKSUMS = frozenset({"CHECKSUM", "DATASUM", "ZHECKSUM"})
_HISTORY = f"HISTORY {HISTORY}".encode("ascii")


def read_content(path: str) -> FileContent | None:
    """Return the digests of a file, which is read once; None if it cannot be read.

    A file that is packed with gzip or bzip2 has the digest of the FITS file in it.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a plain string may hold any bytes
            return _content(file)
    except (OSError, ValueError):
        return None


def _content(file: BinaryIO) -> FileContent:
    head = file.read(_MAGIC_BYTES)
    file.seek(0)
    raw = _HashingStream(file)
    kind = compression.kind_by_content(head)
    digest: str | None = None
    if kind is not None or head == b"SIMPLE":
        # A damaged file has no digest; it is the same frame only if all bytes are the same.
        with contextlib.suppress(EOFError, OSError, zlib.error, NovaError):
            packed = cast("BinaryIO", raw)
            digest = _fits_digest(packed if kind is None else compression.open_unpacker(packed, kind))
    for _ in iter(lambda: raw.read(_CHUNK_BYTES), b""):
        pass
    return FileContent(raw.sha256.hexdigest(), digest)


class _HashingStream:
    """A binary stream that hashes what is read from it; for readers that never seek."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.sha256.update(data)
        return data

    def seekable(self) -> bool:
        return False

    def readable(self) -> bool:
        return True

    @property
    def closed(self) -> bool:
        return self._file.closed


class _KeepingStream:
    """A binary stream that keeps what is read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.data = b""

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self.data += data
        return data


def _fits_digest(stream: BinaryIO) -> str:
    """Return the digest of a FITS file without its solution.

    A file that holds a solution by nova has another digest than one without: if a frame was restored from a backup,
    its solution is lost, and it has to be solved again.

    Raises
    ------
    NovaError
        If the stream does not begin with a FITS header, or a header is damaged.
    EOFError, OSError, zlib.error
        If it cannot be unpacked.
    """
    digest = hashlib.sha256()
    is_updated = False
    while (header := _read_header(stream)) is not None:
        cards = fitscards.split(header.data)
        is_updated = is_updated or any(card.startswith(_HISTORY) for card in cards)
        digest.update(b"".join(_other_cards(cards)))
        left = header.data_bytes
        while left and (data := stream.read(min(left, _CHUNK_BYTES))):
            digest.update(data)
            left -= len(data)
    digest.update(b"updated" if is_updated else b"")
    return digest.hexdigest()


@record
class _RawHeader:
    """A header's bytes, and the length in bytes of the data behind it, padding included."""

    data: bytes
    data_bytes: int


def _read_header(stream: BinaryIO) -> _RawHeader | None:
    """Return the next header of a stream, None at its end."""
    kept = _KeepingStream(stream)
    try:
        header = fitsfile.read_header(cast("BinaryIO", kept))
    except NovaError:
        if not kept.data:
            return None
        raise
    return _RawHeader(kept.data, fitsfile.data_size(header))


def _other_cards(cards: Sequence[bytes]) -> list[bytes]:
    """Return the cards that no update changes: neither the solution nor checksums nor blank ones."""
    return [
        card
        for card in celestial.replace_celestial(cards, ())
        if card.strip() and fitscards.keyword(card) not in _CHECKSUMS and not card.startswith(_HISTORY)
    ]
