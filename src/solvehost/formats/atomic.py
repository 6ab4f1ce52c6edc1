"""Replace a file in one step: write the new content beside it, then rename, so that no reader sees a part of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from solvehost.errors import OutputError


def write_atomic(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace the content of ``path``, as :func:`replace_file` does.

    Raises
    ------
    OutputError
        If it cannot be written; the old content stays, and nothing is left beside it.
    """
    try:
        replace_file(path, data, durable=durable)
    except OSError as exc:
        raise OutputError(f"{path}: {exc.strerror}: it cannot be written") from exc


def replace_file(
    path: Path,
    data: bytes,
    *,
    durable: bool = True,
    mode: int = 0o666,
    finish: Callable[[int], None] = lambda _fd: None,
) -> None:
    """Write ``data`` to a new file beside ``path``, then rename it over ``path``.

    Parameters
    ----------
    path, data
        The file and its new content.
    durable
        Whether the content is forced to disk before the rename.
    mode
        Permissions of the new file; the umask takes some away.
    finish
        Called with the descriptor of the new file before the rename, to set its owner and permissions.

    Raises
    ------
    OSError
        If it cannot be written; the old content stays, and nothing is left beside it.
    """
    beside = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(beside, flags, mode), "wb") as stream:
            stream.write(data)
            stream.flush()
            finish(stream.fileno())
            if durable:
                os.fsync(stream.fileno())
        beside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
