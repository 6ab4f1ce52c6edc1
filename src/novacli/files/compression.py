"""Pack and unpack files, recognised by a file's name or by its first bytes.

gzip, bzip2 and xz are read and written; the ``.Z`` files of compress are only read.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

GZIP, BZIP2, XZ, COMPRESS = "gzip", "bzip2", "xz", "compress"
_BY_SUFFIX = {".gz": GZIP, ".bz2": BZIP2, ".xz": XZ}
#: Suffixes, in lower case, of packed files that nova reads but does not write.
READ_ONLY_SUFFIXES = (".z", ".zip")
PACKED_SUFFIXES = (*_BY_SUFFIX, *READ_ONLY_SUFFIXES)
_BY_MAGIC = ((b"\x1f\x8b\x08", GZIP), (b"BZh", BZIP2), (b"\xfd7zXZ\0", XZ), (b"\x1f\x9d", COMPRESS))
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")


def kind_by_name(path: Path) -> str | None:
    """Return how to pack a file of this name: ``gzip``, ``bzip2``, ``xz``, or None for not at all."""
    return _BY_SUFFIX.get(path.suffix.lower())


def kind_by_content(head: bytes) -> str | None:
    """Return how a file with these first bytes is packed: one of the kinds above, or None for not at all."""
    return next((kind for magic, kind in _BY_MAGIC if head.startswith(magic)), None)


def is_zip(head: bytes) -> bool:
    """Return True if a file with these first bytes is a ZIP archive."""
    return head.startswith(_ZIP_MAGICS)


def can_be_packed_again(head: bytes) -> bool:
    """Return True if a file with these first bytes is not packed, or in a way in which nova can write it."""
    return not is_zip(head) and kind_by_content(head) != COMPRESS


def unpacked_name(name: str) -> str:
    """Return a file name in lower case, without suffixes such as ``.gz``."""
    lower = name.lower()
    for suffix in PACKED_SUFFIXES:
        lower = lower.removesuffix(suffix)
    return lower


def open_unpacker(file: BinaryIO, kind: str) -> BinaryIO:
    """Return a stream of the unpacked content of ``file``, which is read from where it stands.

    Reading damaged content from it raises OSError, EOFError, ValueError or zlib.error; OSError with ``errno.ENOMEM``
    means that unpacking takes too much memory.
    """
    if kind == GZIP:
        return cast("BinaryIO", gzip.GzipFile(fileobj=file, mode="rb"))
    if kind == BZIP2:
        return cast("BinaryIO", bz2.BZ2File(file, "rb"))
    from novacli.files import lzw, xz
    from novacli.files.chunks import as_stream

    return as_stream(xz.unpack(file) if kind == XZ else lzw.unpack(file))


@contextlib.contextmanager
def open_packer(out: BinaryIO, kind: str | None) -> Iterator[BinaryIO]:
    """Yield a stream that packs what is written to it into ``out``; ``out`` itself if ``kind`` is None."""
    if kind is None:
        yield out
        return
    with _packer(out, kind) as packer:
        yield packer


def _packer(out: BinaryIO, kind: str) -> BinaryIO:
    if kind == GZIP:
        # No name and no time in the gzip header: the same solution makes the same file.
        return cast("BinaryIO", gzip.GzipFile("", "wb", 6, out, mtime=0))
    if kind == BZIP2:
        return cast("BinaryIO", bz2.BZ2File(out, "wb"))
    import lzma

    return cast("BinaryIO", lzma.LZMAFile(out, "wb"))
