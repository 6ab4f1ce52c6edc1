"""Checks of what solving needs: configuration, engine, index files, state directory, free space, memory, limits.

All of them must run with the permissions of the server's user (:func:`accounts.check_as`).
"""

from __future__ import annotations

import ctypes  # noqa: F401 - imported for landlock_abi before the process becomes a user who may not read this Python
import os
import re
import resource
import stat
import tomllib  # noqa: F401 - imported for settings, for the same reason
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from solvehost.admin import programs
from solvehost.admin.accounts import Account, find_writable, writable_finding
from solvehost.admin.checks import run_check
from solvehost.admin.records import Finding
from solvehost.engine import sandbox
from solvehost.engine.exec_helper import landlock_abi
from solvehost.indexes import engine_config, index_set
from solvehost.indexes.index_set import IndexSet
from solvehost.server import settings
from solvehost.server.engine_setup import EngineSetup, searched_places
from solvehost.server.settings import Settings
from solvehost.server.state_dir import free_space

_NETWORK_DISKS = ("nfs", "cifs", "smb", "afs", "ncp", "9p", "ceph", "gluster", "lustre", "fuse.sshfs")
_SCARCE_BYTES, _SCARCE_INODES = 2 * 10**9, 10_000
_MOUNTS = Path("/proc/self/mounts")
#: What an engine that was taken over can do if a part of the confinement is missing.
_WITHOUT = {
    sandbox.LANDLOCK: "read and change the files of all jobs",
    sandbox.SECCOMP: "reach the user's other processes, and services of this machine through sockets",
}
#: What an engine needs at least of each limit of the session; engine.exec_helper lowers each limit further.
_NEEDED_LIMITS = {"NOFILE": 64, "FSIZE": 64 * 2**20, "NPROC": 16}


def check(flags: Mapping[str, Any], account: Account) -> Iterator[Finding]:
    """Yield the findings about everything that solving needs."""
    findings = list(run_check("configuration", lambda: check_configuration(flags, account)))
    yield from findings
    if any(finding.ok is False and finding.exit_code != 77 for finding in findings):
        return
    config = settings.load(flags)
    setup = EngineSetup(config)
    yield from run_check("engine", lambda: [check_engine(setup, account)])
    yield from run_check("index files", lambda: check_indexes(setup, account))
    yield from run_check("state", lambda: check_state(config, account))
    yield from run_check("memory", lambda: [check_memory(config)])
    yield from run_check("sandbox", lambda: [check_sandbox(config)])
    yield from run_check("limits", lambda: check_limits(config))
    yield from run_check("log", lambda: [check_log(config, account)])


def check_configuration(flags: Mapping[str, Any], account: Account) -> Iterator[Finding]:
    """Yield whether the configuration file can be read and is valid, and whether the user can change it."""
    settings.load(flags)
    path = settings.file_of(flags)
    if not os.path.lexists(path) or str(path) == os.devnull:
        yield Finding("configuration", True, f"{path} does not exist: flags and defaults apply")
        return
    yield writable_finding("configuration", path, account) or Finding("configuration", True, f"{path}")


def check_engine(setup: EngineSetup, account: Account) -> Finding:
    """Check that the engine exists and starts, and that the user cannot change it."""
    path = setup.engine
    finding = writable_finding("engine", path, account)
    if finding is not None:
        return finding
    result = programs.run([str(path), "--help"])
    if b"-engine" not in result.stdout + result.stderr:
        remedy = "install the engine again (Debian: apt install --reinstall astrometry.net)"
        return Finding("engine", False, f"{path} does not start: {result.last_line}", remedy, 69)
    return Finding("engine", True, str(path))


def scan(setup: EngineSetup) -> IndexSet:
    """Read the index files themselves; the server's cache of them is neither used nor changed."""
    return index_set.scan(engine_config.configured_places(setup.settings.engine_config, setup.engine))


def check_indexes(setup: EngineSetup, account: Account) -> Iterator[Finding]:
    """Yield how many index files can be loaded, each one that cannot, and whether the user can change any."""
    indexes = scan(setup)
    if not indexes.files:
        yield Finding("index files", False, f"no index file was found ({searched_places(indexes)})",
                      "install index files, or name an engine configuration in the setting engine_config",
                      69)  # fmt: skip
    for path, why in indexes.damaged:
        yield Finding("index files", None, f"{path} cannot be loaded: {why}", "download it again, or remove it")
    writable = next((part for file in indexes.files if (part := find_writable(file.path, account))), None)
    if writable is not None:
        yield Finding("index files", False, f"user {account.name} can change {writable}",
                      f"chown -R root {writable}; chmod -R go-w {writable}", 77)  # fmt: skip
        return
    quads = indexes.quads_arcmin
    if quads is not None:
        span = f"quads of {quads.low:.0f} to {quads.high:.0f} arcminutes"
        yield Finding(
            "index files", True, f"{len(indexes.files)} index file{'' if len(indexes.files) == 1 else 's'}, {span}"
        )


