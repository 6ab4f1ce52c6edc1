"""A real sshd on 127.0.0.1 for the tests, with ``solvehost`` as its forced command.

Tests marked ``sshd`` use it through the session's fixture ``sshd``::

    @pytest.mark.sshd
    def test_something(sshd: MadeSshd) -> None:
        host = sshd.add_host("--slots", "2", client="nova1")       # its own key and state directory
        subprocess.run([*sshd.ssh, "-T", host.alias, "info"])      # a raw pipeline
        monkeypatch.setenv("NOVA_SSH", str(sshd.program))          # `nova submit --to host.alias`
        sshd.add_host(command="/bin/sh some/script")               # any other forced command

``sshd.ssh`` is an argument list with ``-F FILE``; connections are shared only with ``-o ControlMaster``.
``sshd.program`` is a script in place of ``ssh``, which ``sshd.path`` puts first on PATH.  It reads the aliases
before the file that ``-F`` names, so nova's own defaults apply, such as sharing.  (Setting HOME has no effect: ssh
reads the password file.)

If the tests run as root, a temporary user (``sshd.user``) runs the jobs.  It can read a copy of the package
(``sshd.app``) and has an interpreter (``sshd.python``), but cannot read this checkout: put a stand-in engine
into ``sshd.place(...)``, and files to read or write into ``sshd.make_dir()``, which belongs to that user.
Otherwise the current user does both.  Engines and configuration of a host are flags of ``solvehost``.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROGRAM = Path("/usr/sbin/sshd")
PATIENCE_S = 20.0
#: Names of temporary users consist of this prefix, the pid of the tests, and the number of the server.
_PREFIX = "novatest"
_servers = itertools.count()

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes {strict}
AcceptEnv *
Match User {user}
    AuthorizedKeysFile {folder}/authorized_keys
    AuthenticationMethods publickey
    DisableForwarding yes
    PermitTTY no
    PermitUserRC no
    PermitTunnel no
    ClientAliveInterval 15
    ClientAliveCountMax 4
"""
_ALIAS = """\
Host {alias}
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {key}
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile none
    StrictHostKeyChecking yes
    BatchMode yes
    LogLevel ERROR
"""
_NOT_SHARED = """\
    ControlMaster no
    ControlPath none
"""
_WRAPPER = """\
#!/bin/sh
# Runs ssh, which reads the aliases of the tests before the given configuration.
left=$#
config={aliases}
while [ "$left" -gt 0 ]; do
    word=$1; shift; left=$((left - 1))
    if [ "$word" = -F ]; then
        config={folder}/config-$(printf %s "$1" | cksum | cut -d" " -f1)
        printf 'Include %s\\nInclude %s\\n' {aliases} "$1" >"$config.$$" && mv "$config.$$" "$config"
        shift; left=$((left - 1))
    else
        set -- "$@" "$word"
    fi
done
exec {ssh} -F "$config" "$@"
"""


@dataclass(frozen=True)
class Host:
    """A key for the sshd: its alias, and the state directory and client of its ``solvehost``."""

    alias: str
    state: Path
    client: str


