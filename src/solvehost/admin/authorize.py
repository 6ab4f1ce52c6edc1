"""``solvehost authorize``: a key's line for ``authorized_keys``, printed or put into the file."""

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
from solvehost.admin.records import Authorized
from solvehost.errors import BusyError, ConfigError, DataError, DeniedError, DiskError, NoInputError, SolvehostError
from solvehost.formats.atomic import replace_file
from solvehost.server import settings

DEFAULT_FILE = Path("/etc/ssh/authorized_keys.d") / DEFAULT_USER
_MAX_FILE_BYTES = 16 * 2**20
_PATIENCE_S, _LOOK_S = 10.0, 0.05
_FILE_MODE, _FOLDER_MODE = 0o644, 0o755
PRINTED, ADDED, REPLACED, UNCHANGED = "printed", "added", "replaced", "unchanged"


def authorize(
    key_file: Path, flags: Mapping[str, Any], *, sources: str | None = None, expiry: str | None = None,
    to: Path | None = DEFAULT_FILE, replace: bool = False,
) -> Authorized:  # fmt: skip
    """Let a key run this server with the settings ``flags``, and nothing else; ``to`` None only makes the line.

    Raises
    ------
    SolvehostError
        Where the key, a setting or the file is not as it must be; nothing has changed then.
    """
    config = settings.load(flags)
    key = pubkeys.read(key_file)
    line = keylines.forced(key, command({**flags, "client": config.client}), sources=sources, expiry=expiry)
    notes = tuple(_notes(flags))
    if to is None:
        return Authorized(PRINTED, line.text, config.client, key.fingerprint, notes=notes)
    outcome = _put(line, Path(os.path.abspath(to)), replace)  # noqa: PTH100 - no link is to be followed
    return Authorized(outcome, line.text, config.client, key.fingerprint, to, notes)


def command(flags: Mapping[str, Any]) -> list[str]:
    """Return the forced command: this program, the client first, then the other flags that were given.

    Raises
    ------
    UnavailableError
        Where that program does not run.
    """
    program = installation.program()
    tried = programs.run([*program, "--version"])
    if tried.exit_code:
        raise ConfigError(f"{' '.join(program)} does not run: {tried.last_remark}")
    words = [*program, "--client", str(flags["client"])]
    for name in ("config", *(key.name for key in settings.KEYS)):
        if name in flags and name != "client":
            flag = "--" + name.replace("_", "-")
            words += [flag] if flags[name] is True else [flag, str(flags[name])]
    return words


def _notes(flags: Mapping[str, Any]) -> Iterator[str]:
    if "client" not in flags:
        yield "without --client, all such keys share the jobs of the client 'default'"
    if "config" in flags and not Path(flags["config"]).is_absolute():
        raise ConfigError(f"--config {flags['config']}: sshd starts the server elsewhere: give an absolute path")


def _put(line: KeyLine, path: Path, replace: bool) -> str:
    """Put a line into the file, all others untouched, byte for byte; say what became of it."""
    with _locked_folder(path.parent):
        old, status = _read(path)
        new, outcome = _merged(old, line, path, replace)
        if outcome != UNCHANGED:
            _write(path, new, status)
    return outcome


def _merged(old: bytes, line: KeyLine, path: Path, replace: bool) -> tuple[bytes, str]:
    """Return the file's new content, and what became of the line."""
    lines = old.splitlines(keepends=True)
    same = [at for at, text in enumerate(lines) if _is_of(text, line)]
    if not same:
        gap = b"\n" if old and not old.endswith(b"\n") else b""
        return old + gap + line.text.encode("ascii") + b"\n", ADDED
    if len(same) == 1 and lines[same[0]].strip() == line.text.encode("ascii"):
        return old, UNCHANGED
    if not replace:
        numbers = ", ".join(str(at + 1) for at in same)
        raise DataError(
            f"{path}: line {numbers} has this key with other options or another comment: --replace puts "
            "the new line in its place"
        )
    lines[same[0]] = line.text.encode("ascii") + b"\n"
    return b"".join(text for at, text in enumerate(lines) if at not in same[1:]), REPLACED


def _is_of(text: bytes, line: KeyLine) -> bool:
    """Say whether a line of the file is about the same key."""
    try:
        found = keylines.parse_line(text.decode("utf-8", "surrogateescape"))
    except DataError:
        return False
    return found is not None and found.key.base64 == line.key.base64


@contextlib.contextmanager
def _locked_folder(folder: Path) -> Iterator[None]:
    """Keep others that do the same out, and make the directory where there is none."""
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
    """Wait for the lock, but not for ever: whoever may read the directory may hold it."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise BusyError(f"{folder}: another process has held its lock for {_PATIENCE_S:g} s") from None
            time.sleep(_LOOK_S)
        else:
            return


def _read(path: Path) -> tuple[bytes, os.stat_result | None]:
    """Return the file's content, and whose it is; no link is followed, since the user may have made it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return b"", None
    except OSError as exc:
        raise _error(exc, path) from exc
    with os.fdopen(fd, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise DataError(f"{path}: it is no regular file of one name")
        data = stream.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise DataError(f"{path}: it is longer than {_MAX_FILE_BYTES:,} bytes")
    return data, status


def _write(path: Path, data: bytes, status: os.stat_result | None) -> None:
    """Replace the file; it keeps its owner, and only the owner may write to it."""

    def keep_owner(fd: int) -> None:
        if status is not None and os.geteuid() == 0:
            os.fchown(fd, status.st_uid, status.st_gid)
        os.fchmod(fd, _mode(status))

    try:
        replace_file(path, data, mode=0o600, finish=keep_owner)
    except OSError as exc:
        raise _error(exc, path) from exc


def _mode(status: os.stat_result | None) -> int:
    """Return the file's mode: what is root's must be readable, since sshd reads it as the user."""
    if status is None or not status.st_uid:
        return _FILE_MODE
    return stat.S_IMODE(status.st_mode) & ~0o022


def _error(exc: OSError, path: Path) -> SolvehostError:
    reason = f"{path}: {exc.strerror}"
    if isinstance(exc, PermissionError):
        return DeniedError(f"{reason}: run this as root, or name another file by --to")
    if isinstance(exc, FileNotFoundError):
        return NoInputError(f"{reason}: make the directory {path.parent} first, as root's, with mode 0755")
    return DiskError(reason)
