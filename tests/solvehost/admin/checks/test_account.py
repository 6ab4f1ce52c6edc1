"""What is to be said of the user that solves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from admin import made_keys
from solvehost.admin.checks import account as module
from solvehost.admin.checks.account import check_login, check_sessions, check_shell, check_user


def test_root_must_not_solve(tmp_path: Path) -> None:
    found = check_user(made_keys.account(tmp_path, uid=0))
    assert (found.ok, found.exit_code) == (False, 78)
    assert "useradd" in found.remedy


def test_a_user_with_power_must_not_solve(tmp_path: Path) -> None:
    found = check_user(made_keys.account(tmp_path, uid=54321, groups=(0, 54321)))
    assert (found.ok, found.exit_code) == (False, 77)
    assert "root" in found.detail


def test_a_plain_user_may(tmp_path: Path) -> None:
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
        ("somebody:*:19000::::::", True, None),
        ("me", True, None),
    ],
)  # fmt: skip
def test_accounts_that_sshd_refuses(
    line: str, uses_pam: bool, ok: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "_SHADOW", tmp_path / "shadow")
    (tmp_path / "shadow").write_text(f"root:*:1::::::\n{line}\n")
    found = check_login(made_keys.account(tmp_path), uses_pam=uses_pam)
    assert found.ok is ok
    assert found.remedy or ok or ok is None


def test_without_permission_nothing_is_said_of_the_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHADOW", tmp_path / "none")
    assert check_login(made_keys.account(tmp_path), uses_pam=True).ok is None


@pytest.mark.parametrize(
    ("script", "ok"),
    [('exec /bin/sh "$@"', None), ("echo This account is not available; exit 1", False),
     ('echo welcome; exec /bin/sh "$@"', False), ("exit 1", False), ('/bin/sh "$@"; exit 3', False)],
)  # fmt: skip
def test_a_shell_that_talks_or_does_not_run_commands(script: str, ok: bool | None, tmp_path: Path) -> None:
    shell = tmp_path / "shell"
    shell.write_text(f"#!/bin/sh\n{script}\n")
    shell.chmod(0o755)
    found = check_shell(made_keys.account(tmp_path, shell=str(shell)))
    assert found.ok is ok
    assert "chsh" in found.remedy


def test_sh_is_as_it_should_be(tmp_path: Path) -> None:
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
def test_logind_that_ends_what_a_user_leaves(
    main: str, drop_in: str, ok: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    (tmp_path / "d").mkdir()
    (tmp_path / "logind.conf").write_text(main)
    (tmp_path / "d" / "50.conf").write_text(drop_in)
    monkeypatch.setattr(module, "_LOGIND", (str(tmp_path / "none"), str(tmp_path / "logind.conf")))
    monkeypatch.setattr(module, "_LOGIND_FOLDERS", (str(tmp_path / "none.d"), str(tmp_path / "d")))
    assert check_sessions(made_keys.account(tmp_path)).ok is ok


def test_a_shell_that_is_not_there_hides_no_other_check(tmp_path: Path) -> None:
    found = {c.name: c for c in module.look(made_keys.account(tmp_path, shell="/none/sh"), uses_pam=True)}
    assert (found["shell"].ok, found["shell"].exit_code) == (False, 69)
    assert list(found) == ["user", "login", "shell", "sessions"]


def test_all_of_it_is_looked_at(tmp_path: Path) -> None:
    names = [check.name for check in module.look(made_keys.account(tmp_path), uses_pam=True)]
    assert names == ["user", "login", "shell", "sessions"]
    assert os.geteuid() == made_keys.account(tmp_path).uid
