"""Does sshd hold the user to what it must, whatever a key's line says?"""

from __future__ import annotations

import fnmatch
import grp
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from solvehost.admin import programs
from solvehost.admin.accounts import Account
from solvehost.admin.records import Check
from solvehost.errors import UnavailableError

Values = Mapping[str, Sequence[str]]

#: Keyword → (wanted, whether another value is in the way of serving safely, what else happens).
_WANTED = {
    "pubkeyauthentication": ("yes", True, "no key is let in"),
    "forcecommand": ("none", True, "it takes the place of the command in the key's line, and --client is lost"),
    "permituserenvironment": ("no", True, "the user's files set variables for the server"),
    "strictmodes": ("yes", False, "files of keys that others may write to are believed"),
    "authenticationmethods": ("publickey", False, "other ways than keys may lead in"),
    "disableforwarding": ("yes", False, "only each key's own line forbids forwarding"),
    "permittty": ("no", False, "only each key's own line forbids terminals"),
    "permituserrc": ("no", False, "only each key's own line keeps ~/.ssh/rc from being run"),
    "permittunnel": ("no", False, "only each key's own line forbids tunnels"),
}
_SPELLED = {
    "pubkeyauthentication": "PubkeyAuthentication", "forcecommand": "ForceCommand",
    "permituserenvironment": "PermitUserEnvironment", "strictmodes": "StrictModes",
    "authenticationmethods": "AuthenticationMethods", "disableforwarding": "DisableForwarding",
    "permittty": "PermitTTY", "permituserrc": "PermitUserRC", "permittunnel": "PermitTunnel",
}  # fmt: skip
#: What no client may set for a program that is about to start.
_DANGEROUS = ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "BASH_ENV", "ENV", "PATH", "HOME", "IFS", "SHELLOPTS")
_FEW_SESSIONS = 16
_UNIT_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_MATCH = "put the Match block of `solvehost config print sshd.conf` into sshd's configuration"


def effective(account: Account, config: Path | None = None) -> dict[str, list[str]]:
    """Return sshd's settings for connections of that user: lower-case keyword → values.

    Raises
    ------
    UnavailableError
        Where sshd is not there, or cannot say.
    """
    program = programs.find("sshd")
    if program is None:
        raise UnavailableError("sshd is not installed")
    where = ["-f", str(config)] if config is not None else []
    ran = programs.run([program, "-T", *where, "-C", f"user={account.name},host=localhost,addr=127.0.0.1"])
    if ran.exit_code:
        raise UnavailableError(f"sshd -T: {ran.last_remark}")
    values: dict[str, list[str]] = {}
    for line in ran.output.decode("utf-8", "replace").splitlines():
        keyword, _, value = line.partition(" ")
        values.setdefault(keyword.lower(), []).append(value)
    return values


def look(values: Values, account: Account, wall_s: float) -> Iterator[Check]:
    """Yield all checks about sshd's settings."""
    found = [*_wanted(values), *_other_ways_in(values), *_environment(values), *_admission(values, account),
             *_timeouts(values, wall_s), *_numbers(values)]  # fmt: skip
    yield from found
    if all(check.ok for check in found):
        yield Check("sshd", True, f"holds {account.name} to forced commands without forwarding or terminals")


def _first(values: Values, keyword: str, default: str = "") -> str:
    return next(iter(values.get(keyword, ())), default)


def _wanted(values: Values) -> Iterator[Check]:
    for keyword, (wanted, is_needed, otherwise) in _WANTED.items():
        value = _first(values, keyword, wanted)
        if value != wanted:
            yield Check("sshd", False if is_needed else None, f"{_SPELLED[keyword]} is {value}: {otherwise}", _MATCH)


def _other_ways_in(values: Values) -> Iterator[Check]:
    """Yield a check for keys that stand in no file."""
    if _first(values, "trustedusercakeys", "none") != "none":
        yield Check("sshd", None, "TrustedUserCAKeys lets in whom that authority certifies, without a forced command",
                    "TrustedUserCAKeys none in the Match block")  # fmt: skip
    if _first(values, "authorizedkeyscommand", "none") != "none":
        yield Check("sshd", None, "AuthorizedKeysCommand lets in keys that are not looked at here",
                    "AuthorizedKeysCommand none in the Match block")  # fmt: skip


def _environment(values: Values) -> Iterator[Check]:
    """Yield a check where a client may set variables that rule how programs start."""
    patterns = [word for value in values.get("acceptenv", ()) for word in value.split()]
    accepted = [name for name in _DANGEROUS if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    if accepted:
        yield Check("sshd", False, f"AcceptEnv lets clients set {', '.join(accepted)}, and so run code of theirs",
                    "AcceptEnv LANG LC_* at the most")  # fmt: skip


def _admission(values: Values, account: Account) -> Iterator[Check]:
    """Yield a check where the lists of who is let in leave the user out."""
    groups = [g.gr_name for g in grp.getgrall() if g.gr_gid in account.groups]
    for keyword, names, is_let_in in (
        ("AllowUsers", [account.name], True), ("AllowGroups", groups, True),
        ("DenyUsers", [account.name], False), ("DenyGroups", groups, False),
    ):  # fmt: skip
        patterns = [word.partition("@")[0] for value in values.get(keyword.lower(), ()) for word in value.split()]
        is_listed = any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)
        if patterns and is_listed != is_let_in:
            yield Check("sshd", False, f"{keyword} keeps {account.name} out", f"change {keyword}", 77)


def _timeouts(values: Values, wall_s: float) -> Iterator[Check]:
    """Yield a check for a time-out that ends a quiet solve, and where a dead line is never noticed."""
    for word in _first(values, "channeltimeout", "none").split():
        kind, _, text = word.partition("=")
        limit_s = _seconds(text)
        if kind in ("session", "session:command", "*") and limit_s is not None and 0 < limit_s <= wall_s:
            yield Check("sshd", False, f"ChannelTimeout {word} ends solves that may take {wall_s:g} s", "remove it")
    if _first(values, "unusedconnectiontimeout", "none") not in ("none", "0"):
        yield Check("sshd", None, "UnusedConnectionTimeout closes the connections that clients share", "remove it")
    if _first(values, "clientaliveinterval", "0") == "0":
        yield Check("sshd", None, "ClientAliveInterval is 0: a line that died is noticed late, and its job runs on",
                    _MATCH)  # fmt: skip


def _seconds(text: str) -> float | None:
    parts = re.findall(r"([0-9]+)([smhdw]?)", text)
    return sum(int(number) * _UNIT_S[unit] for number, unit in parts) if parts else None


def _numbers(values: Values) -> Iterator[Check]:
    """Yield a check where many jobs at once would be turned away."""
    sessions = _first(values, "maxsessions", "10")
    if sessions.isdigit() and int(sessions) < _FEW_SESSIONS:
        yield Check("sshd", None, f"MaxSessions is {sessions}: more jobs at once on a shared connection are refused",
                    _MATCH)  # fmt: skip
