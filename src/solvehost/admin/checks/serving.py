"""Can the user solve: configuration, engine, index files, state directory, room, memory, limits?

All of it is to be called as that user (``accounts.look_as``).
"""

from __future__ import annotations

import ctypes  # noqa: F401 - for landlock_abi, and
import os
import re
import resource
import stat
import tomllib  # noqa: F401 - for settings: the user may not be allowed to read this Python's own modules
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from solvehost.admin import programs
from solvehost.admin.accounts import Account, changeable
from solvehost.admin.checks import guarded
from solvehost.admin.records import Check
from solvehost.engine import sandbox
from solvehost.engine.exec_helper import landlock_abi
from solvehost.indexes import engine_config, index_set
from solvehost.indexes.index_set import IndexSet
from solvehost.server import settings, state_dir
from solvehost.server.engine_setup import EngineSetup
from solvehost.server.settings import Settings

_NET_DISKS = ("nfs", "cifs", "smb", "afs", "ncp", "9p", "ceph", "gluster", "lustre", "fuse.sshfs")
_SCARCE_BYTES, _SCARCE_INODES = 2 * 10**9, 10_000
_MOUNTS = Path("/proc/self/mounts")
#: Limit of the session → what an engine needs of it at least (become.py lowers each to its own).
_NEEDED_LIMITS = {"NOFILE": 64, "FSIZE": 64 * 2**20, "NPROC": 16}


def look(flags: Mapping[str, Any], account: Account) -> Iterator[Check]:
    """Yield all checks of what solving takes."""
    found = list(guarded("configuration", lambda: check_configuration(flags, account)))
    yield from found
    if any(check.ok is False and check.exit_code != 77 for check in found):
        return
    config = settings.load(flags)
    host = EngineSetup(config)
    yield from guarded("engine", lambda: [check_engine(host, account)])
    yield from guarded("index files", lambda: check_indexes(host, account))
    yield from guarded("state", lambda: check_state(config, account))
    yield from guarded("memory", lambda: [check_memory(config)])
    yield from guarded("sandbox", lambda: [check_sandbox(config)])
    yield from guarded("limits", lambda: check_limits(config))
    yield from guarded("log", lambda: [check_log(config)])


def check_configuration(flags: Mapping[str, Any], account: Account) -> Iterator[Check]:
    """Yield whether it can be read and understood, and whether the user may change it."""
    settings.load(flags)
    path = settings.file_of(flags)
    if not os.path.lexists(path) or str(path) == os.devnull:
        yield Check("configuration", True, f"there is none in {path}: flags and defaults hold")
        return
    theirs = changeable(path, account)
    if theirs is not None:
        yield Check("configuration", False, f"{account.name} may change {theirs}", f"chown root {theirs}; "
                    f"chmod go-w {theirs}", 77)  # fmt: skip
        return
    yield Check("configuration", True, f"{path}")


def check_engine(host: EngineSetup, account: Account) -> Check:
    """It is there, runs, and is nothing that the user may change."""
    path = host.engine
    theirs = changeable(path, account)
    if theirs is not None:
        remedy = f"chown root {theirs}; chmod go-w {theirs}"
        return Check("engine", False, f"{account.name} may change {theirs}", remedy, 77)
    ran = programs.run([str(path), "--help"])
    if b"-engine" not in ran.output + ran.remarks:
        return Check("engine", False, f"{path} does not run: {ran.last_remark}", "install it again", 69)
    return Check("engine", True, str(path))


def scan(host: EngineSetup) -> IndexSet:
    """Look at the index files themselves; what the server remembers of them is neither believed nor changed."""
    return index_set.scan(engine_config.configured_places(host.settings.engine_config, host.engine))


def check_indexes(host: EngineSetup, account: Account) -> Iterator[Check]:
    """Yield how many load, each one that does not, and whether the user may change any."""
    found = scan(host)
    if not found.files:
        where = ", ".join(map(str, found.searched)) or "no configuration of the engine names any"
        yield Check("index files", False, f"none loads ({where})", "install some, or name an engine configuration by "
                    "engine_config", 69)  # fmt: skip
    for path, why in found.damaged:
        yield Check("index files", None, f"{path} does not load: {why}", "fetch it again, or remove it")
    theirs = next((place for file in found.files if (place := changeable(file.path, account)) is not None), None)
    if theirs is not None:
        yield Check("index files", False, f"{account.name} may change {theirs}", f"chown -R root {theirs}; "
                    f"chmod -R go-w {theirs}", 77)  # fmt: skip
        return
    quads = found.quads_arcmin
    if quads is not None:
        span = f"quads of {quads.low:.0f} to {quads.high:.0f} arcminutes"
        yield Check("index files", True, f"{len(found.files)} load, {span}")


