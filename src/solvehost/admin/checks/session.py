"""``solvehost check --through-sshd KEY``: what a client meets in a session of the sshd of this machine.

A session can differ from a direct run: PAM and the service manager set limits and filters of system calls for sshd
alone.  So this asks the server, looks at a session while it waits for a job, and solves a job in the real state
directory, all with a client's own key.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from solvehost.admin import programs
from solvehost.admin.accounts import Account
from solvehost.admin.checks import limits, sshd, trial_jobs
from solvehost.admin.checks.sshd import Values
from solvehost.admin.records import Finding
from solvehost.engine import sandbox
from solvehost.formats import axy
from solvehost.indexes.index_file import IndexFile
from solvehost.record import record
from solvehost.wire.escaping import escape

NAME, SOLVES = "session", "a job through sshd"
#: How long a session may take to begin, in seconds.
_BEGIN_S = 20.0
_POLL_S = 0.05
#: Names of limits in /proc/PID/limits.
_LIMITS = {"Max open files": "NOFILE", "Max file size": "FSIZE", "Max processes": "NPROC"}
#: Variables that may differ in sessions.
_VARIABLES = ("PATH", "LANG", "LC_ALL")


@record
class Surroundings:
    """What a process inherited: its soft limits (only those that are set), its umask, and some variables."""

    limits: Mapping[str, int]
    umask: str
    variables: Mapping[str, str]

    def differences(self, other: Surroundings) -> list[str]:
        """Return a text for each value that differs from that of ``other``, the process that checks."""
        pairs: list[tuple[str, str | int | None, str | int | None]]
        pairs = [(name.lower(), self.limits.get(name), other.limits.get(name)) for name in _LIMITS.values()]
        pairs += [(name, self.variables.get(name), other.variables.get(name)) for name in _VARIABLES]
        pairs += [("umask", self.umask, other.umask)]
        return [f"{name} is {_shown(here)} (here {_shown(there)})" for name, here, there in pairs if here != there]


def _shown(value: str | int | None) -> str:
    return "not set" if value is None else escape(str(value), 100)


def check(account: Account, values: Values, key: Path, files: Sequence[IndexFile]) -> Iterator[Finding]:
    """Yield whether a client with this key is served.

    Parameters
    ----------
    account
        The user that the server runs as.
    values
        sshd's settings, as :func:`sshd.effective` returns them.
    key
        File with the private key of a client.
    files
        The index files that the engine uses.
    """
    places = sshd.addresses(values)
    if not places:
        yield Finding(NAME, False, "the address of sshd is unknown", "run this as root, who can ask sshd", 69)
        return
    command = _ssh(account, places[0], key)
    refusal = _refusal(command)
    if refusal is not None:
        yield refusal
        return
    yield from check_confinement(command)
    yield check_surroundings(command, account)
    yield from check_job(command, files)


def _ssh(account: Account, place: tuple[str, int], key: Path) -> list[str]:
    """Return the beginning of a command line; this machine is not authenticated to itself."""
    host, port = place
    options = ("BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none", "StrictHostKeyChecking=no",
               f"UserKnownHostsFile={os.devnull}", "LogLevel=ERROR")  # fmt: skip
    words = [word for option in options for word in ("-o", option)]
    return ["ssh", "-F", "none", "-T", "-i", str(key.absolute()), "-p", str(port), *words, f"{account.name}@{host}"]


def _refusal(command: Sequence[str]) -> Finding | None:
    result = programs.run([*command, "info"])
    if not result.exit_code:
        return None
    why = "sshd refuses the key or ends the session" if result.exit_code == 255 else "the server fails in a session"
    code = result.exit_code if 64 <= result.exit_code <= 78 else 69
    return Finding(NAME, False, f"{why}: {escape(result.last_line, 300)}",
                   "see the log of sshd (journalctl -u ssh), and correct what failed above", code)  # fmt: skip


def check_confinement(command: Sequence[str]) -> Iterator[Finding]:
    """Yield a finding if engines are confined here, and are not in a session."""
    info = json.loads(programs.run([*command, "info"]).stdout)
    if not info["sandbox"] and not sandbox.missing():
        yield Finding(NAME, None, "engines are confined here, but cannot be in sessions of sshd",
                      "remove filters of system calls from sshd's unit, or set require_sandbox")  # fmt: skip


def check_surroundings(command: Sequence[str], account: Account) -> Finding:
    """Check that the limits of a session suffice, and report other differences from this process."""
    found = _observe(command, account)
    if found is None:
        return Finding(NAME, None, "a session began, but its process cannot be examined", "run this as root")
    low = limits.too_low(found.limits, limits.NEEDED)
    if low:
        return Finding(NAME, False, f"limits of sessions are too low: {'; '.join(low)}",
                       "raise them in /etc/security/limits.conf, and in sshd's unit", 69)  # fmt: skip
    here = _surroundings(Path("/proc/self"))
    differences = found.differences(here) if here is not None else []
    return Finding(NAME, True, f"a key reaches the server; {'; '.join(differences) or 'nothing differs from here'}")


def _observe(command: Sequence[str], account: Account) -> Surroundings | None:
    """Return the surroundings of a session that waits for its job, None if no new process is seen in time."""
    before = set(_sessions(account))
    deadline = time.monotonic() + _BEGIN_S
    with programs.running([*command, "solve"]) as client:
        while client.poll() is None and time.monotonic() < deadline:
            for process in set(_sessions(account)) - before:
                found = _surroundings(process)
                if found is not None:
                    return found
            time.sleep(_POLL_S)
    return None


def _sessions(account: Account) -> Iterator[Path]:
    """Yield the directories in /proc of the user's processes that serve sessions from this machine.

    The shell that starts the server is left out, since the command may change its limits.
    """
    for process in Path("/proc").iterdir():
        try:
            if not process.name.isdigit() or process.stat().st_uid != account.uid:
                continue
            origin = _environment(process).get("SSH_CONNECTION", "")
            is_shell = (process / "cmdline").read_bytes().split(b"\0")[1:2] == [b"-c"]
        except OSError:
            continue
        if not is_shell and origin.startswith(("127.", "::1 ")):
            yield process


def _surroundings(process: Path) -> Surroundings | None:
    """Return the surroundings of a process, None if it has ended or belongs to another user."""
    try:
        lines = (process / "limits").read_text(encoding="ascii").splitlines()
        status = (process / "status").read_text(encoding="utf-8", errors="replace")
        environment = _environment(process)
    except OSError:
        return None
    soft = {name: line[26:].split()[0] for line in lines for text, name in _LIMITS.items() if line.startswith(text)}
    umask = next((line.split()[1] for line in status.splitlines() if line.startswith("Umask:")), "")
    return Surroundings(
        {name: int(value) for name, value in soft.items() if value.isdigit()},
        umask,
        {name: environment[name] for name in _VARIABLES if name in environment},
    )


def _environment(process: Path) -> dict[str, str]:
    words = (process / "environ").read_bytes().decode("utf-8", "replace").split("\0")
    return dict(word.split("=", 1) for word in words if "=" in word)


def check_job(command: Sequence[str], files: Sequence[IndexFile]) -> Iterator[Finding]:
    """Yield whether a synthetic field is solved through sshd, in the state directory of the server."""
    field = trial_jobs.make_field(files, SOLVES)
    if isinstance(field, Finding):
        yield field
        return
    geometry, attempt = field
    result = trial_jobs.send([*command, "solve"], axy.to_bytes(attempt))
    yield trial_jobs.check_solves(result, geometry, SOLVES)
