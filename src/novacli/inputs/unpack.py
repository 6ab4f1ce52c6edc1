"""Unpack gzip, bzip2, xz, compress and ZIP, recognised by content, into an unlinked temporary file of bounded size."""

from __future__ import annotations

import errno
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO

from novacli.errors import DataError
from novacli.files.compression import is_zip, kind_by_content, open_unpacker
from novacli.inputs.limits import Limits
from novacli.inputs.source import CHUNK_BYTES, Source, describe_file, full_disk, temporary_file


@contextmanager
def unpack_source(source: Source, limits: Limits) -> Iterator[Source]:
    """Yield ``source`` itself, or its unpacked content; an image in a ZIP archive may be packed, too.

    Raises
    ------
    DataError
        The packed file is damaged or truncated, or unpacks to more than ``limits.max_bytes``; or a ZIP archive does not
        hold exactly one image.
    """
    if not is_zip(source.head):
        with _unpack(source, limits) as unpacked:
            yield unpacked
        return
    from novacli.inputs.zipped import only_image

    with only_image(source, limits) as image, _unpack(image, limits) as unpacked:
        yield unpacked


@contextmanager
def _unpack(source: Source, limits: Limits) -> Iterator[Source]:
    kind = kind_by_content(source.head)
    if kind is None:
        yield source
        return
    with temporary_file() as target:
        _copy(source, kind, target, limits)
        unpacked = describe_file(target, source.name, path=source.path, limits=limits)
        yield replace(unpacked, member=source.member)


def _copy(source: Source, kind: str, target: BinaryIO, limits: Limits) -> None:
    written = 0
    source.file.seek(0)
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
        if isinstance(exc, OSError) and exc.errno == errno.ENOMEM:
            raise DataError(f"{source.shown} takes too much memory to unpack: unpack it first") from exc
        raise DataError(f"{source.shown} is damaged: its {kind} data cannot be unpacked; copy it again") from exc