@dataclass
class MadeSshd:
    """A running sshd; see the docstring of the module."""

    folder: Path
    port: int
    user: str
    python: str
    pid: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def ssh(self) -> list[str]:
        """The beginning of an ssh command line."""
        return ["ssh", "-F", str(self.folder / "aliases")]

    @property
    def program(self) -> Path:
        """The script in place of ssh."""
        return self.folder / "bin" / "ssh"

    @property
    def path(self) -> str:
        """PATH with the script's directory in front."""
        return f"{self.program.parent}:{os.environ['PATH']}"

    @property
    def app(self) -> Path:
        """The copy of the package, a directory that Python can run."""
        return self.folder / "app"

    @property
    def is_other_user(self) -> bool:
        """Whether another user than that of the tests runs the jobs."""
        return self.user != pwd.getpwuid(os.geteuid()).pw_name

    def make_dir(self) -> Path:
        """Return a new directory that belongs to the user who runs the jobs, with mode 0700."""
        path = self.folder / f"own-{next(self._numbers)}"
        path.mkdir(mode=0o700)
        self.give(path)
        return path

    def place(self, name: str, content: str | bytes, mode: int = 0o755) -> Path:
        """Write a file, in its own directory, that the user who runs the jobs can read and execute, but not change."""
        path = self.folder / f"placed-{next(self._numbers)}" / name
        path.parent.mkdir(mode=0o755)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    def give(self, path: Path) -> None:
        """Make the user who runs the jobs the owner of a file."""
        if self.is_other_user:
            shutil.chown(path, self.user, pwd.getpwnam(self.user).pw_gid)

    def as_user(self) -> dict[str, object]:
        """Return arguments for ``subprocess`` that run a program as the user who runs the jobs."""
        if not self.is_other_user:
            return {}
        found = pwd.getpwnam(self.user)
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}

    def forced_command(self, *flags: str, state: Path, client: str, wrapper: Path | None = None) -> str:
        """Return a forced command that serves jobs; ``wrapper`` is a script to run in place of the package."""
        words = [self.python, "-I", str(wrapper or self.app), "--state", str(state), "--client", client]
        return " ".join([*words, *flags])

    def add_host(
        self, *flags: str, client: str = "nova1", state: Path | None = None, command: str | None = None,
        wrapper: Path | None = None, shared: bool = True,
    ) -> Host:  # fmt: skip
        """Add a key whose forced command is ``solvehost`` with these flags (or ``command``); return its host.

        Unless ``shared``, the alias forbids connection sharing, as a user's configuration may.
        """
        number = next(self._numbers)
        host = Host(f"made-{number}", state or self.make_dir(), client)
        key = self.folder / f"key-{number}"
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host.alias, "-f", str(key))
        command = command or self.forced_command(*flags, state=host.state, client=client, wrapper=wrapper)
        options = f'restrict,command="{command}"'
        with (self.folder / "authorized_keys").open("a") as lines:
            lines.write(f"{options} {key.with_suffix('.pub').read_text()}")
        with (self.folder / "aliases").open("a") as lines:
            alias = _ALIAS.format(alias=host.alias, port=self.port, user=self.user, key=key, folder=self.folder)
            lines.write(alias + ("" if shared else _NOT_SHARED) + "\n")
        return host

    def connections(self) -> list[int]:
        """Return the pids of sshd that serve connections, including those of sessions."""
        return [pid for pid in descendants(self.pid) if _command_line(pid).startswith(b"sshd:")]

    def log(self) -> str:
        """Return the log of sshd."""
        return (self.folder / "sshd.log").read_text()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def descendants(ancestor: int) -> list[int]:
    """Return the pids of all descendants of a process."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found: list[int] = []
    generation = [ancestor]
    while generation:
        generation = [pid for pid, parent in parents.items() if parent in generation]
        found += generation
    return found


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@contextlib.contextmanager
def start() -> Iterator[MadeSshd]:
    """Start an sshd; at the end, kill it and all its processes, and remove its files and its user."""
    if not PROGRAM.exists() or shutil.which("ssh") is None:
        pytest.skip("sshd is not installed (Debian: apt install openssh-server)")
    # Not below pytest's directory, which other users cannot enter; and short, for the paths of control sockets.
    folder = Path(tempfile.mkdtemp(prefix="nova-sshd-"))
    folder.chmod(0o755)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        user, python = _make_user(folder, stack)
        server = MadeSshd(folder, 0, user, python)
        _fill(server)
        stack.callback(_end_all, server)
        _launch(server, stack)
        yield server


def _make_user(folder: Path, stack: contextlib.ExitStack) -> tuple[str, str]:
    """Return the user who runs the jobs, and an interpreter that this user can execute."""
    current = pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() != 0 or shutil.which("useradd") is None:
        return current, sys.executable
    _remove_left_over_users()
    user = f"{_PREFIX}{os.getpid()}-{next(_servers)}"
    _run_until_success("useradd", "-M", "-d", str(folder), "-s", "/bin/sh", "-p", "*", user)
    found = pwd.getpwnam(user)
    for python in (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"):
        command = [python, "-I", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        with contextlib.suppress(OSError):
            if not subprocess.run(
                command, user=found.pw_uid, group=found.pw_gid, extra_groups=[], cwd="/", check=False,
                stderr=subprocess.DEVNULL,
            ).returncode:  # fmt: skip
                stack.callback(_run_until_success, "userdel", user)
                return user, python
    _run_until_success("userdel", user)
    return current, sys.executable


def _run_until_success(*command: str) -> None:
    """Run a command until it succeeds, since other test processes may hold the lock of the password file."""
    deadline = time.monotonic() + PATIENCE_S
    while subprocess.run(command, capture_output=True, check=False).returncode:
        assert time.monotonic() < deadline, f"{command} fails"
        time.sleep(0.1)


def _remove_left_over_users() -> None:
    """Remove temporary users of tests that were killed."""
    for found in pwd.getpwall():
        number = found.pw_name.removeprefix(_PREFIX).partition("-")[0]
        if number != found.pw_name and number.isdigit() and not Path("/proc", number).exists():
            subprocess.run(["userdel", found.pw_name], capture_output=True, check=False)


def _fill(server: MadeSshd) -> None:
    """Create the keys, the copy of the package, and the script in place of ssh."""
    import solvehost

    folder = server.folder
    (folder / "authorized_keys").touch(mode=0o644)
    (folder / "aliases").touch(mode=0o644)
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host_key"))
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(solvehost.__file__).parent, server.app / "solvehost", ignore=ignored)
    (server.app / "__main__.py").write_text("from solvehost.__main__ import main\n\nmain()\n")
    _run(server.python, "-I", "-m", "compileall", "-q", str(server.app))
    _run("chmod", "-R", "a+rX", str(server.app))
    server.program.parent.mkdir()
    script = _WRAPPER.format(aliases=folder / "aliases", folder=folder, ssh=shutil.which("ssh"))
    server.program.write_text(script)
    server.program.chmod(0o755)


def _launch(server: MadeSshd, stack: contextlib.ExitStack) -> None:
    folder = server.folder
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # Debian's sshd does not start without it
    # StrictModes checks all directories up to the user's home directory, and all may write to /tmp.
    strict = "yes" if server.is_other_user else "no"
    for _ in range(5):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            server.port = probe.getsockname()[1]
        text = _CONFIG.format(port=server.port, folder=folder, user=server.user, strict=strict)
        (folder / "sshd_config").write_text(text)
        with (folder / "sshd.log").open("ab") as log:
            command = [*_dies_with_us(), PROGRAM, "-D", "-e", "-f", folder / "sshd_config"]
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )  # fmt: skip
        stack.callback(process.wait)
        stack.callback(process.kill)
        server.pid = process.pid
        if _answers(process, server.port):
            key = (folder / "host_key.pub").read_text()
            (folder / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {key}")
            return
    pytest.fail(f"sshd does not start: {server.log()}")


def _dies_with_us() -> list[str]:
    """Return a command prefix with which a program is killed if the tests are killed."""
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", "KILL"] if program else []


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as line:
            if line.recv(4) == b"SSH-":
                return process.poll() is None
        time.sleep(0.01)
    return False


def _end_all(server: MadeSshd) -> None:
    """Kill the processes of the temporary user, and those with our directory in their command line."""
    deadline = time.monotonic() + PATIENCE_S
    while left := _left_over(server):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert time.monotonic() < deadline, f"processes do not end: {left}"
        time.sleep(0.01)


def _left_over(server: MadeSshd) -> list[int]:
    uid = pwd.getpwnam(server.user).pw_uid if server.is_other_user else -1
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            ours = entry.stat().st_uid == uid or os.fsencode(server.folder) in _command_line(int(entry.name))
            if ours and (entry / "stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X"):
                found.append(int(entry.name))
    return found
