"""The file of keys and its lines: does sshd believe it, and is each key confined?"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from solvehost.admin import keylines, programs
from solvehost.admin.accounts import Account, changeable
from solvehost.admin.authorize import DEFAULT_FILE
from solvehost.admin.keylines import KeyLine
from solvehost.admin.records import Check
from solvehost.errors import DataError, SolvehostError
from solvehost.server import settings

#: What gives back what ``restrict`` takes away.
_LOOSENING = ("pty", "port-forwarding", "agent-forwarding", "x11-forwarding", "user-rc", "tunnel", "environment",
              "permitopen", "permitlisten")  # fmt: skip
_NEAR = timedelta(days=30)
_AUTHORIZE = "solvehost authorize KEY.pub --replace writes it anew"


@dataclass(frozen=True, slots=True)
class Service:
    """What a key's line starts: the program's words, and the flags with which it serves."""

    program: tuple[str, ...]
    words: tuple[str, ...]
    flags: Mapping[str, Any]


def files_of(account: Account, patterns: Sequence[str]) -> list[Path]:
    """Return where sshd looks for keys, by the values of AuthorizedKeysFile; none stated: where authorize puts them."""
    words = [word for pattern in patterns for word in pattern.split() if word != "none"]
    expanded = [
        word.replace("%%", "\0").replace("%h", str(account.home)).replace("%u", account.name)
        .replace("%U", str(account.uid)).replace("\0", "%")
        for word in words
    ]  # fmt: skip
    return [account.home / word for word in expanded] or [DEFAULT_FILE.with_name(account.name)]


def check_file(path: Path, account: Account) -> Check:
    """The file, and every directory above it, is as sshd wants it: root's or the user's, and no other may write."""
    name = "key file"
    for part in (path, *path.parents):
        found = part.stat()
        if found.st_uid not in (0, account.uid):
            return Check(name, False, f"{part} belongs to neither root nor {account.name}: sshd does not believe it",
                         f"chown root {part}", 77)  # fmt: skip
        if found.st_mode & 0o022:
            return Check(name, False, f"{part} can be written to by others: sshd does not believe it",
                         f"chmod go-w {part}", 77)  # fmt: skip
        if part == account.home:
            break
    if path.stat().st_uid == account.uid and account.uid:
        return Check(name, None, f"{path} belongs to {account.name}, who could change what keys may do",
                     f"chown root {path}; chmod 0644 {path}")  # fmt: skip
    return Check(name, True, f"{path}, {stat.filemode(path.stat().st_mode)}")


def check_readable(path: Path) -> Iterator[Check]:
    """Yield a failed check where the user, as whom sshd reads it, cannot; to be called as that user."""
    try:
        path.open("rb").close()
    except OSError as exc:
        yield Check("key file", False, f"{path}: {exc.strerror}, and sshd reads it as the user",
                    f"chmod 0644 {path}; chmod a+x {path.parent}", 77)  # fmt: skip


def read_lines(path: Path) -> Iterator[tuple[int, KeyLine | Check]]:
    """Yield number and content of each line that holds a key, or what is wrong with it."""
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    for number, line in enumerate(text.split("\n"), 1):
        try:
            found = keylines.parse_line(line)
        except DataError as exc:
            yield number, Check(f"key {number}", None, f"{path}:{number}: {exc}", "sshd passes over it: remove it")
            continue
        if found is not None:
            yield number, found


def service_of(line: KeyLine) -> Service | None:
    """Return what a line starts, where that is a ``solvehost``.

    Raises
    ------
    SolvehostError
        Where its command or its flags cannot be understood.
    """
    split = keylines.split_command(line.value("command") or "")
    if split is None:
        return None
    program, words = split
    return Service(tuple(program), tuple(words), settings.parse_flags(words))


def check_line(number: int, line: KeyLine, account: Account) -> Iterator[Check]:
    """Yield what is to be said of one key."""
    found = [*_confinement(number, line), *_expiry(number, line), *_command(number, line, account)]
    yield from found
    if not any(check.ok is False for check in found):
        who = f", {line.key.comment}" if line.key.comment else ""
        yield Check(f"key {number}", True, f"{_client(line)}{who}: runs solvehost and nothing else")


def _client(line: KeyLine) -> str:
    try:
        service = service_of(line)
    except SolvehostError:
        return "client ?"
    return f"client {service.flags.get('client', 'default')}" if service else "another program"


def _confinement(number: int, line: KeyLine) -> Iterator[Check]:
    name = f"key {number}"
    if not line.has("command"):
        yield Check(name, False, "there is no command= in its line: whoever has the key has a shell", _AUTHORIZE, 77)
    if not line.has("restrict"):
        yield Check(
            name, False, "there is no `restrict` in its line: forwarding and terminals are open", _AUTHORIZE, 77
        )
    loose = [option for option in _LOOSENING if line.has(option)]
    if loose:
        yield Check(name, False, f"its line gives back what `restrict` takes: {', '.join(loose)}", _AUTHORIZE, 77)
    if line.has("cert-authority"):
        yield Check(name, False, "it is an authority's key: whoever it certifies gets in", _AUTHORIZE, 77)


def _expiry(number: int, line: KeyLine) -> Iterator[Check]:
    text = line.value("expiry-time")
    if text is None:
        return
    when = keylines.parse_time(text)
    remedy = "solvehost authorize KEY.pub --replace --expiry DATE, when the key is to go on"
    if when is None:
        yield Check(f"key {number}", False, f"its expiry-time is {text}, which is no date", remedy)
    elif when < datetime.now():
        yield Check(f"key {number}", None, f"it has expired ({when:%Y-%m-%d})", f"remove the line, or {remedy}")
    elif when < datetime.now() + _NEAR:
        yield Check(f"key {number}", None, f"it expires soon ({when:%Y-%m-%d})", remedy)


def _command(number: int, line: KeyLine, account: Account) -> Iterator[Check]:
    """Yield what is wrong with the command: its path, its flags, who may change it."""
    name = f"key {number}"
    if not line.has("command"):
        return
    try:
        service = service_of(line)
    except SolvehostError as exc:
        yield Check(name, False, f"its command: {exc}", _AUTHORIZE)
        return
    if service is None:
        yield Check(name, False, "its command is no solvehost", _AUTHORIZE)
        return
    if not Path(service.program[0]).is_absolute():
        yield Check(name, False, f"its command {service.program[0]} is no absolute path", _AUTHORIZE, 77)
    if not _is_isolated(service.program):
        remark = "its Python is not isolated (-I): a client's environment could rule it"
        yield Check(name, False, remark, _AUTHORIZE, 77)
    for word in service.program:
        theirs = changeable(Path(word), account) if word.startswith("/") else None
        if theirs is not None:
            yield Check(name, False, f"{account.name} may change {theirs}, and so the program itself",
                        f"chown root {theirs}; chmod go-w {theirs}", 77)  # fmt: skip
    if "client" not in service.flags:
        yield Check(name, None, "there is no --client in its command: it shares the jobs of `default`", _AUTHORIZE)


def _is_isolated(program: Sequence[str]) -> bool:
    """Say whether Python takes nothing from environment and directories, by its flag or a script's first line."""
    if "-I" in program:
        return True
    try:
        with Path(program[0]).open("rb") as stream:
            first = stream.readline(256)
    except OSError:
        return False
    return first.startswith(b"#!") and b"-I" in first.split()


def check_program(service: Service, account: Account) -> Check:
    """The user can run the program, and it is a solvehost."""
    ran = programs.run([*service.program, "--version"], account)
    text = ran.output.decode("ascii", "replace").strip()
    shown = " ".join(service.program)
    if ran.exit_code or not text.startswith("solvehost "):
        return Check("program", False, f"{account.name} cannot run {shown}: {ran.last_remark}",
                     "install it where every user may read it, such as /opt/solvehost/solvehost.pyz", 69)  # fmt: skip
    return Check("program", True, f"{shown}: {text}")
