"""Checks of sshd's settings for the server's user, which apply to every key, whatever its line permits."""

from __future__ import annotations

import fnmatch
import grp
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from solvehost.admin import programs
from solvehost.admin.accounts import Account
from solvehost.admin.records import Finding
from solvehost.errors import UnavailableError

Values = Mapping[str, Sequence[str]]

#: Keyword → (required value, whether another value prevents serving safely, the consequence of another value).
_REQUIRED = {
    "pubkeyauthentication": ("yes", True, "keys cannot be used"),
    "forcecommand": ("none", True, "it replaces the command in the key's line, so --client is lost"),
    "permituserenvironment": ("no", True, "files of the user set environment variables of the server"),
    "strictmodes": ("yes", False, "sshd accepts key files that other users may write to"),
    "authenticationmethods": ("publickey", False, "there may be other ways to log in than keys"),
    "disableforwarding": ("yes", False, "forwarding is forbidden only by the line of each key"),
    "permittty": ("no", False, "terminals are forbidden only by the line of each key"),
    "permituserrc": ("no", False, "~/.ssh/rc is disabled only by the line of each key"),
    "permittunnel": ("no", False, "tunnels are forbidden only by the line of each key"),
}
_SPELLED = {
    "pubkeyauthentication": "PubkeyAuthentication", "forcecommand": "ForceCommand",
    "permituserenvironment": "PermitUserEnvironment", "strictmodes": "StrictModes",
    "authenticationmethods": "AuthenticationMethods", "disableforwarding": "DisableForwarding",
    "permittty": "PermitTTY", "permituserrc": "PermitUserRC", "permittunnel": "PermitTunnel",
}  # fmt: skip
#: Variables that change how a program starts; no client may set them.
_DANGEROUS = ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "BASH_ENV", "ENV", "PATH", "HOME", "IFS", "SHELLOPTS")
_MIN_SESSIONS = 16
_ANSWER_S = 10.0
_UNIT_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_MATCH = "add the Match block that `solvehost config print sshd.conf` prints to sshd's configuration"


def effective(account: Account, config: Path | None = None) -> dict[str, list[str]]:
    """Return sshd's settings for connections of a user: the values of each keyword, which is in lower case.

    Raises
    ------
    UnavailableError
        If sshd is not installed, or cannot print its settings.
    """
    program = programs.find("sshd")
    if program is None:
        raise UnavailableError("sshd is not installed (Debian: apt install openssh-server)")
    where = ["-f", str(config)] if config is not None else []
    result = programs.run([program, "-T", *where, "-C", f"user={account.name},host=localhost,addr=127.0.0.1"])
    if result.exit_code:
        raise UnavailableError(f"sshd -T: {result.last_line}")
    values: dict[str, list[str]] = {}
    for line in result.stdout.decode("utf-8", "replace").splitlines():
        keyword, _, value = line.partition(" ")
        values.setdefault(keyword.lower(), []).append(value)
    return values


def check(values: Values, account: Account, wall_s: float) -> Iterator[Finding]:
    """Yield the findings about sshd's settings.

    Parameters
    ----------
    values
        sshd's settings, as :func:`effective` returns them.
    account
        The user that the server runs as.
    wall_s
        Time limit of a job, in seconds.
    """
    findings = [*check_answers(values), *_required(values), *_other_ways_in(values), *_environment(values),
                *_admission(values, account), *_timeouts(values, wall_s), *_numbers(values)]  # fmt: skip
    yield from findings
    if all(finding.ok for finding in findings):
        yield Finding(
            "sshd", True, f"user {account.name} can run forced commands only, without forwarding or terminals"
        )


def addresses(values: Values) -> list[tuple[str, int]]:
    """Return the addresses and ports of sshd, as a client on this machine reaches them."""
    found = []
    for text in values.get("listenaddress", ()):
        host, _, port = text.rpartition(":")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host.strip("[]"), host.strip("[]"))  # noqa: S104
        if port.isdigit():
            found.append((host, int(port)))
    return found


def check_answers(values: Values) -> Iterator[Finding]:
    """Yield a failed finding if no sshd answers at the addresses in its settings."""
    places = addresses(values)
    if places and not any(_greets(host, port) for host, port in places):
        shown = ", ".join(f"{host} port {port}" for host, port in places)
        yield Finding("sshd", False, f"sshd does not answer at {shown}", "systemctl start ssh", 69)


