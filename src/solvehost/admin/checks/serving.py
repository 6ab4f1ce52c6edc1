"""Checks of what solving needs: configuration, engine, index files, memory, confinement, log; it calls those of the
state directory and of the limits.

All of them must run with the permissions of the server's user (:func:`accounts.check_as`).
"""

from __future__ import annotations

import ctypes  # noqa: F401 - imported for landlock_abi before the process becomes a user who may not read this Python
import os
import tomllib  # noqa: F401 - imported for settings, for the same reason
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from solvehost.admin import programs
from solvehost.admin.accounts import Account, find_writable, writable_finding
from solvehost.admin.checks import limits, run_check, state
from solvehost.admin.records import Finding
from solvehost.engine import sandbox
from solvehost.engine.exec_helper import landlock_abi
from solvehost.indexes import engine_config, index_set
from solvehost.indexes.index_set import IndexSet
from solvehost.server import settings
from solvehost.server.engine_setup import EngineSetup, searched_places
from solvehost.server.settings import Settings

_CORRECT = "correct the configuration file or the flag; `solvehost config` lists all settings"
_INSTALL = "install the engine for this machine (Debian: apt install --reinstall astrometry.net), with mode 0755"
#: What an engine that was taken over can do if a part of the confinement is missing.
_WITHOUT = {
    sandbox.LANDLOCK: "read and change the files of all jobs",
    sandbox.SECCOMP: "reach the user's other processes, and services of this machine through sockets",
}


def check(flags: Mapping[str, Any], account: Account) -> Iterator[Finding]:
    """Yield the findings about everything that solving needs."""
    findings = list(run_check("configuration", lambda: check_configuration(flags, account), _CORRECT))
    yield from findings
    if any(finding.ok is False and finding.exit_code != 77 for finding in findings):
        return
    config = settings.load(flags)
    setup = EngineSetup(config)
    yield from run_check("engine", lambda: [check_engine(setup, account)], _INSTALL)
    yield from run_check("index files", lambda: check_indexes(setup, account), "install index files; set engine_config")
    yield from run_check("state", lambda: state.check(config, account))
    yield from run_check("memory", lambda: [check_memory(config)])
    yield from run_check("sandbox", lambda: [check_sandbox(config)])
    yield from run_check("limits", lambda: [limits.check_session(config)])
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
        return Finding("engine", False, f"{path} does not start: {result.last_line}", _INSTALL, 69)
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