def check_state(config: Settings, account: Account) -> Iterator[Finding]:
    """Yield whether the state directory is the user's alone, is on a local disk, and has free space."""
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
        yield Finding("state", False, f"{damaged} must be a directory of {account.name} with mode 0700",
                      f"chown -h {account.name} {damaged}; chmod u+rwx,go-w {damaged}")  # fmt: skip
        return
    yield Finding("state", True, f"{path}, {kind or 'on a local disk'}")
    yield check_room(path)


def _damaged_part(state: Path, account: Account) -> Path | None:
    """Return a directory of the state that the server cannot use or that others can change, None if there is none."""
    for pattern in ("slots", "work", "clients", "clients/*", "clients/*/*"):
        for part in state.glob(pattern):
            status = part.lstat()
            is_usable = stat.S_ISDIR(status.st_mode) and status.st_mode & 0o722 == 0o700
            if not is_usable or status.st_uid != account.uid:
                return part
    return None


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
    """Return the type of the file system that holds a path, empty if the system does not tell."""
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


def check_memory(config: Settings) -> Finding:
    """Check that the memory suffices if all engines use their limit."""
    total_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    needed_mb = config.slots * config.max_memory_mb
    detail = f"{config.slots} engines of at most {config.max_memory_mb:,} MB, of {total_mb:,} MB"
    if needed_mb > total_mb:
        remedy = "lower max_memory_mb or slots, or the kernel may kill processes when memory runs out"
        return Finding("memory", None, detail, remedy)
    return Finding("memory", True, detail)


def check_sandbox(config: Settings) -> Finding:
    """Check that the kernel can confine engines, and tell what its version of Landlock does not govern."""
    missing = sandbox.missing()
    if not missing:
        version = landlock_abi()
        gaps = sandbox.landlock_gaps(version)
        detail = f"engines are confined by a seccomp filter and Landlock, version {version}"
        if gaps:
            detail += f"; this version does not govern {', '.join(gaps)}, which the filter forbids"
        return Finding("sandbox", True, detail)
    remedies = {
        sandbox.LANDLOCK: "boot Linux 5.13 or newer with landlock among its security modules (lsm=)",
        sandbox.SECCOMP: "use a kernel with CONFIG_SECCOMP_FILTER, on x86-64 or aarch64",
    }
    remedy = "; ".join(remedies[name] for name in missing)
    if config.require_sandbox:
        detail = f"require_sandbox is set, but this kernel cannot confine engines (no {' and no '.join(missing)})"
        return Finding("sandbox", False, detail, remedy)
    open_ways = ", ".join(_WITHOUT[name] for name in missing)
    detail = f"this kernel has no {' and no '.join(missing)}: an engine that was taken over could {open_ways}"
    return Finding("sandbox", None, detail, f"{remedy}; or set require_sandbox, so that nothing is served here")


def check_limits(config: Settings) -> Iterator[Finding]:
    """Yield whether the hard limits of this session are enough for engines; a session of sshd may have other limits."""
    needed = {**_NEEDED_LIMITS, "DATA": config.max_memory_mb * 2**20}
    low = []
    for name, minimum in needed.items():
        _, hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))
        if hard != resource.RLIM_INFINITY and hard < minimum:
            low.append(f"{name.lower()} is {hard:,}, but engines need {minimum:,}")
    if low:
        yield Finding("limits", None, f"limits of this session are too low: {'; '.join(low)}",
                      "raise them in /etc/security/limits.conf")  # fmt: skip
    else:
        yield Finding("limits", True, "the limits of this session are high enough")


def check_log(config: Settings, account: Account) -> Finding:
    """Check that the request log can be written where the settings say."""
    where = config.log
    consequence = "the log goes to standard error, which clients see"
    if where == "syslog" and not Path("/dev/log").exists():
        return Finding("log", None, f"there is no syslog here (/dev/log): {consequence}",
                       'set `log = "/var/log/solvehost/solvehost.log"`')  # fmt: skip
    if where.startswith("/"):
        path = Path(where)
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            make_folder = f"install -d -o {account.name} -m 0750 {path.parent}"
            remedy = f"chown {account.name} {path}" if path.exists() else make_folder
            return Finding("log", None, f"{account.name} cannot write to {where}: {consequence}", remedy)
    return Finding("log", True, where)