def _greets(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=_ANSWER_S) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _first(values: Values, keyword: str, default: str = "") -> str:
    return next(iter(values.get(keyword, ())), default)


def _required(values: Values) -> Iterator[Finding]:
    for keyword, (required, is_needed, consequence) in _REQUIRED.items():
        value = _first(values, keyword, required)
        if value != required:
            yield Finding(
                "sshd", False if is_needed else None, f"{_SPELLED[keyword]} is {value}: {consequence}", _MATCH
            )


def _other_ways_in(values: Values) -> Iterator[Finding]:
    """Yield a finding for each way to log in with keys that are in no file."""
    if _first(values, "trustedusercakeys", "none") != "none":
        yield Finding("sshd", None, "TrustedUserCAKeys admits keys that the authority signed, without a forced command",
                    "set TrustedUserCAKeys none in the Match block")  # fmt: skip
    if _first(values, "authorizedkeyscommand", "none") != "none":
        yield Finding("sshd", None, "AuthorizedKeysCommand admits keys that this check cannot see",
                    "set AuthorizedKeysCommand none in the Match block")  # fmt: skip


def _environment(values: Values) -> Iterator[Finding]:
    """Yield a finding if clients may set environment variables that change how programs start."""
    patterns = [word for value in values.get("acceptenv", ()) for word in value.split()]
    accepted = [name for name in _DANGEROUS if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    if accepted:
        yield Finding("sshd", False, f"AcceptEnv lets clients set {', '.join(accepted)}, and so run their own code",
                    "set AcceptEnv to LANG LC_*, or remove it")  # fmt: skip


def _admission(values: Values, account: Account) -> Iterator[Finding]:
    """Yield a finding for each list of users or groups that keeps the user out."""
    groups = [g.gr_name for g in grp.getgrall() if g.gr_gid in account.groups]
    for keyword, names, admits in (
        ("AllowUsers", [account.name], True), ("AllowGroups", groups, True),
        ("DenyUsers", [account.name], False), ("DenyGroups", groups, False),
    ):  # fmt: skip
        patterns = [word.partition("@")[0] for value in values.get(keyword.lower(), ()) for word in value.split()]
        is_listed = any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)
        if patterns and is_listed != admits:
            yield Finding(
                "sshd",
                False,
                f"{keyword} keeps user {account.name} out",
                f"change {keyword} in sshd's configuration",
                77,
            )


def _timeouts(values: Values, wall_s: float) -> Iterator[Finding]:
    """Yield a finding for timeouts that end a running solve, and for dead connections that are noticed late."""
    for word in _first(values, "channeltimeout", "none").split():
        kind, _, text = word.partition("=")
        limit_s = _seconds(text)
        if kind in ("session", "session:command", "*") and limit_s is not None and 0 < limit_s <= wall_s:
            yield Finding(
                "sshd",
                False,
                f"ChannelTimeout {word} ends jobs, which may take {wall_s:g} s",
                "remove ChannelTimeout, or make it longer",
            )
    if _first(values, "unusedconnectiontimeout", "none") not in ("none", "0"):
        yield Finding(
            "sshd",
            None,
            "UnusedConnectionTimeout closes connections that clients keep open",
            "remove UnusedConnectionTimeout",
        )
    if _first(values, "clientaliveinterval", "0") == "0":
        yield Finding("sshd", None, "ClientAliveInterval is 0: the job of a dead connection runs on",
                    _MATCH)  # fmt: skip


def _seconds(text: str) -> float | None:
    parts = re.findall(r"([0-9]+)([smhdw]?)", text)
    return sum(int(number) * _UNIT_S[unit] for number, unit in parts) if parts else None


def _numbers(values: Values) -> Iterator[Finding]:
    """Yield a finding if many jobs at once on a shared connection would be refused."""
    sessions = _first(values, "maxsessions", "10")
    if sessions == "0":
        yield Finding("sshd", False, "MaxSessions is 0, so that no job can be sent", _MATCH)
    elif sessions.isdigit() and int(sessions) < _MIN_SESSIONS:
        yield Finding("sshd", None, f"MaxSessions is {sessions}: more jobs at once on a shared connection are refused",
                    _MATCH)  # fmt: skip
