"""Checks of the user that the server runs as: sshd admits it, and it has no other privileges."""

from __future__ import annotations

import configparser
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from solvehost.admin import programs
from solvehost.admin.accounts import Account
from solvehost.admin.checks import limits, run_check
from solvehost.admin.records import Finding

_SHADOW = Path("/etc/shadow")
#: If one of these files exists, sshd and PAM admit root only.
_NO_LOGIN = (Path("/etc/nologin"), Path("/run/nologin"))
_LOGIND = ("/usr/lib/systemd/logind.conf", "/etc/systemd/logind.conf")
_LOGIND_FOLDERS = ("/usr/lib/systemd/logind.conf.d", "/run/systemd/logind.conf.d", "/etc/systemd/logind.conf.d")
_PRIVILEGED_GROUPS = {"root", "wheel", "sudo", "admin", "adm", "disk", "shadow", "docker", "lxd", "systemd-journal"}
#: This directory exists if systemd runs the machine.
_SYSTEMD_RUNS = Path("/run/systemd/system")
_UNIT_FOLDERS = (Path("/etc/systemd/system"), _SYSTEMD_RUNS)
_DAY_S = 86400


def check(account: Account, *, uses_pam: bool) -> Iterator[Finding]:
    """Yield the findings about the account."""
    yield from run_check("user", lambda: [check_user(account)])
    yield from run_check("login", lambda: [check_login(account, uses_pam=uses_pam)])
    yield from run_check("shell", lambda: [check_shell(account)], f"chsh -s /bin/sh {account.name}")
    yield from run_check("sessions", lambda: [check_sessions(account)])
    yield from run_check("user manager", lambda: [check_user_manager(account)])
    if uses_pam:
        yield from run_check("limits", lambda: limits.check_pam(account))


def check_user(account: Account) -> Finding:
    """Check that the user is not root, and in no group that can become root."""
    if account.uid == 0:
        return Finding("user", False, "the server runs as root, so a fault in it endangers the whole machine",
                       "create a user for it: useradd --system --create-home --shell /bin/sh solve")  # fmt: skip
    import grp

    names = [g.gr_name for g in grp.getgrall() if g.gr_gid in account.groups and g.gr_name in _PRIVILEGED_GROUPS]
    if names:
        return Finding("user", False, f"user {account.name} is in the privileged group {', '.join(names)}",
                       "; ".join(f"gpasswd -d {account.name} {name}" for name in names), 77)  # fmt: skip
    return Finding("user", True, f"{account.name}, uid {account.uid}")


def check_login(account: Account, *, uses_pam: bool) -> Finding:
    """Check that sshd and PAM admit the user: logins are open, and the account is neither expired nor locked."""
    closed = next((path for path in _NO_LOGIN if path.exists()), None)
    if closed is not None and account.uid != 0:
        return Finding("login", False, f"{closed} exists, so only root can log in", f"rm {closed}", 77)
    try:
        lines = _SHADOW.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return Finding("login", None, f"{_SHADOW} cannot be read", "run this as root to check the account")
    fields = next((line.split(":") for line in lines if line.startswith(f"{account.name}:")), None)
    if fields is None or len(fields) < 8:
        return Finding("login", None, f"user {account.name} is not in {_SHADOW}, so the account cannot be checked",
                       "check in its directory service that the account is not expired or locked")  # fmt: skip
    for is_wrong, detail, remedy in (
        (_is_over(fields[7]), f"the account {account.name} has expired", f"usermod -e '' {account.name}"),
        (uses_pam and _has_old_password(fields), f"the password of {account.name} has expired, and PAM demands a new "
         "one", f"chage -d -1 -M -1 {account.name}"),
        (fields[1].startswith("!") and not uses_pam, "the account is locked, and sshd without PAM refuses locked "
         "accounts", f"usermod -p '*' {account.name} (no password matches, and keys work)"),
        (not fields[1], "the account has an empty password", f"usermod -p '*' {account.name}"),
    ):  # fmt: skip
        if is_wrong:
            return Finding("login", False, detail, remedy, 77)
    return Finding("login", True, "the account can log in with a key")


