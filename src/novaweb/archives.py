"""The files in an archive that was uploaded: ZIP, or tar with or without gzip, bzip2 or xz.

Archives are untrusted: their names are only shown, links and devices are left out, and bounds hold for the number of
files and for their size after decompression.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from novacli.errors import DataError

#: An archive has at most this many files.
MAX_FILES = 200
_CHUNK_BYTES = 1 << 20
_ZIP_MAGIC, _TAR_MAGIC, _TAR_MAGIC_AT, _BLOCK_BYTES = b"PK\x03\x04", b"ustar", 257, 512
#: First bytes of a compressed file → what reads it.
_OPENERS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, RuntimeError,
            NotImplementedError, ValueError)  # fmt: skip


def members(path: Path, most_bytes: int) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield the name and the content of each file in an archive; nothing if the file is no archive.

    The content has to be read before the next file is asked for.

    Parameters
    ----------
    path
        The file.
    most_bytes
        The size that all files together may have.

    Raises
    ------
    DataError
        If the archive is damaged, encrypted, or has too many or too large files.
    """
    walk = _walk_of(path)
    if walk is None:
        return
    left, count = most_bytes, 0
    try:
        for name, stream in walk(path):
            count += 1
            if count > MAX_FILES:
                raise DataError(f"the archive has more than {MAX_FILES} files: send it in parts")
            content = _Bounded(stream, left)
            yield name, iter(content)
            left = content.left
    except DataError:
        raise
    except _DAMAGED as exc:
        raise DataError(f"the archive cannot be read: {exc}: pack it again") from exc
    if count == 0:
        raise DataError("the archive has no file")


class _Bounded:
    """The pieces of a stream; DataError if they are longer than ``left`` bytes."""

    def __init__(self, stream: IO[bytes], left: int) -> None:
        self._stream, self.left = stream, left

    def __iter__(self) -> Iterator[bytes]:
        try:
            while piece := self._stream.read(min(_CHUNK_BYTES, self.left + 1)):
                self.left -= len(piece)
                if self.left < 0:
                    raise DataError("the files in the archive are too large together: send them in parts")
                yield piece
        except _DAMAGED as exc:
            raise DataError(f"the archive cannot be read: {exc}: pack it again") from exc


def _walk_of(path: Path) -> Callable[[Path], Iterator[tuple[str, IO[bytes]]]] | None:
    """Return what walks through an archive, None if the file is none; a picture in gzip is none."""
    with path.open("rb") as stream:
        start = stream.read(_BLOCK_BYTES)
    if start.startswith(_ZIP_MAGIC):
        return _walk_zip
    opener = next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), None)
    if opener is not None:
        try:
            with opener(path) as unpacked:
                start = unpacked.read(_BLOCK_BYTES)
        except _DAMAGED:
            return None
    return _walk_tar if start[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC) else None


def _walk_zip(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if not entry.is_dir() and _is_wanted(entry.filename):
                with archive.open(entry) as stream:
                    yield entry.filename, stream


def _walk_tar(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(path, "r|*") as archive:
        for entry in archive:
            if not (entry.isreg() and _is_wanted(entry.name)):
                continue
            stream = archive.extractfile(entry)
            if stream is not None:
                yield entry.name, stream


def _is_wanted(name: str) -> bool:
    """Return False for hidden files, and for those that macOS adds to archives."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return bool(parts) and not any(part.startswith(".") or part == "__MACOSX" for part in parts if part != "..")
