"""The user that the server runs as, and how root checks files and programs with that user's permissions."""

from __future__ import annotations

import json
import os
import pwd
import signal
import stat
import sys
from collections.abc import Callable, Iterable
from dataclasses import astuple
from pathlib import Path

from solvehost.admin.records import Finding
from solvehost.errors import ConfigError, InternalError
from solvehost.record import record

DEFAULT_USER = "solve"
#: Time limit of the checks that run as another user, whose files could make root wait, in seconds.
_CHECK_S = 600


@record
class Account:
    """A user of this machine; ``groups`` holds the ids of all groups of the user."""

    name: str
    uid: int
    gid: int
    home: Path
    shell: str
    groups: tuple[int, ...] = ()


def find(name: str | None = None) -> Account:
    """Return the account of ``name``; by default, that of this process, or ``solve`` if this process is root.

    Raises
    ------
    ConfigError
        If there is no such user.
    """
    try:
        is_own = name is None and os.geteuid() != 0
        entry = pwd.getpwuid(os.geteuid()) if is_own else pwd.getpwnam(name or DEFAULT_USER)
    except KeyError as exc:
        raise ConfigError(f"there is no user {name or DEFAULT_USER!r}") from exc
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, Path(entry.pw_dir), entry.pw_shell or "/bin/sh", groups)


def is_root_for(account: Account) -> bool:
    """Return True if this process is root and the account is another user."""
    return os.geteuid() == 0 != account.uid


def check_as(account: Account, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Run ``check`` with the permissions of a user: in a child process if this one is root, else here.

    All modules that the child needs must be imported before, since the user may not be allowed to read the program.
    """
    if not is_root_for(account):
        return list(check())
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        _check_in_child(account, check, read_end, write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as stream:
        text = stream.read()
    os.waitpid(child, 0)
    if not text:
        detail = f"the checks as user {account.name} ended without a result (time limit: {_CHECK_S} s)"
        return [Finding("checks", False, detail, "see the messages on standard error", InternalError.exit_code)]
    return [Finding(*values) for values in json.loads(text)]


def _check_in_child(
    account: Account, check: Callable[[], Iterable[Finding]], read_end: int, write_end: int
) -> None:  # fmt: skip
    """Become the user, run the check, write its findings to ``write_end``, and exit."""
    try:
        os.close(read_end)
        signal.alarm(_CHECK_S)  # by default, the signal ends this process
        become(account)
        with os.fdopen(write_end, "wb") as stream:
            stream.write(json.dumps([astuple(finding) for finding in check()]).encode("ascii"))
    except BaseException as exc:
        sys.stderr.write(f"solvehost: {type(exc).__name__}: {exc}\n")
    finally:
        os._exit(0)


def become(account: Account) -> None:
    """Give up root permanently, and become a user."""
    os.setgroups(account.groups)
    os.setgid(account.gid)
    os.setuid(account.uid)
    os.umask(0o077)
    os.chdir("/")


def become_owner(path: Path) -> None:
    """Become the owner of ``path`` if this process is root, since root must not work in a directory of a user."""
    if os.geteuid() != 0 or not path.exists() or not (uid := path.stat().st_uid):
        return
    try:
        account = find(pwd.getpwuid(uid).pw_name)
    except KeyError:
        account = Account(str(uid), uid, path.stat().st_gid, Path("/"), "/bin/sh", (path.stat().st_gid,))
    become(account)


def find_writable(path: Path, account: Account) -> Path | None:
    """Return ``path``, or a directory above it, if the user can change or replace it; else None.

    A symbolic link is followed: both its own directories and those of its target are examined.
    """
    if account.uid == 0:
        return None
    for place in {Path(os.path.abspath(path)): 0, Path(os.path.realpath(path)): 0}:  # noqa: PTH100 - keeps links
        for part in (place, *place.parents):
            if _may_write(part, account) and not _is_sticky(part, place, account):
                return part
    return None


def writable_finding(name: str, path: Path, account: Account) -> Finding | None:
    """Return a failed finding if the user can change or replace ``path``, None otherwise."""
    part = find_writable(path, account)
    if part is None:
        return None
    return Finding(name, False, f"user {account.name} can change {part}", f"chown root {part}; chmod go-w {part}", 77)


def _may_write(path: Path, account: Account) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    if stat.S_ISLNK(status.st_mode):
        return False
    if status.st_uid == account.uid:
        return True
    mode = status.st_mode
    return bool(mode & 0o002 or (mode & 0o020 and status.st_gid in (account.gid, *account.groups)))


def _is_sticky(folder: Path, place: Path, account: Account) -> bool:
    """Return True if ``folder`` (like /tmp) keeps the user from replacing its entry on the way to ``place``."""
    status = folder.lstat()
    if folder == place or not status.st_mode & stat.S_ISVTX or status.st_uid == account.uid:
        return False
    entry = folder / place.relative_to(folder).parts[0]
    try:
        return entry.lstat().st_uid != account.uid
    except OSError:
        return False
