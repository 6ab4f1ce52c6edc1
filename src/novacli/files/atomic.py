"""Write a file beside its target, force it to disk and rename it over the target: the one such writer of novacli.

An error of the target is an :class:`~novacli.errors.OutputError`.  An error of what the caller reads meanwhile is the
caller's: it passes through unchanged, so that a message never blames the wrong file.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from novacli.errors import NovaError, OutputError, TransferError, UsageError

if TYPE_CHECKING:
    from typing_extensions import Buffer

_REMEDIES = {
    "ENOSPC": "free some space",
    "EDQUOT": "free some space",
    "ENOENT": "make its directory first",
    "ENOTDIR": "make its directory first",
    "ENAMETOOLONG": "choose a shorter name",
}
#: Errors that last until somebody changes permissions.
_DENIALS = frozenset({"EACCES", "EPERM", "EROFS"})
_ELSEWHERE = "choose a place that you may write to"
_STDOUT_REFUSED = "results are files and are not written to standard output: give a file name instead of -"
_DEFAULT_MODE = 0o666


class NotWritableError(OutputError):
    """Permissions keep an output from being written; the same call fails again until they change.

    ``what`` is the message without its remedy, ``target`` the file.
    """

    retry_is_safe = False

    def __init__(self, what: str, remedy: str = "", target: Path | None = None) -> None:
        super().__init__(f"{what}; {remedy}" if remedy else what)
        self.what, self.target = what, target


@contextlib.contextmanager
def replacing(target: Path, *, durable: bool = True, mode: int = _DEFAULT_MODE) -> Iterator[BinaryIO]:
    """Open a stream whose content becomes ``target`` when the block ends without an exception.

    A symbolic link is followed.  An existing file keeps its mode, and its owner if that is allowed.

    Parameters
    ----------
    target
        The file to write.  If the block raises, it keeps its old content.
    durable
        True to force the content to disk before the rename, so that it survives a power cut.
    mode
        Mode of a new file, before the umask.

    Yields
    ------
    BinaryIO
        A stream to write to.

    Raises
    ------
    UsageError
        If ``target`` is ``-``.
    NotWritableError
        If permissions forbid it.
    OutputError
        If ``target`` is not a plain file, or cannot be written for another reason.
    """
    final, existing = _resolve(target)
    beside = final.with_name(f".nova-{secrets.token_hex(8)}.part")
    with _errors_of(target):
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600 if existing else mode)
    try:
        with _TargetStream(fd, target) as stream:
            yield cast("BinaryIO", stream)
            stream.finish(existing, durable=durable)
        with _errors_of(target):
            os.replace(beside, final)  # noqa: PTH105 - the tests make this very call fail
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    if durable:
        _sync_directory(final.parent)


def write_file(target: Path, content: bytes, *, durable: bool = True, mode: int = _DEFAULT_MODE) -> None:
    """Write ``content`` to ``target`` in one piece; parameters and errors are those of :func:`replacing`."""
    with replacing(target, durable=durable, mode=mode) as stream:
        stream.write(content)


class _TargetStream(io.BufferedIOBase):
    """A buffered stream that raises ``OutputError`` about ``target`` instead of ``OSError``."""

    def __init__(self, fd: int, target: Path) -> None:
        self._file, self._target = os.fdopen(fd, "wb"), target

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the file's descriptor."""
        return self._file.fileno()

    def write(self, data: Buffer) -> int:
        """Write all of ``data``."""
        with _errors_of(self._target):
            return self._file.write(data)

    def flush(self) -> None:
        """Write what is buffered."""
        if not self._file.closed:
            with _errors_of(self._target):
                self._file.flush()

    def finish(self, existing: os.stat_result | None, *, durable: bool) -> None:
        """Write what is buffered, take over the mode and owner of ``existing``, and force the content to disk."""
        self.flush()
        with _errors_of(self._target):
            if existing:
                _take_over(self._file.fileno(), existing)
            if durable:
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; an error of a flush was raised by :meth:`finish` before."""
        with contextlib.suppress(OSError):
            self._file.close()
        super().close()


@contextlib.contextmanager
def _errors_of(target: Path) -> Iterator[None]:
    """Raise an ``OSError`` of the block as an ``OutputError`` about ``target``."""
    try:
        yield
    except OSError as exc:
        raise as_output_error(target, exc) from exc


class _SourceStream(io.RawIOBase):
    """A stream that raises ``TransferError`` about its source instead of ``OSError``."""

    def __init__(self, stream: BinaryIO, shown: str) -> None:
        self._stream, self._shown = stream, shown

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes."""
        try:
            return self._stream.read(size)
        except OSError as exc:
            raise read_error(self._shown, exc) from exc


