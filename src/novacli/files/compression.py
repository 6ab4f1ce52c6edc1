"""Pack and unpack gzip and bzip2, recognised by a file's name or by its first bytes."""

from __future__ import annotations

import bz2
import contextlib
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

GZIP, BZIP2 = "gzip", "bzip2"
_BY_SUFFIX = {".gz": GZIP, ".bz2": BZIP2}
PACKED_SUFFIXES = tuple(_BY_SUFFIX)
_BY_MAGIC = ((b"\x1f\x8b\x08", GZIP), (b"BZh", BZIP2))


def kind_by_name(path: Path) -> str | None:
    """Return how a file of this name is packed: ``gzip``, ``bzip2``, or None for not at all."""
    return _BY_SUFFIX.get(path.suffix.lower())


def kind_by_content(head: bytes) -> str | None:
    """Return how a file with these first bytes is packed: ``gzip``, ``bzip2``, or None for not at all."""
    return next((kind for magic, kind in _BY_MAGIC if head.startswith(magic)), None)


def unpacked_name(name: str) -> str:
    """Return a file name in lower case, without the suffixes ``.gz`` and ``.bz2``."""
    lower = name.lower()
    for suffix in PACKED_SUFFIXES:
        lower = lower.removesuffix(suffix)
    return lower


def open_unpacker(file: BinaryIO, kind: str) -> BinaryIO:
    """Return a stream of the unpacked content of ``file``.

    Reading damaged content from it raises OSError, EOFError, ValueError or zlib.error.
    """
    return cast("BinaryIO", gzip.GzipFile(fileobj=file, mode="rb") if kind == GZIP else bz2.BZ2File(file, "rb"))


@contextlib.contextmanager
def open_packer(out: BinaryIO, kind: str | None) -> Iterator[BinaryIO]:
    """Yield a stream that packs what is written to it into ``out``; ``out`` itself if ``kind`` is None."""
    if kind is None:
        yield out
        return
    # No name and no time in the gzip header: the same solution makes the same file.
    packer = gzip.GzipFile("", "wb", 6, out, mtime=0) if kind == GZIP else bz2.BZ2File(out, "wb")
    with packer:
        yield cast("BinaryIO", packer)
