"""The only image in a ZIP archive, as a ``Source``.

The archive's names are only shown: nothing is written under them.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO, cast

from novacli.errors import DataError
from novacli.files.compression import unpacked_name
from novacli.inputs.limits import Limits
from novacli.inputs.registry import FORMATS
from novacli.inputs.source import CHUNK_BYTES, Source, describe_file, full_disk, temporary_file
from novacli.text.printable import shown_name

#: Bytes that zipfile may read at once: above all the list of all files, which it reads into memory as a whole.
_MAX_READ_BYTES = 2 * CHUNK_BYTES
#: Methods that zipfile unpacks within a limit of memory.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_SUFFIXES = tuple(suffix for known in FORMATS for suffix in known.suffixes)
_MAX_SHOWN = 4


@contextmanager
def only_image(source: Source, limits: Limits) -> Iterator[Source]:
    """Yield the only image in a ZIP archive, unpacked into an unlinked temporary file of bounded size.

    A file that is alone in the archive may also be a star list.

    Raises
    ------
    DataError
        There is no image in the archive, or several; or it is encrypted, damaged, or too large.
    """
    source.file.seek(0)
    try:
        with zipfile.ZipFile(cast("BinaryIO", _BoundedReader(source.file))) as archive, temporary_file() as target:
            member = _choose(archive.infolist(), source.shown)
            _check(member, source.shown, limits)
            _copy(archive, member, source.shown, target, limits)
            image = describe_file(target, source.name, path=source.path, limits=limits)
            yield replace(image, member=member.filename)
    except _TooLongError as exc:
        raise DataError(f"{source.shown} holds too many files: unpack it, and give the image") from exc
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, EOFError, zlib.error) as exc:
        raise DataError(f"{source.shown} is a damaged or truncated ZIP archive: copy it again") from exc


class _TooLongError(Exception):
    """zipfile asks for more bytes at once than an archive with a few images needs."""


class _BoundedReader(io.RawIOBase):
    """A file of which only a bounded part can be read at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_READ_BYTES:
            start = self._file.tell()
            left = self._file.seek(0, io.SEEK_END) - start
            self._file.seek(start)
            if size > _MAX_READ_BYTES or left > _MAX_READ_BYTES:
                raise _TooLongError
        return self._file.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _choose(members: Sequence[zipfile.ZipInfo], shown: str) -> zipfile.ZipInfo:
    files = [member for member in members if not member.is_dir() and not _is_hidden(member.filename)]
    images = [member for member in files if unpacked_name(member.filename).endswith(_SUFFIXES)]
    if len(images) == 1:
        return images[0]
    if len(images) > 1:
        raise DataError(f"{shown} holds {len(images)} images ({_names(images)}): unpack it, and give one of them")
    if len(files) == 1:
        return files[0]
    held = f"{len(files)} files ({_names(files)}), but no image" if files else "no file"
    raise DataError(f"{shown} is a ZIP archive with {held}: give an image, or an archive of one image")


def _is_hidden(name: str) -> bool:
    """Return True for the files that macOS adds, and other hidden ones."""
    return any(part.startswith((".", "__MACOSX")) and part not in (".", "..") for part in name.split("/"))


def _names(members: Sequence[zipfile.ZipInfo]) -> str:
    names = ", ".join(shown_name(member.filename) for member in members[:_MAX_SHOWN])
    return f"{names}, ..." if len(members) > _MAX_SHOWN else names


def _check(member: zipfile.ZipInfo, shown: str, limits: Limits) -> None:
    name = shown_name(member.filename)
    if member.flag_bits & _ENCRYPTED:
        raise DataError(f"{shown}: {name} in it is encrypted: unpack it with its password, and give the image")
    if member.compress_type not in _METHODS:
        raise DataError(
            f"{shown}: {name} in it is packed in a way that nova cannot read: unpack it, and give the image"
        )
    limits.check_bytes(f"{shown}, unpacked,", member.file_size)


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, shown: str, target: BinaryIO, limits: Limits) -> None:
    written = 0
    with archive.open(member) as content:
        while chunk := content.read(CHUNK_BYTES):
            written += len(chunk)
            limits.check_bytes(f"{shown}, unpacked,", written)
            try:
                target.write(chunk)
            except OSError as exc:
                raise full_disk(shown, exc) from exc
