"""Unpack xz within a limit of memory, which ``lzma.LZMAFile`` does not have."""

from __future__ import annotations

import errno
import lzma
from collections.abc import Iterator
from typing import BinaryIO

from novacli.files.chunks import CHUNK_BYTES

#: ``xz -9`` takes 65 MiB; a file could ask for 4 GiB.
_MAX_MEMORY_BYTES = 256 * 1024**2


def unpack(file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of an xz file, which may consist of several streams.

    Raises
    ------
    OSError
        It is damaged, or takes too much memory (``errno.ENOMEM``).
    EOFError
        It is truncated.
    """
    decoder: lzma.LZMADecompressor | None = None
    packed = b""
    while True:
        if not packed and (decoder is None or decoder.needs_input):
            packed = file.read(CHUNK_BYTES)
            if not packed and decoder is not None:
                raise EOFError("the xz stream has no end")
            if not packed:
                return
        if decoder is None:
            packed = packed.lstrip(b"\0")  # padding between streams
            if not packed:
                continue
            decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_MEMORY_BYTES)
        try:
            chunk = decoder.decompress(packed, CHUNK_BYTES)
        except lzma.LZMAError as exc:
            raise OSError(errno.ENOMEM if "emory" in str(exc) else errno.EINVAL, str(exc)) from exc
        packed = b""
        if decoder.eof:
            packed, decoder = decoder.unused_data, None
        yield chunk