def _is_over(day: str, after_days: int = 0) -> bool:
    """Return True if a day of /etc/shadow (days since 1970, empty for none) is in the past."""
    return day.isdigit() and (int(day) + after_days) * _DAY_S < time.time()


def _has_old_password(fields: Sequence[str]) -> bool:
    """Return True if a line of /etc/shadow says that the password must be changed at the next login."""
    changed, longest = fields[2], fields[4]
    return changed == "0" or (longest.isdigit() and _is_over(changed, int(longest)))


def check_shell(account: Account) -> Finding:
    """Check that the shell runs a command and writes nothing of its own, which would become part of the reply."""
    environment = {"HOME": str(account.home), "USER": account.name, "LOGNAME": account.name, "SHELL": account.shell,
                   "SSH_CLIENT": "127.0.0.1 1 22", "SSH_CONNECTION": "127.0.0.1 1 127.0.0.1 22"}  # fmt: skip
    remedy = f"chsh -s /bin/sh {account.name}"
    result = programs.run([account.shell, "-c", "echo alive"], account, environment=environment)
    if result.exit_code or not result.stdout.endswith(b"alive\n"):
        output = result.stdout.decode("ascii", "backslashreplace").strip()[:80]
        detail = f"the shell {account.shell} does not run a command: {output or result.last_line}"
        return Finding("shell", False, detail, remedy)
    if result.stdout != b"alive\n":
        output = result.stdout.removesuffix(b"alive\n").decode("ascii", "backslashreplace").strip()[:80]
        detail = f"the shell {account.shell} writes text of its own, which damages replies: {output}"
        return Finding("shell", False, detail, remedy)
    if Path(account.shell).name not in ("sh", "dash"):
        return Finding("shell", None, f"the shell {account.shell} reads files of the user before each command", remedy)
    return Finding("shell", True, f"{account.shell} runs a command and writes nothing of its own")


def check_sessions(account: Account) -> Finding:
    """Check that detached jobs outlive the connection that sent them."""
    values = {k: v for path in _logind_files() for k, v in _read_login_section(path).items()}
    kills = values.get("killuserprocesses", "no").lower() in ("yes", "true", "1", "on")
    excluded = values.get("killexcludeusers", "root").split()
    if kills and account.name not in excluded:
        return Finding("sessions", False, "systemd-logind ends all processes of a user at logout, also detached jobs "
                       "(KillUserProcesses)",
                       f"set KillExcludeUsers=root {account.name} in /etc/systemd/logind.conf")  # fmt: skip
    return Finding("sessions", True, "detached jobs outlive the connection that sent them")


def check_user_manager(account: Account) -> Finding:
    """Check that sshd starts no ``systemd --user``, through which a program could leave its confinement."""
    name, unit = "user manager", f"user@{account.uid}.service"
    if not _SYSTEMD_RUNS.is_dir():
        return Finding(name, True, "systemd does not run this machine")
    if any(os.path.realpath(folder / unit) == os.devnull for folder in _UNIT_FOLDERS):
        return Finding(name, True, f"{unit} is masked")
    detail = f"sshd starts {unit}, through which a program could leave its confinement if the kernel has no seccomp"
    return Finding(name, None, detail, f"systemctl mask {unit}")


def _logind_files() -> list[Path]:
    """Return the configuration files in the order in which systemd reads them."""
    by_name: dict[str, Path] = {}
    for folder in _LOGIND_FOLDERS:  # a file in a later directory replaces one with the same name in an earlier one
        by_name |= {path.name: path for path in Path(folder).glob("*.conf")}
    return [*map(Path, _LOGIND), *(by_name[name] for name in sorted(by_name))]


def _read_login_section(path: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    try:
        parser.read_string(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, configparser.Error):
        return {}
    section = parser["Login"] if parser.has_section("Login") else {}
    return {key: value or "" for key, value in section.items()}
