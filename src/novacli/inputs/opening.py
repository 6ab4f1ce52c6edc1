"""Open an input of any kind as a ``Source``: an unpacked file with a descriptor.

Streams and downloads land in an unlinked temporary file of bounded size, so that readers see only files.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import BinaryIO

from novacli.errors import TransferError
from novacli.inputs.kinds import FileInput, Input, StreamInput, UrlInput
from novacli.inputs.limits import Limits
from novacli.inputs.source import CHUNK_BYTES, Source, describe_file, full_disk, open_file, temporary_file
from novacli.inputs.unpack import unpack_source
from novacli.text.printable import shown_name


@contextlib.contextmanager
def open_input(given: Input, limits: Limits) -> Iterator[Source]:
    """Yield the ``Source`` of an input, unpacked; temporary copies are removed afterwards.

    Raises
    ------
    NovaError
        As :func:`novacli.inputs.open_field`.
    """
    with _open_packed(given, limits) as packed, unpack_source(packed, limits) as source:
        yield source


@contextlib.contextmanager
def _open_packed(given: Input, limits: Limits) -> Iterator[Source]:
    if isinstance(given, FileInput):
        source = open_file(given.path, limits)
        with source.file:
            yield source
        return
    with temporary_file() as target:
        if isinstance(given, UrlInput):
            _download(given, target, limits)
        else:
            _copy_stream(given, target, limits)
        yield describe_file(target, given.name, path=None, limits=limits)


def _download(given: UrlInput, target: BinaryIO, limits: Limits) -> None:
    # Imported here: it needs requests, which takes long to import.
    from novacli.files.http import Bounds, download

    bounds = Bounds(limits.max_bytes, limits.fetch_connect_s, limits.fetch_total_s, limits.fetch_redirects)
    download(given.url, lambda chunk: _write(target, chunk, shown_name(given.name)), given.policy, bounds)


def _copy_stream(given: StreamInput, target: BinaryIO, limits: Limits) -> None:
    stream = given.open()
    written = 0
    while chunk := _read_stream(stream, given.label):
        written += len(chunk)
        limits.check_bytes(given.label, written)
        _write(target, chunk, given.label)


def _read_stream(stream: BinaryIO, label: str) -> bytes:
    try:
        return stream.read(CHUNK_BYTES)
    except OSError as exc:
        raise TransferError(f"{label} broke off: {exc.strerror}; try again") from exc


def _write(target: BinaryIO, chunk: bytes, shown: str) -> None:
    try:
        target.write(chunk)
        target.flush()
    except OSError as exc:
        raise full_disk(shown, exc) from exc
