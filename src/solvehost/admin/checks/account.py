"""Is the user that solves one whom sshd lets in, and who is nobody in particular?"""

from __future__ import annotations

import configparser
import time
from collections.abc import Iterator
from pathlib import Path

from solvehost.admin import programs
from solvehost.admin.accounts import Account
from solvehost.admin.checks import guarded
from solvehost.admin.records import Check

_SHADOW = Path("/etc/shadow")
_LOGIND = ("/usr/lib/systemd/logind.conf", "/etc/systemd/logind.conf")
_LOGIND_FOLDERS = ("/usr/lib/systemd/logind.conf.d", "/run/systemd/logind.conf.d", "/etc/systemd/logind.conf.d")
_GROUPS_OF_POWER = {"root", "wheel", "sudo", "admin", "adm", "disk", "shadow", "docker", "lxd", "systemd-journal"}
_DAY_S = 86400


def look(account: Account, *, uses_pam: bool) -> Iterator[Check]:
    """Yield all checks about the account."""
    yield from guarded("user", lambda: [check_user(account)])
    yield from guarded("login", lambda: [check_login(account, uses_pam=uses_pam)])
    yield from guarded("shell", lambda: [check_shell(account)])
    yield from guarded("sessions", lambda: [check_sessions(account)])


def check_user(account: Account) -> Check:
    """It is not root, and in no group that can become root."""
    if account.uid == 0:
        return Check("user", False, f"{account.name} is root: a fault anywhere would be a fault of the whole machine",
                     "make a user of its own: useradd --system --create-home --shell /bin/sh solve")  # fmt: skip
    import grp

    names = [g.gr_name for g in grp.getgrall() if g.gr_gid in account.groups and g.gr_name in _GROUPS_OF_POWER]
    if names:
        return Check("user", False, f"{account.name} is in the group {', '.join(names)}",
                     f"gpasswd -d {account.name} {names[0]}", 77)  # fmt: skip
    return Check("user", True, f"{account.name}, uid {account.uid}")


def check_login(account: Account, *, uses_pam: bool) -> Check:
    """Its account has not expired, and is not locked in a way that sshd minds."""
    try:
        lines = _SHADOW.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return Check("login", None, f"{_SHADOW} cannot be read", "run this as root to see whether the account is open")
    fields = next((line.split(":") for line in lines if line.startswith(f"{account.name}:")), None)
    if fields is None or len(fields) < 8:
        return Check("login", None, f"{account.name} is not in {_SHADOW}: the account comes from elsewhere")
    if fields[7].isdigit() and int(fields[7]) * _DAY_S < time.time():
        return Check("login", False, f"the account {account.name} has expired", f"usermod -e '' {account.name}", 77)
    if fields[1].startswith("!") and not uses_pam:
        return Check("login", False, "the account is locked, and without PAM sshd refuses such ones",
                     f"usermod -p '*' {account.name} (no password fits, and keys do)", 77)  # fmt: skip
    if not fields[1]:
        return Check("login", False, "the account has an empty password", f"usermod -p '*' {account.name}", 77)
    return Check("login", True, "the account is open for keys")


def check_shell(account: Account) -> Check:
    """Its shell runs a command and adds no word of its own, which would be taken for a part of the reply."""
    environment = {"HOME": str(account.home), "USER": account.name, "LOGNAME": account.name, "SHELL": account.shell,
                   "SSH_CLIENT": "127.0.0.1 1 22", "SSH_CONNECTION": "127.0.0.1 1 127.0.0.1 22"}  # fmt: skip
    remedy = f"chsh -s /bin/sh {account.name}"
    ran = programs.run([account.shell, "-c", "echo alive"], account, environment=environment)
    if ran.output != b"alive\n" or ran.exit_code:
        said = ran.output.decode("ascii", "backslashreplace").strip()[:80]
        return Check("shell", False, f"{account.shell} does not just run a command: {said or ran.last_remark}", remedy)
    if Path(account.shell).name not in ("sh", "dash"):
        return Check("shell", None, f"{account.shell} reads files of the user's before each command", remedy)
    return Check("shell", True, f"{account.shell} runs commands and is silent")


def check_sessions(account: Account) -> Check:
    """Detached jobs outlive the connection that sent them."""
    stated = {k: v for path in _logind_files() for k, v in _read_login_section(path).items()}
    kills = stated.get("killuserprocesses", "no").lower() in ("yes", "true", "1", "on")
    spared = stated.get("killexcludeusers", "root").split()
    if kills and account.name not in spared:
        return Check("sessions", False, "systemd-logind ends all processes of a user at logout, detached jobs too "
                     "(KillUserProcesses)",
                     f"KillExcludeUsers=root {account.name} in /etc/systemd/logind.conf")  # fmt: skip
    return Check("sessions", True, "detached jobs outlive their connection")


def _logind_files() -> list[Path]:
    named: dict[str, Path] = {}
    for folder in _LOGIND_FOLDERS:  # one of the same name in a later directory takes the place of the earlier
        named |= {path.name: path for path in Path(folder).glob("*.conf")}
    return [*map(Path, _LOGIND), *(named[name] for name in sorted(named))]


def _read_login_section(path: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    try:
        parser.read_string(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, configparser.Error):
        return {}
    section = parser["Login"] if parser.has_section("Login") else {}
    return {key: value or "" for key, value in section.items()}
