"""Write a file so that its name only ever stands for a whole one: beside it, forced to disk, then renamed over it."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from novacli.errors import NovaError, OutputError, UsageError

_REMEDIES = {
    "ENOSPC": "free some space",
    "EDQUOT": "free some space",
    "ENOENT": "make its directory first",
    "ENOTDIR": "make its directory first",
    "ENAMETOOLONG": "choose a shorter name",
}
#: These do not pass by themselves.
_DENIALS = frozenset({"EACCES", "EPERM", "EROFS"})
_ELSEWHERE = "choose a place that you may write to"


class NotWritableError(OutputError):
    """Permissions keep an output from being written; the same call fails again until they change.

    ``what`` is the message without what to do about it, ``target`` the file.
    """

    retry_is_safe = False

    def __init__(self, what: str, remedy: str = "", target: Path | None = None) -> None:
        super().__init__(f"{what}; {remedy}" if remedy else what)
        self.what, self.target = what, target


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """Give a stream whose content becomes ``target`` when the block ends well; nothing changes when it does not.

    A symbolic link is followed.  An existing file's mode is kept, and its owner where that is allowed.

    Raises
    ------
    UsageError
        Where ``target`` is ``-``.
    NotWritableError
        Where permissions are against it.
    OutputError
        Where it cannot be written for another reason, or is no plain file.
    """
    final, existing = _resolve(target)
    beside = final.with_name(f".nova-{secrets.token_hex(8)}.part")
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600 if existing else 0o666)
        try:
            with os.fdopen(fd, "wb") as stream:
                yield stream
                stream.flush()
                if existing:
                    _take_over(fd, existing)
                os.fsync(fd)
            os.replace(beside, final)  # noqa: PTH105 - the tests make this very call fail
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _sync_directory(final.parent)
    except OSError as exc:
        raise as_output_error(target, exc) from exc


def as_output_error(target: Path, exc: OSError) -> OutputError:
    """Return the error that says why ``target`` cannot be written, and what to do."""
    import errno

    code = errno.errorcode.get(exc.errno or 0, "")
    what = f"{target}: {exc.strerror or exc}: it cannot be written"
    if code in _DENIALS:
        return NotWritableError(what, _ELSEWHERE, target)
    return OutputError(f"{what}; {_REMEDIES.get(code, 'choose another place')}")


def denial(target: Path) -> NotWritableError | None:
    """Return the error that permissions would end :func:`replacing` with, None where they allow it.

    Where the folder is missing, the one that it would be made in is asked.  Whatever else is wrong shows in time.
    """
    try:
        final, existing = _resolve(target)
    except NotWritableError as exc:
        return exc
    except NovaError:
        return None
    folder = next(parent for parent in final.parents if os.path.exists(parent))  # noqa: PTH110 - never raises
    if os.access(folder, os.W_OK | os.X_OK) and not _is_others(folder, existing):
        return None
    return NotWritableError(f"{target}: {folder} may not be written to", _ELSEWHERE, target)


def _resolve(target: Path) -> tuple[Path, os.stat_result | None]:
    """Return the path behind symbolic links, and what stands there."""
    if str(target) == "-":
        raise UsageError("results are files and are not written to standard output: give a file name instead of -")
    final = target
    try:
        final = target.resolve()
        existing = final.stat()
    except FileNotFoundError:
        return final, None
    except (OSError, RuntimeError) as exc:
        cause = exc if isinstance(exc, OSError) else OSError(0, "its symbolic links run in a circle")
        raise as_output_error(target, cause) from exc
    if stat.S_ISDIR(existing.st_mode):
        raise OutputError(f"{target}: it is a directory: give a file name")
    if not stat.S_ISREG(existing.st_mode):
        raise OutputError(f"{target}: it is no plain file: give another file name")
    if not os.access(final, os.W_OK):
        raise NotWritableError(f"{target}: it is read-only", "change its permissions or give another file name", target)
    return final, existing


def _is_others(folder: Path, existing: os.stat_result | None) -> bool:
    """Say whether a file is one that its folder lets nobody replace but the owners of the two (the sticky bit)."""
    try:
        status = folder.stat()
    except OSError:
        return False
    owners = (0, status.st_uid, existing.st_uid if existing else os.geteuid())
    return bool(status.st_mode & stat.S_ISVTX) and os.geteuid() not in owners


def _take_over(fd: int, existing: os.stat_result) -> None:
    """Give the new file the owner, where that is allowed, and the mode of the one that it replaces."""
    with contextlib.suppress(PermissionError):
        os.fchown(fd, existing.st_uid, existing.st_gid)
    os.fchmod(fd, stat.S_IMODE(existing.st_mode))


def _sync_directory(directory: Path) -> None:
    """Force the rename itself to disk; where a file system cannot, the file is whole all the same."""
    with contextlib.suppress(OSError):
        fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
