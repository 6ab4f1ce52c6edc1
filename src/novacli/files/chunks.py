"""A stream of bytes that a generator makes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: How much is read and unpacked at a time.
CHUNK_BYTES = 256 * 1024


def as_stream(chunks: Iterator[bytes]) -> BinaryIO:
    """Return a stream of the bytes in ``chunks``, which can only be read onwards."""
    return cast("BinaryIO", io.BufferedReader(_ChunkReader(chunks), CHUNK_BYTES))


class _ChunkReader(io.RawIOBase):
    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
