"""The ssh command line: what nova decides, and under it what the user's own configuration may decide otherwise.

ssh takes the first value that it meets.  What must hold stands on the command line.  All else is a default: it stands
in a generated file that includes the user's and the system's configuration first (``-F``).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from novacli.config import Config, UserFolders
from novacli.errors import UnavailableError
from solvehost.errors import SolvehostError
from solvehost.formats.atomic import write_atomic

#: No terminal, no X11, no agent; no question, no forwarding, nothing of the user's run in place of the verb.
_OVERRIDES = (
    "-T", "-x", "-a",
    "-oBatchMode=yes", "-oClearAllForwardings=yes", "-oRemoteCommand=none", "-oPermitLocalCommand=no",
)  # fmt: skip
_FIRST = "Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n"
#: A quiet line is noticed in a minute, however long a solve is silent.
_DEFAULTS = ("ConnectTimeout 10", "ServerAliveInterval 15", "ServerAliveCountMax 4")
#: The first connection stays open for a minute after its last use, and the next ones need no handshake.
_SHARING = ("ControlMaster auto", "ControlPersist 60")
_CONFIG, _CONTROL = "ssh_config", "ssh"
#: Of a socket's path on macOS; Linux takes four more.
_MAX_SOCKET_CHARACTERS = 104 - 1
_DIGEST_CHARACTERS = 12
#: ``/``, %C (40 hexadecimal digits), ``-`` and a digest; while it is being made, ssh adds a dot and 16 characters.
_SOCKET_NAME_CHARACTERS = 1 + 40 + 1 + _DIGEST_CHARACTERS + 17
#: What ssh would expand or take for an end of the path.
_UNFIT = frozenset('"%${}\n\\')


@dataclass(frozen=True, slots=True)
class Ssh:
    """The ssh program; where its generated configurations are kept, and its sockets, None where they are not."""

    program: str
    config_dir: Path
    control_dir: Path | None

    @classmethod
    def of(cls, settings: Config) -> Ssh:
        """Return the one of the settings.

        Raises
        ------
        UnavailableError
            Where there is no such program.
        """
        program = shutil.which(settings["ssh"])
        if program is None:
            raise UnavailableError(
                f"{settings['ssh']} was not found: install the OpenSSH client, or name another by $NOVA_SSH"
            )
        absolute = os.path.abspath(program)  # noqa: PTH100 - symlinks stay as they are
        return cls(absolute, settings.folders.cache / _CONFIG, next(_control_dirs(settings.folders), None))

    def command(self, destination: str, words: Sequence[str], options: Sequence[str] = ()) -> list[str]:
        """Return the command line that asks ``destination`` for ``words``; of flags, ``options`` have the last word."""
        config = _write_config(self.config_dir, destination, self.control_dir)
        generated = [] if config is None else ["-F", str(config)]
        return [self.program, *generated, *_OVERRIDES, *options, "--", destination, *words]


def config_text(destination: str, control_dir: Path | None) -> str:
    """Return the generated configuration; without a directory for sockets, connections are not shared."""
    sharing: tuple[str, ...] = ()
    if control_dir is not None:
        sharing = (*_SHARING, f'ControlPath "{control_dir}/%C-{_digest(destination)}"')
    return f"{_FIRST}Host *\n" + "".join(f"    {line}\n" for line in (*_DEFAULTS, *sharing))


def _digest(destination: str) -> str:
    """Return what tells destinations apart: %C is the same for two aliases of one account with different keys."""
    return hashlib.sha256(destination.encode()).hexdigest()[:_DIGEST_CHARACTERS]


def _write_config(folder: Path, destination: str, control_dir: Path | None) -> Path | None:
    path = folder / _digest(destination)
    text = config_text(destination, control_dir).encode()
    with contextlib.suppress(OSError):
        if path.read_bytes() == text:
            return path
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path, text, durable=False)
    except (OSError, SolvehostError):
        return None  # ssh works without the defaults, too
    return path


def _control_dirs(folders: UserFolders) -> Iterator[Path]:
    """Yield the directories that sockets can be kept in, closed to other users."""
    user_dir = f"nova-{os.getuid()}"
    places = (folders.runtime, Path(tempfile.gettempdir(), user_dir), Path("/tmp", user_dir))  # noqa: S108 - looked at
    for path in (place / _CONTROL for place in places):
        text = os.fspath(path)
        is_short = len(os.fsencode(text)) + _SOCKET_NAME_CHARACTERS <= _MAX_SOCKET_CHARACTERS
        if is_short and not _UNFIT & set(text) and _is_ours(path.parent, 0o022) and _is_ours(path, 0o077):
            yield path


def _is_ours(path: Path, forbidden_mode: int) -> bool:
    """Make a directory; say whether it is one, is ours, and has none of these permissions."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & forbidden_mode
