"""``solvehost authorize``: make the line of a key for ``authorized_keys``, and print it or write it into the file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from solvehost.admin import installation, keylines, programs, pubkeys
from solvehost.admin.accounts import DEFAULT_USER
from solvehost.admin.keylines import KeyLine
from solvehost.admin.records import AuthorizeResult
from solvehost.errors import (
    ConfigError,
    DataError,
    DeniedError,
    InputMissingError,
    NovaError,
    OutputError,
    RetryLaterError,
)
from solvehost.formats.atomic import replace_file
from solvehost.server import settings

DEFAULT_FILE = Path("/etc/ssh/authorized_keys.d") / DEFAULT_USER
_MAX_FILE_BYTES = 16 * 2**20
_LOCK_TIMEOUT_S, _POLL_S = 10.0, 0.05
_FILE_MODE, _FOLDER_MODE = 0o644, 0o755
PRINTED, ADDED, REPLACED, UNCHANGED = "printed", "added", "replaced", "unchanged"


def authorize(
    key_file: Path, flags: Mapping[str, Any], *, sources: str | None = None, expiry: str | None = None,
    to: Path | None = DEFAULT_FILE, replace: bool = False,
) -> AuthorizeResult:  # fmt: skip
    """Let a key run this server, and nothing else.

    Parameters
    ----------
    key_file
        File with one public key.
    flags
        Flags of the server, which become part of the forced command.
    sources
        Addresses from which the key may be used, as sshd's ``from=`` takes them; by default, all.
    expiry
        Date from which sshd refuses the key; by default, never.
    to
        The ``authorized_keys`` file; None makes the line without writing it.
    replace
        Replace the line that the file has for this key.

    Raises
    ------
    NovaError
        If the key, a setting or the file is invalid; the file is unchanged then.
    """
    config = settings.load(flags)
    key = pubkeys.read(key_file)
    line = keylines.forced(key, command({**flags, "client": config.client}), sources=sources, expiry=expiry)
    notes = tuple(_notes(flags))
    if to is None:
        return AuthorizeResult(PRINTED, line.text, config.client, key.fingerprint, notes=notes)
    path = Path(os.path.abspath(to))  # noqa: PTH100 - resolve() would follow links
    outcome = _put(line, path, replace)
    return AuthorizeResult(outcome, line.text, config.client, key.fingerprint, to, notes)


def command(flags: Mapping[str, Any]) -> list[str]:
    """Return the words of the forced command: this program, the client, then the other flags.

    Raises
    ------
    ConfigError
        If this program does not start under its absolute path.
    """
    program = installation.program()
    tried = programs.run([*program, "--version"])
    if tried.exit_code:
        raise ConfigError(f"{' '.join(program)} does not start: {tried.last_line}")
    others = {name: value for name, value in flags.items() if name != "client"}
    return [*program, "--client", str(flags["client"]), *settings.format_flags(others)]


def _notes(flags: Mapping[str, Any]) -> Iterator[str]:
    if "client" not in flags:
        yield "no --client was given: all keys without it share the jobs of the client 'default'"
    if "config" in flags and not Path(flags["config"]).is_absolute():
        raise ConfigError(
            f"--config {flags['config']}: sshd starts the server in another directory: give an absolute path"
        )


def _put(line: KeyLine, path: Path, replace: bool) -> str:
    """Put a line into the file without changing any other line; return the outcome."""
    with _locked_folder(path.parent):
        old, status = _read(path)
        new, outcome = _merge(old, line, path, replace)
        if outcome != UNCHANGED:
            _write(path, new, status)
    return outcome


def _merge(old: bytes, line: KeyLine, path: Path, replace: bool) -> tuple[bytes, str]:
    """Return the new content of the file, and the outcome."""
    lines = old.splitlines(keepends=True)
    same = [at for at, text in enumerate(lines) if _has_key_of(text, line)]
    if not same:
        gap = b"\n" if old and not old.endswith(b"\n") else b""
        return old + gap + line.text.encode("ascii") + b"\n", ADDED
    if len(same) == 1 and lines[same[0]].strip() == line.text.encode("ascii"):
        return old, UNCHANGED
    if not replace:
        numbers = ", ".join(str(at + 1) for at in same)
        raise DataError(
            f"{path}: line {numbers} has this key with other options or another comment: "
            "use --replace to replace that line"
        )
    lines[same[0]] = line.text.encode("ascii") + b"\n"
    return b"".join(text for at, text in enumerate(lines) if at not in same[1:]), REPLACED


def _has_key_of(text: bytes, line: KeyLine) -> bool:
    """Return True if a line of the file holds the same key."""
    try:
        found = keylines.parse_line(text.decode("utf-8", "surrogateescape"))
    except DataError:
        return False
    return found is not None and found.key.base64 == line.key.base64


@contextlib.contextmanager
def _locked_folder(folder: Path) -> Iterator[None]:
    """Create the directory if it is missing, and lock it against other ``solvehost authorize`` processes."""
    try:
        if not folder.exists():
            folder.mkdir()
            folder.chmod(_FOLDER_MODE)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise _error(exc, folder) from exc
    try:
        _lock(fd, folder)
        yield
    finally:
        os.close(fd)


def _lock(fd: int, folder: Path) -> None:
    """Wait a limited time for the lock, since any user who can read the directory can hold it."""
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise RetryLaterError(
                    f"{folder}: another process has kept it locked for {_LOCK_TIMEOUT_S:g} s: "
                    "end that process, or try again later"
                ) from None
            time.sleep(_POLL_S)
        else:
            return


def _read(path: Path) -> tuple[bytes, os.stat_result | None]:
    """Return the content and status of the file; refuse a link, since another user may have made it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return b"", None
    except OSError as exc:
        raise _error(exc, path) from exc
    with os.fdopen(fd, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise DataError(
                f"{path}: it is not a regular file with one name: remove it, or name another file with --to"
            )
        data = stream.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise DataError(f"{path}: it is longer than {_MAX_FILE_BYTES:,} bytes: is this the right file?")
    return data, status


def _write(path: Path, data: bytes, status: os.stat_result | None) -> None:
    """Replace the file; it keeps its owner, and loses write permission for all other users."""

    def set_owner_and_mode(fd: int) -> None:
        if status is not None and os.geteuid() == 0:
            os.fchown(fd, status.st_uid, status.st_gid)
        os.fchmod(fd, _mode(status))

    try:
        replace_file(path, data, mode=0o600, finish=set_owner_and_mode)
    except OSError as exc:
        raise _error(exc, path) from exc


def _mode(status: os.stat_result | None) -> int:
    """Return the mode of the new file; a file of root's must be readable for all, since sshd reads it as the user."""
    if status is None or not status.st_uid:
        return _FILE_MODE
    return stat.S_IMODE(status.st_mode) & ~0o022


def _error(exc: OSError, path: Path) -> NovaError:
    reason = f"{path}: {exc.strerror}"
    if isinstance(exc, PermissionError):
        return DeniedError(f"{reason}: run this as root, or name another file with --to")
    if isinstance(exc, FileNotFoundError):
        return InputMissingError(f"{reason}: create the directory {path.parent} first, owned by root, with mode 0755")
    return OutputError(reason)
