"""gzip and bzip2 around an output."""

from __future__ import annotations

import bz2
import contextlib
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

GZIP, BZIP2 = "gzip", "bzip2"
_BY_SUFFIX = {".gz": GZIP, ".bz2": BZIP2}
_BY_MAGIC = ((b"\x1f\x8b", GZIP), (b"BZh", BZIP2))


def kind_by_name(path: Path) -> str | None:
    """Return how a file of this name is packed: ``gzip``, ``bzip2`` or None."""
    return _BY_SUFFIX.get(path.suffix.lower())


def kind_by_content(head: bytes) -> str | None:
    """Return how a file with these first bytes is packed."""
    return next((kind for magic, kind in _BY_MAGIC if head.startswith(magic)), None)


@contextlib.contextmanager
def packing(out: BinaryIO, kind: str | None) -> Iterator[BinaryIO]:
    """Give a stream that packs what is written to it into ``out``, or ``out`` itself where ``kind`` is None."""
    if kind is None:
        yield out
        return
    # No name and no time in the gzip header: the same solution makes the same file.
    packer = gzip.GzipFile("", "wb", 6, out, mtime=0) if kind == GZIP else bz2.BZ2File(out, "wb")
    with packer:
        yield cast("BinaryIO", packer)
