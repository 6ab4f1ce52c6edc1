"""The user that solves: who it is, and how root looks at things with that user's eyes."""

from __future__ import annotations

import json
import os
import pwd
import stat
import sys
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from solvehost.admin.records import Check
from solvehost.errors import ConfigError, CrashError

DEFAULT_USER = "solve"


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine; ``groups`` are all of his groups."""

    name: str
    uid: int
    gid: int
    home: Path
    shell: str
    groups: tuple[int, ...] = ()


def find(name: str | None = None) -> Account:
    """Return the account of ``name``; by default one's own, and ``solve`` where that is root's.

    Raises
    ------
    ConfigError
        Where there is no such user.
    """
    try:
        is_own = name is None and os.geteuid() != 0
        found = pwd.getpwuid(os.geteuid()) if is_own else pwd.getpwnam(name or DEFAULT_USER)
    except KeyError as exc:
        raise ConfigError(f"there is no user {name or DEFAULT_USER!r}") from exc
    groups = tuple(os.getgrouplist(found.pw_name, found.pw_gid))
    return Account(found.pw_name, found.pw_uid, found.pw_gid, Path(found.pw_dir), found.pw_shell or "/bin/sh", groups)


def is_root_for(account: Account) -> bool:
    """Say whether this process is root, and the account another."""
    return os.geteuid() == 0 != account.uid


def look_as(account: Account, look: Callable[[], Iterable[Check]]) -> list[Check]:
    """Return the checks that ``look`` makes as that user: in a child process where this is root, else here.

    What the child needs must have been imported before: the user may not be allowed to read the program.
    """
    if not is_root_for(account):
        return list(look())
    theirs, ours = os.pipe()
    child = os.fork()
    if not child:
        _answer(account, look, theirs, ours)
    os.close(ours)
    with os.fdopen(theirs, "rb") as stream:
        text = stream.read()
    os.waitpid(child, 0)
    if not text:
        raise CrashError(f"nothing can be looked at as {account.name}")
    return [Check(*values) for values in json.loads(text)]


def _answer(account: Account, look: Callable[[], Iterable[Check]], theirs: int, ours: int) -> None:
    """Become the user, look, write what was found, and end."""
    try:
        os.close(theirs)
        become(account)
        with os.fdopen(ours, "wb") as stream:
            stream.write(json.dumps([astuple(check) for check in look()]).encode("ascii"))
    except BaseException as exc:
        sys.stderr.write(f"solvehost: {type(exc).__name__}: {exc}\n")
    finally:
        os._exit(0)


def become(account: Account) -> None:
    """Become a user for good: root is given up."""
    os.setgroups(account.groups)
    os.setgid(account.gid)
    os.setuid(account.uid)
    os.umask(0o077)
    os.chdir("/")


def become_owner(path: Path) -> None:
    """Where this is root, become whoever owns ``path``: what he can write to is nothing for root to work in."""
    if os.geteuid() != 0 or not path.exists() or not (uid := path.stat().st_uid):
        return
    try:
        account = find(pwd.getpwuid(uid).pw_name)
    except KeyError:
        account = Account(str(uid), uid, path.stat().st_gid, Path("/"), "/bin/sh", (path.stat().st_gid,))
    become(account)


def changeable(path: Path, account: Account) -> Path | None:
    """Return what of ``path`` and the directories above it the user may change or replace, None where nothing.

    A link is followed: what counts is where it leads, and the directories of both.
    """
    if account.uid == 0:
        return None
    for place in {Path(os.path.abspath(path)): 0, Path(os.path.realpath(path)): 0}:  # noqa: PTH100 - links kept
        for part in (place, *place.parents):
            if _may_write(part, account) and not _is_kept_by_others(part, place, account):
                return part
    return None


def _may_write(path: Path, account: Account) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    if stat.S_ISLNK(found.st_mode):
        return False
    if found.st_uid == account.uid:
        return True
    mode = found.st_mode
    return bool(mode & 0o002 or (mode & 0o020 and found.st_gid in (account.gid, *account.groups)))


def _is_kept_by_others(folder: Path, place: Path, account: Account) -> bool:
    """Say whether a directory that all may write (such as /tmp) keeps the entry on the way to ``place`` from him."""
    found = folder.lstat()
    if folder == place or not found.st_mode & stat.S_ISVTX or found.st_uid == account.uid:
        return False
    entry = folder / place.relative_to(folder).parts[0]
    try:
        return entry.lstat().st_uid != account.uid
    except OSError:
        return False
