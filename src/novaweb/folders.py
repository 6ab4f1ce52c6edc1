"""The folders of the service's data, and the secret key: the only module that knows where they are."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from pathlib import Path

from novacli.config import Config
from novacli.errors import ConfigError
from solvehost.formats.trees import remove_tree
from solvehost.record import record

_OWN_FOLDER, _OWN_FILE = 0o700, 0o600
_LEAST_SECRET_CHARS = 32
#: A worker touches its folder every few seconds, and an upload grows all the time.
_LEFT_S = 86_400.0


@record
class Folders:
    """Where the data are.

    All are on one disk, so that files can be renamed between them.
    """

    root: Path

    @property
    def blobs(self) -> Path:
        """Uploads, by the SHA-256 of their content."""
        return self.root / "blobs"

    @property
    def jobs(self) -> Path:
        """Job directories."""
        return self.root / "jobs"

    @property
    def spool(self) -> Path:
        """Uploads on their way."""
        return self.root / "spool"

    @property
    def work(self) -> Path:
        """Jobs in progress."""
        return self.root / "work"

    def blob(self, sha256: str) -> Path:
        """Return the path of an upload."""
        return self.blobs / sha256[:2] / sha256

    def make(self) -> None:
        """Make the folders; only the user of the service may enter them.

        Raises
        ------
        ConfigError
            If a folder cannot be made or written to.
        """
        try:
            for folder in (self.root, self.blobs, self.jobs, self.spool, self.work):
                folder.mkdir(mode=_OWN_FOLDER, parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, "this user cannot write there", str(folder))
        except OSError as exc:
            raise ConfigError(f"{exc.filename}: {exc.strerror}: choose another data_dir ($NOVAWEB_DATA)") from exc

    def sweep(self) -> None:
        """Remove uploads and jobs in progress that nothing has touched for a day: their process was killed."""
        until_s = time.time() - _LEFT_S
        for path in [*self.spool.iterdir(), *self.work.iterdir()]:
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < until_s:
                    _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        remove_tree(path)
    else:
        path.unlink()


def of(config: Config) -> Folders:
    """Return the folders that the settings name."""
    return Folders(config["data_dir"])


def secret_key(config: Config) -> str:
    """Return the secret key of the service; make one, readable by its user alone, if the settings name no file.

    Raises
    ------
    ConfigError
        If the file cannot be read or written, or holds fewer than 32 characters.
    """
    stated = config["secret_key_file"]
    path = stated or of(config).root / "secret-key"
    try:
        if stated is None and not path.exists():
            _make_secret(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or "it is no text"
        raise ConfigError(f"{path}: the secret key cannot be read: {reason}") from exc
    if len(key) < _LEAST_SECRET_CHARS:
        raise ConfigError(f"{path}: the secret key is too short: give at least {_LEAST_SECRET_CHARS} characters")
    return key


def _make_secret(path: Path) -> None:
    """Write a new key beside its place and link it there: of two processes, both then read the first one's key."""
    path.parent.mkdir(mode=_OWN_FOLDER, parents=True, exist_ok=True)
    beside = path.with_name(f".secret-key-{secrets.token_hex(8)}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWN_FILE), "w", encoding="ascii") as stream:
        stream.write(secrets.token_urlsafe(48) + "\n")
    try:
        path.hardlink_to(beside)
    except FileExistsError:
        pass
    finally:
        beside.unlink()
