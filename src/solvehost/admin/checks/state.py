"""Checks of the state directory: owner and modes of its parts, free space, and that a job can begin in it.

All of them must run with the permissions of the server's user.  They open no file that is not a regular one, so a
FIFO or a link that this user put there cannot make them wait.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from solvehost.admin.accounts import Account
from solvehost.admin.checks import run_check
from solvehost.admin.records import Finding
from solvehost.errors import NovaError
from solvehost.formats import jobdir
from solvehost.server.settings import Settings
from solvehost.server.state_dir import StateDir, free_space

_NETWORK_DISKS = ("nfs", "cifs", "smb", "afs", "ncp", "9p", "ceph", "gluster", "lustre", "fuse.sshfs")
_SCARCE_BYTES, _SCARCE_INODES = 2 * 10**9, 10_000
_MOUNTS = Path("/proc/self/mounts")
#: Parts of the state directory that each job uses.
_DIRECTORIES = ("slots", "slots/queue", "work", "clients", "clients/*", "clients/*/*")
_FILES = ("slots/slot-*", "slots/waiting", "indexes.json", "clients/*/*/slot-*", "clients/*/*/waiting",
          "clients/*/jobs/*/lock", "clients/*/jobs/*/*.json")  # fmt: skip


def check(config: Settings, account: Account) -> Iterator[Finding]:
    """Yield the findings about the state directory."""
    findings = list(check_directories(config, account))
    yield from findings
    if any(finding.ok is False for finding in findings):
        return
    yield check_room(config.state)
    yield from run_check("work", lambda: [check_use(config)])
    yield from run_check("leftovers", lambda: check_leftovers(config))


def check_directories(config: Settings, account: Account) -> Iterator[Finding]:
    """Yield whether the state directory and all its parts are the user's alone and on a local disk."""
    path = config.state
    create = f"install -d -m 0700 -o {account.name} -g {account.gid} {path}"
    if not path.exists():
        yield Finding("state", False, f"the state directory {path} does not exist", create, 73)
        return
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != account.uid or status.st_mode & 0o777 != 0o700:
        yield Finding("state", False, f"{path} must be a directory owned by {account.name} with mode 0700, but it is "
                      f"{stat.filemode(status.st_mode)}, owned by uid {status.st_uid}", create)  # fmt: skip
        return
    kind = disk_kind(path)
    if kind.startswith(_NETWORK_DISKS):
        yield Finding("state", False, f"{path} is on a network disk ({kind}), whose locks are unreliable after a crash",
                      "set `state` to a directory on a local disk")  # fmt: skip
        return
    damaged = _damaged_part(path, account)
    if damaged is not None:
        yield damaged
        return
    yield Finding("state", True, f"{path}, {kind or 'on a local disk'}")


def _damaged_part(state: Path, account: Account) -> Finding | None:
    """Return a failed finding for the first part of the state that the server cannot use, None if there is none."""
    for patterns, is_kind, kind, bits, mode in (
        (_DIRECTORIES, stat.S_ISDIR, "directory", 0o700, "u+rwx,go-w"),
        (_FILES, stat.S_ISREG, "file", 0o600, "u+rw,go-w"),
    ):
        for part in (part for pattern in patterns for part in state.glob(pattern)):
            status = part.lstat()
            if not is_kind(status.st_mode):
                detail = f"{part} must be a {kind}, but it is {stat.filemode(status.st_mode)}"
                return Finding("state", False, detail, f"remove {part}; the server makes it anew")
            if status.st_uid != account.uid or status.st_mode & (bits | 0o022) != bits:
                detail = f"{part} must be a {kind} of {account.name} with mode {bits:04o}"
                return Finding("state", False, detail, f"chown -h {account.name} {part}; chmod {mode} {part}")
    return None


def check_use(config: Settings) -> Finding:
    """Check that a job can take a slot and make its work directory, in the state directory itself.

    A part that does not exist yet is not made; a directory beside it shows that it could be.
    """
    state_dir = StateDir(config)
    slots, job = config.state / "slots", None
    try:
        if slots.exists():
            tokens = state_dir.slots()
            token = tokens.try_acquire()
            if token is not None:
                token.release()
            tokens.others_wait()
        job = state_dir.stage() if state_dir.work.exists() else jobdir.create(config.state)
        job.write_json("record.json", {})
        with job.locked():
            pass
    except (OSError, NovaError) as exc:
        remedy = f"make {config.state} writable for the server's user, on a disk that is mounted read-write"
        return Finding("work", False, f"a job cannot begin: {exc}", remedy, 73)
    finally:
        if job is not None:
            jobdir.discard(job)
    return Finding("work", True, "a job can take a slot and make its work directory")


def check_leftovers(config: Settings) -> Iterator[Finding]:
    """Yield how many directories of killed jobs are left, if there are any."""
    state_dir = StateDir(config)
    left = [*state_dir.stale(), *(job for name in state_dir.clients() for job in state_dir.client(name).stale())]
    if left:
        detail = f"killed jobs left {len(left)} director{'y' if len(left) == 1 else 'ies'}, for example {left[0].path}"
        yield Finding("leftovers", None, detail, "solvehost gc")


def check_room(path: Path) -> Finding:
    """Check that there is space for jobs and their files."""
    free = free_space(path)
    detail = f"{free.bytes / 1e9:.1f} GB free" + ("" if free.inodes is None else f", {free.inodes:,} files")
    remedy = f"make room on the disk of {path}; solvehost gc removes expired jobs"
    if free.is_too_little:
        return Finding("room", False, f"{detail}: too little for a job to begin", remedy, 73)
    is_scarce = free.bytes < _SCARCE_BYTES or (free.inodes is not None and free.inodes < _SCARCE_INODES)
    return Finding("room", None if is_scarce else True, detail, remedy if is_scarce else "")


def disk_kind(path: Path) -> str:
    """Return the type of the file system that holds a path, empty if it is unknown."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    where = os.path.realpath(path)
    mounts = [(_unescape(line.split()[1]), line.split()[2]) for line in lines if line.strip()]
    above = [(point, kind) for point, kind in mounts if where == point or where.startswith(point.rstrip("/") + "/")]
    return max(above, key=lambda mount: len(mount[0]), default=("", ""))[1]


def _unescape(text: str) -> str:
    """Replace the octal escapes with which the kernel writes spaces and similar characters in paths."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