def check_state(config: Settings, account: Account) -> Iterator[Check]:
    """Yield whether the state directory is the user's alone, lies on a disk of this machine, and has room."""
    path = config.state
    make = f"install -d -m 0700 -o {account.name} -g {account.gid} {path}"
    if not path.exists():
        yield Check("state", False, f"{path} is not there", make, 73)
        return
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
        yield Check("state", False, f"{path} must be a directory of {account.name}'s with mode 0700, and is "
                    f"{stat.filemode(found.st_mode)} of uid {found.st_uid}", make)  # fmt: skip
        return
    kind = disk_kind(path)
    if kind.startswith(_NET_DISKS):
        yield Check("state", False, f"{path} is on a network disk ({kind}), whose locks do not hold across a crash",
                    "put `state` on a disk of this machine")  # fmt: skip
        return
    yield Check("state", True, f"{path}, {kind or 'a disk of this machine'}")
    yield check_room(path)


def check_room(path: Path) -> Check:
    """There is room for jobs, and for their files."""
    found = os.statvfs(path)
    free_bytes, free_inodes = found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None
    detail = f"{free_bytes / 1e9:.1f} GB free" + ("" if free_inodes is None else f", {free_inodes:,} files")
    remedy = f"make room on the disk of {path}; solvehost gc removes what has expired"
    is_out = free_inodes is not None and free_inodes < state_dir.MIN_FREE_INODES
    if free_bytes < state_dir.MIN_FREE_BYTES or is_out:
        return Check("room", False, f"{detail}: no job is begun", remedy, 73)
    is_scarce = free_bytes < _SCARCE_BYTES or (free_inodes is not None and free_inodes < _SCARCE_INODES)
    return Check("room", None if is_scarce else True, detail, remedy if is_scarce else "")


def disk_kind(path: Path) -> str:
    """Return the type of the file system that a path lies on, empty where the system does not say."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    where = os.path.realpath(path)
    mounts = [(_unescaped(line.split()[1]), line.split()[2]) for line in lines if line.strip()]
    fitting = [(point, kind) for point, kind in mounts if where == point or where.startswith(point.rstrip("/") + "/")]
    return max(fitting, key=lambda mount: len(mount[0]), default=("", ""))[1]


def _unescaped(text: str) -> str:
    """Undo how the kernel writes spaces and the like in paths: as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def check_memory(config: Settings) -> Check:
    """All engines at once cannot ask for more than there is."""
    total_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    asked_mb = config.slots * config.max_memory_mb
    detail = f"{config.slots} engines of at most {config.max_memory_mb:,} MB, {total_mb:,} MB there are"
    if asked_mb > total_mb:
        return Check(
            "memory", None, detail, "lower max_memory_mb or slots, or the kernel may have to choose whom to end"
        )
    return Check("memory", True, detail)


def check_sandbox(config: Settings) -> Check:
    """The kernel can confine engines."""
    if sandbox.is_available():
        return Check("sandbox", True, f"engines are confined (Landlock, version {landlock_abi()})")
    remedy = "boot a kernel of 5.13 or newer with landlock among its security modules (lsm=)"
    if config.require_sandbox:
        return Check("sandbox", False, "the kernel cannot confine engines, and require_sandbox says it must", remedy)
    return Check("sandbox", None, "the kernel cannot confine engines (no Landlock): limits alone hold them", remedy)


def check_limits(config: Settings) -> Iterator[Check]:
    """Yield whether the limits of this session leave engines what they need; one by sshd may have others."""
    needed = {**_NEEDED_LIMITS, "DATA": config.max_memory_mb * 2**20}
    low = []
    for name, least in needed.items():
        _, hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))
        if hard != resource.RLIM_INFINITY and hard < least:
            low.append(f"{name.lower()} is {hard:,} of {least:,}")
    if low:
        yield Check("limits", None, f"low in this session: {', '.join(low)}", "raise them in /etc/security/limits.conf")
    else:
        yield Check("limits", True, "files, memory and processes of a session suffice")


def check_log(config: Settings) -> Check:
    """The line a job can be written where the settings say."""
    where = config.log
    if where == "syslog" and not Path("/dev/log").exists():
        return Check("log", None, "there is no syslog here (/dev/log): lines go to standard error, which clients see",
                     'set `log = "/var/log/solvehost/solvehost.log"`')  # fmt: skip
    if where.startswith("/"):
        path = Path(where)
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            return Check("log", None, f"{where} cannot be written to: lines go to standard error, which clients see",
                         f"install -d -o USER -m 0750 {path.parent}")  # fmt: skip
    return Check("log", True, where)
