"""Unpack ``.gz`` and ``.bz2``, recognised by content, into an unlinked temporary file of bounded size."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from novacli.errors import DataError
from novacli.inputs.limits import Limits
from novacli.inputs.source import CHUNK_BYTES, Source, describe_file, full_disk, temporary_file

_Opener = Callable[[BinaryIO], BinaryIO]

_OPENERS: dict[bytes, tuple[str, _Opener]] = {
    b"\x1f\x8b\x08": ("gzip", lambda file: cast("BinaryIO", gzip.GzipFile(fileobj=file, mode="rb"))),
    b"BZh": ("bzip2", lambda file: cast("BinaryIO", bz2.BZ2File(file, "rb"))),
}


@contextmanager
def unpacked(source: Source, limits: Limits) -> Iterator[Source]:
    """Yield ``source`` itself, or what it unpacks to where it is a gzip or bzip2 file.

    Raises
    ------
    DataError
        The packed file is damaged or cut short, or unpacks to more than ``limits.max_bytes``.
    """
    for magic, (kind, opener) in _OPENERS.items():
        if source.head.startswith(magic):
            with temporary_file() as target:
                _copy(source, kind, opener, target, limits)
                yield describe_file(target, source.name, path=source.path, limits=limits)
            return
    yield source


def _copy(source: Source, kind: str, opener: _Opener, target: BinaryIO, limits: Limits) -> None:
    written = 0
    packed = opener(source.file)
    while chunk := _next_chunk(packed, source, kind):
        written += len(chunk)
        limits.check_bytes(f"{source.shown}, unpacked,", written)
        try:
            target.write(chunk)
        except OSError as exc:
            raise full_disk(source.shown, exc) from exc


def _next_chunk(packed: BinaryIO, source: Source, kind: str) -> bytes:
    try:
        return packed.read(CHUNK_BYTES)
    except EOFError as exc:
        raise DataError(f"{source.shown} is truncated: its {kind} data end too early; copy it again") from exc
    except (OSError, zlib.error, ValueError) as exc:
        raise DataError(f"{source.shown} is damaged: its {kind} data cannot be unpacked; copy it again") from exc
