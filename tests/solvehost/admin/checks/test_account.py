"""Checks of the user that the server runs as."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from admin import made_keys
from solvehost.admin.checks import account as module
from solvehost.admin.checks.account import check_login, check_sessions, check_shell, check_user


def test_root_fails(tmp_path: Path) -> None:
    found = check_user(made_keys.account(tmp_path, uid=0))
    assert (found.ok, found.exit_code) == (False, 78)
    assert "useradd" in found.remedy


def test_a_user_in_a_privileged_group_fails(tmp_path: Path) -> None:
    found = check_user(made_keys.account(tmp_path, uid=54321, groups=(0, 54321)))
    assert (found.ok, found.exit_code) == (False, 77)
    assert "root" in found.detail


def test_an_ordinary_user_passes(tmp_path: Path) -> None:
    assert check_user(made_keys.account(tmp_path, uid=54321, groups=(54321,))).ok


@pytest.mark.parametrize(
    ("line", "uses_pam", "ok"),
    [
        ("me:*:19000:0:99999:7:::", True, True),
        ("me:$y$hash:19000:0:99999:7:::", True, True),
        ("me:!:19000:0:99999:7:::", True, True),
        ("me:!:19000:0:99999:7:::", False, False),
        ("me:*:19000:0:99999:7::1:", True, False),
        ("me::19000:0:99999:7:::", True, False),
        ("me:*:19000:0:99999:7::99999:", True, True),
        ("other:*:19000::::::", True, None),
        ("me", True, None),
    ],
)  # fmt: skip
def test_accounts_that_sshd_refuses_fail(
    line: str, uses_pam: bool, ok: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "_SHADOW", tmp_path / "shadow")
    (tmp_path / "shadow").write_text(f"root:*:1::::::\n{line}\n")
    found = check_login(made_keys.account(tmp_path), uses_pam=uses_pam)
    assert found.ok is ok
    assert found.remedy or ok or ok is None


def test_an_unreadable_shadow_file_gives_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHADOW", tmp_path / "none")
    assert check_login(made_keys.account(tmp_path), uses_pam=True).ok is None


@pytest.mark.parametrize(
    ("script", "ok", "said"),
    [('exec /bin/sh "$@"', None, "reads files"), ("echo This account is not available; exit 1", False, "not run"),
     ('echo welcome; exec /bin/sh "$@"', False, "text of its own"), ("exit 1", False, "does not run"),
     ('/bin/sh "$@"; exit 3', False, "does not run")],
)  # fmt: skip
def test_a_shell_that_writes_text_or_runs_no_commands_fails(
    script: str, ok: bool | None, said: str, tmp_path: Path
) -> None:
    shell = tmp_path / "shell"
    shell.write_text(f"#!/bin/sh\n{script}\n")
    shell.chmod(0o755)
    found = check_shell(made_keys.account(tmp_path, shell=str(shell)))
    assert found.ok is ok
    assert said in found.detail
    assert "chsh" in found.remedy


def test_sh_passes(tmp_path: Path) -> None:
    assert check_shell(made_keys.account(tmp_path)).ok


@pytest.mark.parametrize(
    ("main", "drop_in", "ok"),
    [
        ("", "", True),
        ("[Login]\n#KillUserProcesses=yes\n", "", True),
        ("[Login]\nKillUserProcesses=yes\n", "", False),
        ("[Login]\nKillUserProcesses=no\n", "[Login]\nKillUserProcesses=yes\n", False),
        ("[Login]\nKillUserProcesses=yes\n", "[Login]\nKillExcludeUsers=root me\n", True),
        ("[Login]\nKillUserProcesses=yes\n", "[Login]\nKillUserProcesses=no\n", True),
        ("nonsense\n[Login]\nKillUserProcesses=yes\n", "", True),
    ],
)  # fmt: skip
def test_logind_that_kills_processes_at_logout_fails(
    main: str, drop_in: str, ok: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    (tmp_path / "d").mkdir()
    (tmp_path / "logind.conf").write_text(main)
    (tmp_path / "d" / "50.conf").write_text(drop_in)
    monkeypatch.setattr(module, "_LOGIND", (str(tmp_path / "none"), str(tmp_path / "logind.conf")))
    monkeypatch.setattr(module, "_LOGIND_FOLDERS", (str(tmp_path / "none.d"), str(tmp_path / "d")))
    assert check_sessions(made_keys.account(tmp_path)).ok is ok


def test_a_missing_shell_hides_no_other_check(tmp_path: Path) -> None:
    found = {c.name: c for c in module.check(made_keys.account(tmp_path, shell="/none/sh"), uses_pam=True)}
    assert (found["shell"].ok, found["shell"].exit_code) == (False, 69)
    assert list(found) == ["user", "login", "shell", "sessions", "user manager"]


def test_all_checks_of_the_account_run(tmp_path: Path) -> None:
    names = [check.name for check in module.check(made_keys.account(tmp_path), uses_pam=True)]
    assert names == ["user", "login", "shell", "sessions", "user manager"]
    assert os.geteuid() == made_keys.account(tmp_path).uid


@pytest.mark.parametrize(
    ("runs", "masked", "ok"), [(False, False, True), (True, True, True), (True, False, None)]
)  # fmt: skip
def test_a_user_manager_that_is_not_masked_is_named(
    runs: bool, masked: bool, ok: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through it, code in a confined engine could start programs outside of the confinement."""
    units = tmp_path / "system"
    if runs:
        units.mkdir()
    user = made_keys.account(tmp_path)
    if masked:
        (units / f"user@{user.uid}.service").symlink_to(os.devnull)
    monkeypatch.setattr(module, "_SYSTEMD_RUNS", units)
    monkeypatch.setattr(module, "_UNIT_FOLDERS", (units,))
    found = module.check_user_manager(user)
    assert found.ok is ok
    assert ok or found.remedy == f"systemctl mask user@{user.uid}.service"
