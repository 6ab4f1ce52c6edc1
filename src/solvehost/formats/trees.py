"""Directory trees that an engine may have made: remove them, and measure them, however deep they are.

Neither recursion nor long paths: a tree can be 100,000 directories deep, far beyond the longest path and the deepest
call.  Directories are opened by name in the one above, and links are never followed.
"""

from __future__ import annotations

import contextlib
import math
import os
import stat
from collections.abc import Generator
from pathlib import Path

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Unit of ``st_blocks``, whatever the block size of the file system is.
_BLOCK_BYTES = 512
_MIN_COUNTED_BYTES = 4096


def remove_tree(folder: Path) -> bool:
    """Remove a directory tree; return True if nothing is left of it, and never raise OSError.

    Directories whose permissions an engine has taken away are removed as well.  A directory inside of a directory is
    first moved up into ``folder``, so that each step needs two open directories only.
    """
    with contextlib.suppress(OSError):
        top = _open_directory(str(folder))
        try:
            _empty(top)
        finally:
            os.close(top)
        folder.rmdir()
    return not os.path.lexists(folder)


def _empty(top: int) -> None:
    """Remove everything in the open directory ``top``; leave what cannot be removed."""
    waiting = _remove_files(top)
    while waiting:
        name = waiting.pop()
        with contextlib.suppress(OSError):
            below = _open_directory(name, top)
            try:
                for inner in _remove_files(below):
                    with contextlib.suppress(OSError):
                        new_name = os.urandom(8).hex()
                        _move(inner, below, new_name, top)
                        waiting.append(new_name)
            finally:
                os.close(below)
            os.rmdir(name, dir_fd=top)


def _remove_files(folder: int) -> list[str]:
    """Remove the files and the empty directories in an open directory; return the names of its other directories."""
    left = []
    with os.scandir(folder) as entries:
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in names:
        try:
            (os.rmdir if is_directory else os.unlink)(name, dir_fd=folder)
        except OSError:
            if is_directory:
                left.append(name)
    return left


def _open_directory(name: str, parent: int | None = None) -> int:
    """Open a directory, after restoring its owner's permissions if they are missing."""
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) & stat.S_IRWXU != stat.S_IRWXU:
        os.chmod(name, stat.S_IRWXU, dir_fd=parent)
    return os.open(name, _OPEN_DIRECTORY, dir_fd=parent)


def _move(name: str, parent: int, new_name: str, top: int) -> None:
    """Move a directory up into ``top``; this writes to the directory itself, which its mode may forbid."""
    try:
        os.rename(name, new_name, src_dir_fd=parent, dst_dir_fd=top)
    except PermissionError:
        os.chmod(name, stat.S_IRWXU, dir_fd=parent)
        os.rename(name, new_name, src_dir_fd=parent, dst_dir_fd=top)


def tree_bytes(folder: Path, limit_bytes: float = math.inf, *, least_bytes: int = _MIN_COUNTED_BYTES) -> int:
    """Return the disk space that a tree takes, or will take when sparse files are filled.

    Parameters
    ----------
    folder
        The top directory.  What cannot be read is left out.
    limit_bytes
        Above this size, counting stops.
    least_bytes
        A file or directory counts for at least this, even if it is empty, since each takes one of a limited number.
    """
    total = 0
    for status in _statuses(folder):
        total += max(status.st_size, status.st_blocks * _BLOCK_BYTES, least_bytes)
        if total > limit_bytes:
            break
    return total


def _statuses(folder: Path) -> Generator[os.stat_result]:
    """Yield the status of each file and directory below ``folder``, with one open directory at a time."""
    try:
        current = os.open(folder, _OPEN_DIRECTORY)
    except OSError:
        return
    above: list[tuple[tuple[int, int], list[str]]] = []  # identity, and directories still to visit, of each level
    try:
        names = yield from _list(current)
        while names or above:
            if names:
                inner = _open_inner(names.pop(), current)
                if inner is not None:
                    above.append((_identity(current), names))
                    current = _replace(current, inner)
                    names = yield from _list(current)
            else:
                identity, names = above.pop()
                current = _replace(current, os.open("..", _OPEN_DIRECTORY, dir_fd=current))
                if _identity(current) != identity:
                    return  # a running engine has moved the directory
    except OSError:
        return
    finally:
        os.close(current)


def _list(folder: int) -> Generator[os.stat_result, None, list[str]]:
    """Yield the status of each entry of an open directory; return the names of the directories among them."""
    inner = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    inner.append(entry.name)
                yield status
    return inner


def _open_inner(name: str, parent: int) -> int | None:
    try:
        return os.open(name, _OPEN_DIRECTORY, dir_fd=parent)
    except OSError:
        return None


def _identity(folder: int) -> tuple[int, int]:
    status = os.fstat(folder)
    return status.st_dev, status.st_ino


def _replace(old: int, new: int) -> int:
    os.close(old)
    return new