def reading(stream: BinaryIO, shown: str) -> BinaryIO:
    """Return a stream that reads from ``stream`` and names ``shown`` in its errors.

    Its ``read`` raises :class:`~novacli.errors.TransferError` if the source cannot be read.
    """
    return cast("BinaryIO", _SourceStream(stream, shown))


def read_error(shown: str, exc: OSError) -> TransferError:
    """Return the error that says why the source ``shown`` cannot be read, and what to do."""
    return TransferError(f"{shown} cannot be read: {exc.strerror or exc}; check the disk")


def as_output_error(target: Path, exc: OSError) -> OutputError:
    """Return the error that says why ``target`` cannot be written, and what to do."""
    code = errno.errorcode.get(exc.errno or 0, "")
    what = f"{target}: {exc.strerror or exc}: it cannot be written"
    if code in _DENIALS:
        return NotWritableError(what, _ELSEWHERE, target)
    return OutputError(f"{what}; {_REMEDIES.get(code, 'choose another place')}")


def denial(target: Path) -> NotWritableError | None:
    """Return the error with which permissions would end :func:`replacing`, or None if they allow the write.

    If the folder is missing, the permissions of the nearest existing folder above it count.  Other problems, such as
    a full disk, are not looked for.
    """
    try:
        final, existing = _resolve(target)
    except NotWritableError as exc:
        return exc
    except NovaError:
        return None
    folder = next(parent for parent in final.parents if os.path.exists(parent))  # noqa: PTH110 - never raises
    if os.access(folder, os.W_OK | os.X_OK) and not _is_protected(folder, existing):
        return None
    return NotWritableError(f"{target}: {folder} may not be written to", _ELSEWHERE, target)


def _resolve(target: Path) -> tuple[Path, os.stat_result | None]:
    """Return the path behind symbolic links and the status of the file there, None if there is no file."""
    if str(target) == "-":
        raise UsageError(_STDOUT_REFUSED)
    final = target
    try:
        final = target.resolve()
        existing = final.stat()
    except FileNotFoundError:
        return final, None
    except (OSError, RuntimeError) as exc:
        cause = exc if isinstance(exc, OSError) else OSError(0, "its symbolic links form a loop")
        raise as_output_error(target, cause) from exc
    if stat.S_ISDIR(existing.st_mode):
        raise OutputError(f"{target}: it is a directory: give a file name")
    if not stat.S_ISREG(existing.st_mode):
        raise OutputError(f"{target}: it is not a plain file: give another file name")
    if not os.access(final, os.W_OK):
        raise NotWritableError(f"{target}: it is read-only", "change its permissions or give another file name", target)
    return final, existing


def _is_protected(folder: Path, existing: os.stat_result | None) -> bool:
    """Return True if the folder's sticky bit lets only other users replace the file."""
    try:
        status = folder.stat()
    except OSError:
        return False
    owners = (0, status.st_uid, existing.st_uid if existing else os.geteuid())
    return bool(status.st_mode & stat.S_ISVTX) and os.geteuid() not in owners


def _take_over(fd: int, existing: os.stat_result) -> None:
    """Give the new file the mode of the file that it replaces, and its owner if that is allowed."""
    with contextlib.suppress(PermissionError):
        os.fchown(fd, existing.st_uid, existing.st_gid)
    os.fchmod(fd, stat.S_IMODE(existing.st_mode))


def _sync_directory(directory: Path) -> None:
    """Force the rename to disk.  Some file systems cannot do this; the file is whole all the same."""
    with contextlib.suppress(OSError):
        fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
