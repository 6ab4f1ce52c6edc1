"""An input as an open file, which every reader gets, whether it came from a file, a URL or a stream.

A file is opened once and then used by its descriptor alone.  So no library sees its name (CFITSIO would interpret
``a[1].fits`` and ``!x.fits``), and the file cannot be exchanged between two reads.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from novacli.errors import DataError, DeniedError, InputMissingError, NovaError, OutputError, TransferError
from novacli.files.compression import unpacked_name
from novacli.inputs.limits import Limits
from novacli.records.field import Origin
from novacli.text.printable import shown_name
from solvehost.record import record

if TYPE_CHECKING:
    from novacli.inputs.reduction import Reduction

#: Bytes from the start of a file by which its format is recognised.
HEAD_BYTES = 64 * 1024
CHUNK_BYTES = 1024 * 1024
_DESCRIPTORS = Path("/dev/fd")


@record
class Source:
    """An open input: ``name`` is for the ``Origin``, ``shown`` for messages, ``head`` for recognising the format.

    ``member`` is the name within a ZIP archive, if the input comes from one.
    """

    name: str
    path: str | None
    file: BinaryIO
    size_bytes: int
    head: bytes
    member: str | None = None

    @property
    def shown(self) -> str:
        """The name, safe to print in a one-line message."""
        return shown_name(self.name)

    @property
    def suffix(self) -> str:
        """The suffix of the name in lower case, such as ``.fits``, also for ``.fits.gz``."""
        name = self.name if self.member is None else self.member
        bare = name.partition("?")[0] if "://" in name else name
        return Path(unpacked_name(bare)).suffix

    def origin(self, word: str, hdu: int | None = None) -> Origin:
        """Return the ``Origin`` of a field read from here."""
        return Origin(name=self.name, path=self.path, format=word, hdu=hdu)


@record
class ReadOptions:
    """How to read a source: the format's name, and the parameters of ``open_field``.

    ``reduction`` collects the pixels of an image in colour at a reduced size, for pictures.
    """

    word: str
    hdu: int | None
    size: tuple[int, int] | None
    limits: Limits
    reduction: Reduction | None = None


def open_file(name: str, limits: Limits) -> Source:
    """Open the regular file ``name``.

    Raises
    ------
    InputMissingError
        There is no such file, or it is a folder.
    DeniedError
        It may not be read.
    DataError
        It is empty, too large, or a pipe or a device, which could block for ever.
    """
    try:
        # O_NONBLOCK: opening a FIFO would wait for a writer.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as exc:
        raise _open_error(name, exc) from exc
    try:
        _check_regular(name, os.fstat(descriptor).st_mode)
    except BaseException:
        os.close(descriptor)
        raise
    file = os.fdopen(descriptor, "rb")
    try:
        return describe_file(file, name, path=name, limits=limits)
    except BaseException:
        file.close()
        raise


def describe_file(file: BinaryIO, name: str, *, path: str | None, limits: Limits) -> Source:
    """Return the ``Source`` of an open, seekable file; check its size and read its first bytes."""
    shown = shown_name(name)
    size_bytes = file.seek(0, os.SEEK_END)
    if size_bytes == 0:
        raise DataError(f"{shown} is empty: make or download the file again")
    limits.check_bytes(shown, size_bytes)
    file.seek(0)
    try:
        head = file.read(HEAD_BYTES)
    except OSError as exc:
        raise TransferError(f"{shown} cannot be read: {exc.strerror}; check the disk") from exc
    file.seek(0)
    return Source(name=name, path=path, file=file, size_bytes=size_bytes, head=head)


def _open_error(name: str, exc: OSError | ValueError) -> NovaError:
    shown = shown_name(name)
    if isinstance(exc, PermissionError):
        return DeniedError(f"{shown} may not be read: check its permissions and those of its folder")
    if isinstance(exc, OSError) and exc.errno in (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE):
        return TransferError(f"{shown} cannot be opened: {exc.strerror}; try again")
    if "://" in name:
        return InputMissingError(f"{shown} is not a file, and only http and https URLs are downloaded")
    return InputMissingError(f"{shown} is not there: check the path")


def _check_regular(name: str, mode: int) -> None:
    shown = shown_name(name)
    if stat.S_ISDIR(mode):
        raise InputMissingError(f"{shown} is a folder: name the images in it")
    if not stat.S_ISREG(mode):
        raise DataError(f"{shown} is a pipe or a device, not a file: give - and pipe the image into standard input")


def temporary_file() -> BinaryIO:
    """Open a temporary file without a name, which disappears when it is closed."""
    return cast("BinaryIO", tempfile.TemporaryFile(prefix="nova-"))


def full_disk(shown: str, exc: OSError) -> OutputError:
    """Return the error for a temporary copy that could not be written."""
    folder = shown_name(tempfile.gettempdir())
    return OutputError(f"{shown} needs temporary space in {folder}: {exc.strerror}; set TMPDIR to a larger disk")


@contextlib.contextmanager
def library_path(source: Source) -> Iterator[str]:
    """Yield a path to ``source`` without special characters, for a library that accepts only paths.

    It is ``/dev/fd/N``, or a temporary copy if the system has no such path.
    """
    entry = _DESCRIPTORS / str(source.file.fileno())
    if entry.exists():
        source.file.seek(0)
        yield str(entry)
        return
    with tempfile.NamedTemporaryFile(prefix="nova-", suffix=".dat") as copy:
        source.file.seek(0)
        try:
            shutil.copyfileobj(source.file, copy, CHUNK_BYTES)
            copy.flush()
        except OSError as exc:
            raise full_disk(source.shown, exc) from exc
        yield copy.name
