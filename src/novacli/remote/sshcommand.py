"""The ssh command line: what nova decides, and under it what the user's own configuration may decide otherwise.

ssh takes the first value that it meets.  What must hold stands on the command line.  All else is a default: it stands
in a generated file that includes the user's and the system's configuration first (``-F``).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from novacli.config import Config, cache_dir, runtime_dir
from novacli.errors import UnavailableError
from solvehost.errors import SolvehostError
from solvehost.jobdir import write_atomic

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
_CONFIG = "ssh_config"
#: Of a socket's path on macOS; Linux takes four more.
_MAX_SOCKET_CHARACTERS = 104 - 1
#: ``/`` and %C, 40 hexadecimal digits; while it is being made, ssh adds a dot and 16 characters.
_SOCKET_NAME_CHARACTERS = 1 + 40 + 17
#: What ssh would expand or take for an end of the path.
_UNFIT = frozenset('"%${}\n\\')


@dataclass(frozen=True, slots=True)
class Ssh:
    """The ssh program and the generated configuration, None where it cannot be kept anywhere."""

    program: str
    config: Path | None

    @classmethod
    def of(cls, settings: Config, env: Mapping[str, str] = os.environ) -> Ssh:
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
        return cls(os.path.abspath(program), _write_config(env))  # noqa: PTH100 - symlinks stay as they are

    def command(self, destination: str, words: Sequence[str], options: Sequence[str] = ()) -> list[str]:
        """Return the command line that asks ``destination`` for ``words``; ``options`` go before all others."""
        generated = [] if self.config is None else ["-F", str(self.config)]
        return [self.program, *options, *generated, *_OVERRIDES, "--", destination, *words]


def config_text(control_dir: Path | None) -> str:
    """Return the generated configuration; without a directory for sockets, connections are not shared."""
    sharing = () if control_dir is None else (*_SHARING, f'ControlPath "{control_dir}/%C"')
    return f"{_FIRST}Host *\n" + "".join(f"    {line}\n" for line in (*_DEFAULTS, *sharing))


def _write_config(env: Mapping[str, str]) -> Path | None:
    path = cache_dir(env) / _CONFIG
    text = config_text(next(_control_dirs(env), None)).encode()
    with contextlib.suppress(OSError):
        if path.read_bytes() == text:
            return path
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path, text, durable=False)
    except (OSError, SolvehostError):
        return None  # ssh works without the defaults, too
    return path


def _control_dirs(env: Mapping[str, str]) -> Iterator[Path]:
    """Yield the directories that sockets can be kept in, private to this user."""
    for path in (
        runtime_dir(env),
        Path(tempfile.gettempdir(), f"nova-{os.getuid()}"),
        Path(f"/tmp/nova-{os.getuid()}"),  # noqa: S108 - looked at before it is used
    ):
        text = os.fspath(path)
        is_short = len(os.fsencode(text)) + _SOCKET_NAME_CHARACTERS <= _MAX_SOCKET_CHARACTERS
        if is_short and not _UNFIT & set(text) and _is_private(path):
            yield path


def _is_private(path: Path) -> bool:
    """Make a directory; say whether it is one, is ours, and is closed to others."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077
