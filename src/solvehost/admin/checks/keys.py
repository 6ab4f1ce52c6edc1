"""Checks of the ``authorized_keys`` file and its lines: sshd accepts the file, and each key can only use the server."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from solvehost.admin import keylines, programs
from solvehost.admin.accounts import Account, writable_finding
from solvehost.admin.authorize import DEFAULT_FILE
from solvehost.admin.keylines import KeyLine
from solvehost.admin.records import Finding
from solvehost.errors import DataError, NovaError
from solvehost.record import record
from solvehost.server import settings

#: Options that permit what ``restrict`` forbids.
_PERMISSIONS = ("pty", "port-forwarding", "agent-forwarding", "x11-forwarding", "user-rc", "tunnel", "environment",
                "permitopen", "permitlisten")  # fmt: skip
_EXPIRES_SOON = timedelta(days=30)
#: What to do about a program that cannot be started.
INSTALL = "install it where every user can read it, for example as /opt/solvehost/solvehost.pyz"
_AUTHORIZE = "solvehost authorize KEY.pub --replace writes the line anew"


@record
class Service:
    """What a key starts: the words of the program, the words of its flags, and the flags by name."""

    program: tuple[str, ...]
    words: tuple[str, ...]
    flags: Mapping[str, Any]


def files_of(account: Account, patterns: Sequence[str]) -> list[Path]:
    """Return the files in which sshd looks for the user's keys.

    Parameters
    ----------
    account
        The user.
    patterns
        Values of AuthorizedKeysFile; if there are none, return the file that ``solvehost authorize`` writes.
    """
    words = [word for pattern in patterns for word in pattern.split() if word != "none"]
    expanded = [
        word.replace("%%", "\0").replace("%h", str(account.home)).replace("%u", account.name)
        .replace("%U", str(account.uid)).replace("\0", "%")
        for word in words
    ]  # fmt: skip
    return [account.home / word for word in expanded] or [DEFAULT_FILE.with_name(account.name)]


def check_file(path: Path, account: Account) -> Finding:
    """Check owner and mode of the file and all directories above it, as sshd does with StrictModes."""
    name = "key file"
    for part in (path, *path.parents):
        status = part.stat()
        if status.st_uid not in (0, account.uid):
            return Finding(name, False, f"{part} belongs to neither root nor {account.name}, so sshd ignores the keys",
                           f"chown root {part}", 77)  # fmt: skip
        if status.st_mode & 0o022:
            return Finding(name, False, f"other users may write to {part}, so sshd ignores the keys",
                           f"chmod go-w {part}", 77)  # fmt: skip
        if part == account.home:
            break
    if path.stat().st_uid == account.uid and account.uid:
        return Finding(name, None, f"{path} belongs to {account.name}, who could change what the keys may do",
                       f"chown root {path}; chmod 0644 {path}")  # fmt: skip
    return Finding(name, True, f"{path}, {stat.filemode(path.stat().st_mode)}")


def check_readable(path: Path) -> Iterator[Finding]:
    """Yield a failed finding if the file cannot be read; must run as the user, as which sshd reads the file."""
    try:
        path.open("rb").close()
    except OSError as exc:
        yield Finding("key file", False, f"{path}: {exc.strerror}, and sshd reads it as the user",
                      f"chmod 0644 {path}; chmod a+x {path.parent}", 77)  # fmt: skip


def read_lines(path: Path) -> Iterator[tuple[int, KeyLine | Finding]]:
    """Yield number and content of each line with a key; a finding in place of the content if the line is invalid."""
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    for number, line in enumerate(text.split("\n"), 1):
        try:
            parsed = keylines.parse_line(line)
        except DataError as exc:
            yield number, Finding(f"key {number}", None, f"{path}:{number}: sshd ignores this line: {exc}",
                                  "remove the line, or correct it")  # fmt: skip
            continue
        if parsed is not None:
            yield number, parsed


def service_of(line: KeyLine) -> Service | None:
    """Return what a line starts, None if that is not ``solvehost``.

    Raises
    ------
    NovaError
        If its command or its flags are invalid.
    """
    split = keylines.split_command(line.value("command") or "")
    if split is None:
        return None
    program, words = split
    return Service(tuple(program), tuple(words), settings.parse_flags(words))


def check_line(number: int, line: KeyLine, account: Account) -> Iterator[Finding]:
    """Yield the findings about the key in line ``number``."""
    findings = [*_confinement(number, line), *_expiry(number, line), *_command(number, line, account)]
    yield from findings
    if not any(finding.ok is False for finding in findings):
        comment = f", {line.key.comment}" if line.key.comment else ""
        yield Finding(f"key {number}", True, f"{_client(line)}{comment}: it can run solvehost, and nothing else")


def _client(line: KeyLine) -> str:
    try:
        service = service_of(line)
    except NovaError:
        return "client ?"
    return f"client {service.flags.get('client', 'default')}" if service else "another program"


def _confinement(number: int, line: KeyLine) -> Iterator[Finding]:
    """Yield a failed finding for each thing that the key may do besides running a command."""
    name = f"key {number}"
    if not line.has("command"):
        yield Finding(name, False, "its line has no command=, so the key gives a shell", _AUTHORIZE, 77)
    if not line.has("restrict"):
        detail = "its line has no `restrict`, so the key permits forwarding and terminals"
        yield Finding(name, False, detail, _AUTHORIZE, 77)
    permissions = [option for option in _PERMISSIONS if line.has(option)]
    if permissions:
        detail = f"its line permits what `restrict` forbids: {', '.join(permissions)}"
        yield Finding(name, False, detail, _AUTHORIZE, 77)
    if line.has("cert-authority"):
        detail = "it is the key of a certificate authority, so any key that the authority signs can connect"
        yield Finding(name, False, detail, _AUTHORIZE, 77)


def is_expired(line: KeyLine) -> bool:
    """Return True if sshd no longer admits the key, or cannot read its date."""
    text = line.value("expiry-time")
    if text is None:
        return False
    when = keylines.parse_time(text)
    return when is None or when < datetime.now()


def _expiry(number: int, line: KeyLine) -> Iterator[Finding]:
    text = line.value("expiry-time")
    if text is None:
        return
    when = keylines.parse_time(text)
    remedy = "solvehost authorize KEY.pub --replace --expiry DATE, to extend it"
    if when is None:
        yield Finding(f"key {number}", False, f"its expiry-time {text} is not a date", remedy)
    elif when < datetime.now():
        yield Finding(f"key {number}", None, f"it has expired ({when:%Y-%m-%d})", f"remove the line, or {remedy}")
    elif when < datetime.now() + _EXPIRES_SOON:
        yield Finding(f"key {number}", None, f"it expires soon ({when:%Y-%m-%d})", remedy)


def _command(number: int, line: KeyLine, account: Account) -> Iterator[Finding]:
    """Yield what is wrong with the command: its path, its flags, or the permissions of the program."""
    name = f"key {number}"
    if not line.has("command"):
        return
    try:
        service = service_of(line)
    except NovaError as exc:
        yield Finding(name, False, f"its command is invalid: {exc}", _AUTHORIZE)
        return
    if service is None:
        yield Finding(name, False, "its command does not start solvehost", _AUTHORIZE)
        return
    if not Path(service.program[0]).is_absolute():
        yield Finding(name, False, f"its command {service.program[0]} is not an absolute path", _AUTHORIZE, 77)
    if not _is_isolated(service.program):
        detail = "its Python is not isolated (-I), so the client's environment could change the program"
        yield Finding(name, False, detail, _AUTHORIZE, 77)
    for word in service.program:
        if word.startswith("/") and (finding := writable_finding(name, Path(word), account)):
            yield finding
    if "client" not in service.flags:
        yield Finding(name, None, "its command has no --client, so it shares the jobs of `default`", _AUTHORIZE)


def _is_isolated(program: Sequence[str]) -> bool:
    """Return True if Python ignores environment and working directory (-I in the command or in the first line)."""
    if "-I" in program:
        return True
    try:
        with Path(program[0]).open("rb") as stream:
            first_line = stream.readline(256)
    except OSError:
        return False
    return first_line.startswith(b"#!") and b"-I" in first_line.split()


def check_program(service: Service, account: Account) -> Finding:
    """Check that the user can run the program, and that it is ``solvehost``."""
    result = programs.run([*service.program, "--version"], account)
    text = result.stdout.decode("ascii", "replace").strip()
    shown = " ".join(service.program)
    if result.exit_code or not text.startswith("solvehost "):
        return Finding("program", False, f"user {account.name} cannot run {shown}: {result.last_line}",
                       INSTALL, 69)  # fmt: skip
    return Finding("program", True, f"{shown}: {text}")
