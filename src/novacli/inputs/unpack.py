"""Unpack ``.gz`` and ``.bz2``, recognised by content, into an unlinked temporary file of bounded size."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from novacli.errors import DataError
from novacli.files.compression import kind_by_content, open_unpacker
from novacli.inputs.limits import Limits
from novacli.inputs.source import CHUNK_BYTES, Source, describe_file, full_disk, temporary_file


@contextmanager
def unpack_source(source: Source, limits: Limits) -> Iterator[Source]:
    """Yield ``source`` itself, or its unpacked content if it is a gzip or bzip2 file.

    Raises
    ------
    DataError
        The packed file is damaged or truncated, or unpacks to more than ``limits.max_bytes``.
    """
    kind = kind_by_content(source.head)
    if kind is None:
        yield source
        return
    with temporary_file() as target:
        _copy(source, kind, target, limits)
        yield describe_file(target, source.name, path=source.path, limits=limits)


def _copy(source: Source, kind: str, target: BinaryIO, limits: Limits) -> None:
    written = 0
    content = open_unpacker(source.file, kind)
    while chunk := _next_chunk(content, source, kind):
        written += len(chunk)
        limits.check_bytes(f"{source.shown}, unpacked,", written)
        try:
            target.write(chunk)
        except OSError as exc:
            raise full_disk(source.shown, exc) from exc


def _next_chunk(content: BinaryIO, source: Source, kind: str) -> bytes:
    try:
        return content.read(CHUNK_BYTES)
    except EOFError as exc:
        raise DataError(f"{source.shown} is truncated: its {kind} data end too early; copy it again") from exc
    except (OSError, zlib.error, ValueError) as exc:
        raise DataError(f"{source.shown} is damaged: its {kind} data cannot be unpacked; copy it again") from exc
