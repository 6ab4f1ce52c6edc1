"""Checks of the resource limits of a session: those of this one, and those that PAM sets in sessions of sshd."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping
from pathlib import Path

from solvehost.admin.accounts import Account
from solvehost.admin.records import Finding
from solvehost.server.settings import Settings

_PAM_FILE, _PAM_FOLDER = Path("/etc/security/limits.conf"), Path("/etc/security/limits.d")
#: What a job needs at least of each limit; ``engine.exec_helper`` lowers each limit further.
NEEDED = {"NOFILE": 64, "FSIZE": 64 * 2**20, "NPROC": 16}
#: Items of pam_limits -> unit in which they are given (limits.conf(5)).
_PAM_UNITS = {"nofile": 1, "nproc": 1, "fsize": 1024}
_UNLIMITED = ("unlimited", "infinity", "-1")


def too_low(limits: Mapping[str, int], needed: Mapping[str, int]) -> list[str]:
    """Return a text for each limit that is lower than a job needs."""
    return [
        f"{name.lower()} is {limits[name]:,}, but jobs need {minimum:,}"
        for name, minimum in needed.items()
        if name in limits and limits[name] < minimum
    ]


def check_session(config: Settings) -> Finding:
    """Check that the hard limits of this session suffice for jobs; a session of sshd may have other limits."""
    needed = {**NEEDED, "DATA": config.max_memory_mb * 2**20, "AS": config.max_memory_mb * 2**20}
    hard = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1] for name in needed}
    low = too_low({name: limit for name, limit in hard.items() if limit != resource.RLIM_INFINITY}, needed)
    if low:
        return Finding("limits", False, f"limits of this session are too low: {'; '.join(low)}",
                       "raise them in /etc/security/limits.conf")  # fmt: skip
    return Finding("limits", True, "the limits of this session are high enough")


def check_pam(account: Account) -> Iterator[Finding]:
    """Yield a failed finding if PAM limits the user's sessions to less than a job needs."""
    low = too_low(_pam_limits(account), NEEDED)
    if low:
        yield Finding("limits", False, f"PAM limits sessions of {account.name}: {'; '.join(low)}",
                      f"raise them in {_PAM_FILE} or a file in {_PAM_FOLDER}")  # fmt: skip


def _pam_limits(account: Account) -> dict[str, int]:
    """Return the limits that pam_limits sets for a user: an entry for the user outranks one for a group or for all."""
    found: dict[str, tuple[int, int]] = {}
    for path in (_PAM_FILE, *sorted(_PAM_FOLDER.glob("*.conf"))):
        for domain, item, value in _pam_lines(path):
            rank = _rank(domain, account)
            if rank and rank >= found.get(item, (0, 0))[0]:
                found[item] = (rank, value)
    return {item.upper(): value for item, (_, value) in found.items() if value >= 0}


def _pam_lines(path: Path) -> Iterator[tuple[str, str, int]]:
    """Yield domain, item and value (in bytes or as a number; -1 for no limit) of each line about a limit."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        words = line.partition("#")[0].split()
        if len(words) != 4 or words[2] not in _PAM_UNITS:
            continue
        if words[3] in _UNLIMITED:
            yield words[0], words[2], -1
        elif words[3].isdigit():
            yield words[0], words[2], int(words[3]) * _PAM_UNITS[words[2]]


def _rank(domain: str, account: Account) -> int:
    """Return 3 for an entry for the user, 2 for one of its groups, 1 for all users, 0 for others."""
    if domain == account.name:
        return 3
    if domain.startswith("@"):
        import grp

        return 2 if any(g.gr_name == domain[1:] and g.gr_gid in account.groups for g in grp.getgrall()) else 0
    return int(domain == "*" and account.uid != 0)
