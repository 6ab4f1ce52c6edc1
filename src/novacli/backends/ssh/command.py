"""Build the ssh command line, and the generated configuration that it names.

ssh uses the first value that it finds for an option.  Options that nova requires are on the command line.  The others
are defaults: they are in a generated file (``-F``) that includes the user's and the system's configuration first.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from novacli.config import Config, UserFolders
from novacli.errors import OutputError, UnavailableError
from novacli.files.atomic import write_file
from solvehost.record import record

#: No terminal, no X11, no agent, no questions, no forwarding, and no command of the user's instead of the verb.
_OVERRIDES = (
    "-T", "-x", "-a",
    "-oBatchMode=yes", "-oClearAllForwardings=yes", "-oRemoteCommand=none", "-oPermitLocalCommand=no",
)  # fmt: skip
_FIRST = "Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n"
#: A dead connection is noticed within a minute, even during a solve that prints nothing.
_DEFAULTS = ("ConnectTimeout 10", "ServerAliveInterval 15", "ServerAliveCountMax 4")
#: The first connection stays open for a minute after its last use, so that the next ones need no handshake.
_SHARING = ("ControlMaster auto", "ControlPersist 60")
_CONFIG, _CONTROL = "ssh_config", "ssh"
#: The longest path of a socket on macOS; Linux allows four more characters.
_MAX_SOCKET_CHARACTERS = 104 - 1
_DIGEST_CHARACTERS = 12
#: ``/``, %C (40 hexadecimal digits), ``-`` and a digest.  While ssh makes the socket, it adds a dot and 16 characters.
_SOCKET_NAME_CHARACTERS = 1 + 40 + 1 + _DIGEST_CHARACTERS + 17
#: Characters of a path that ssh would expand or take for its end.
_FORBIDDEN = frozenset('"%${}\n\\')


@record
class Ssh:
    """The ssh program.

    Attributes
    ----------
    program
        Its absolute path.
    config_dir
        The folder of the generated configurations.
    control_dir
        The folder of the sockets of shared connections; None if connections are not shared.
    """

    program: str
    config_dir: Path
    control_dir: Path | None

    @classmethod
    def of(cls, settings: Config) -> Ssh:
        """Return the ssh program that the settings name.

        Raises
        ------
        UnavailableError
            If there is no such program.
        """
        program = shutil.which(settings["ssh"])
        if program is None:
            raise UnavailableError(
                f"{settings['ssh']} was not found: install the OpenSSH client, or name another by $NOVA_SSH"
            )
        absolute = os.path.abspath(program)  # noqa: PTH100 - keeps symbolic links
        return cls(absolute, settings.folders.cache / _CONFIG, next(_control_dirs(settings.folders), None))

    def command(self, destination: str, words: Sequence[str], options: Sequence[str] = ()) -> list[str]:
        """Return the command line that runs a verb on a server.

        Parameters
        ----------
        destination
            The ssh destination.
        words
            The verb and its arguments.
        options
            Further options of ssh; as flags they override those that nova gives.
        """
        config = _write_config(self.config_dir, destination, self.control_dir)
        generated = [] if config is None else ["-F", str(config)]
        return [self.program, *generated, *_OVERRIDES, *options, "--", destination, *words]


def config_text(destination: str, control_dir: Path | None) -> str:
    """Return the generated configuration; connections are shared if there is a folder for their sockets."""
    sharing: tuple[str, ...] = ()
    if control_dir is not None:
        sharing = (*_SHARING, f'ControlPath "{control_dir}/%C-{_digest(destination)}"')
    return f"{_FIRST}Host *\n" + "".join(f"    {line}\n" for line in (*_DEFAULTS, *sharing))


def _digest(destination: str) -> str:
    """Return a digest of a destination: %C is the same for two aliases of one account with different keys."""
    return hashlib.sha256(destination.encode()).hexdigest()[:_DIGEST_CHARACTERS]


def _write_config(folder: Path, destination: str, control_dir: Path | None) -> Path | None:
    path = folder / _digest(destination)
    text = config_text(destination, control_dir).encode()
    with contextlib.suppress(OSError):
        if path.read_bytes() == text:
            return path
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_file(path, text, durable=False)
    except (OSError, OutputError):
        return None  # ssh works without the defaults, too
    return path


def _control_dirs(folders: UserFolders) -> Iterator[Path]:
    """Yield the folders in which sockets can be kept: closed to other users, with short paths."""
    user_dir = f"nova-{os.getuid()}"
    places = (folders.runtime, Path(tempfile.gettempdir(), user_dir), Path("/tmp", user_dir))  # noqa: S108 - checked by _is_ours
    for path in (place / _CONTROL for place in places):
        text = os.fspath(path)
        is_short = len(os.fsencode(text)) + _SOCKET_NAME_CHARACTERS <= _MAX_SOCKET_CHARACTERS
        if is_short and not _FORBIDDEN & set(text) and _is_ours(path.parent, 0o022) and _is_ours(path, 0o077):
            yield path


def _is_ours(path: Path, forbidden_mode: int) -> bool:
    """Make a folder if it is missing; return True if it is ours and has none of the forbidden permissions."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & forbidden_mode
