"""``solvehost check`` as a whole: behind a real sshd, as root for another user, and with broken installations."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

import pytest

from admin import made_keys
from made_sshd import MadeSshd
from solvehost.admin import check as module
from solvehost.admin import installation
from solvehost.admin.check import check as check_server
from solvehost.admin.records import CheckReport, Finding
from solvehost.server import settings


def named(report: CheckReport, name: str) -> list[Finding]:
    return [found for found in report.checks if found.name == name]


def failed(report: CheckReport) -> list[str]:
    return [f"{found.name}: {found.detail}" for found in report.checks if found.ok is False]


@pytest.fixture
def own_sshd_config(sshd: MadeSshd, tmp_path: Path) -> Path:
    """The configuration of the tests' sshd without AcceptEnv, which it has on purpose."""
    text = (sshd.folder / "sshd_config").read_text()
    path = tmp_path / "sshd_config"
    path.write_text(text.replace("AcceptEnv *\n", ""))
    return path


@pytest.mark.sshd
@pytest.mark.engine
def test_a_server_behind_a_real_sshd_passes(sshd: MadeSshd, own_sshd_config: Path, real_indexes: object) -> None:
    """Checked with the command that sshd would start; without root, the user can change files of the server."""
    host = sshd.add_host("--slots", "2", "--log", "stderr", "--config", os.devnull, client="checked")
    keys = sshd.folder / "checked_keys"
    keys.write_text((sshd.folder / "authorized_keys").read_text().splitlines()[-1] + "\n")
    keys.chmod(0o644)
    report = check_server({}, user=sshd.user, keys=keys, sshd_config=own_sshd_config)
    if sshd.is_other_user:
        assert failed(report) == []
        assert report.exit_code == 0
        assert "client checked" in named(report, "key 1")[0].detail
    assert named(report, "a job")[0].ok
    assert named(report, "a poisoned job")[0].ok
    assert named(report, "state")[0].detail.startswith(str(host.state))
    assert list(host.state.iterdir()) == [], "trial jobs have their own state directory"


@pytest.mark.sshd
def test_acceptenv_that_admits_ld_preload_is_found(sshd: MadeSshd) -> None:
    """The sshd of the tests accepts all variables, to show that the server ignores them; LD_PRELOAD would matter."""
    report = check_server({}, user=sshd.user, sshd_config=sshd.folder / "sshd_config", with_trial_jobs=False)
    assert any("LD_PRELOAD" in line for line in failed(report))
    assert report.exit_code >= 78


def test_a_missing_user_ends_the_check() -> None:
    report = check_server({}, user="no-such-user")
    assert [found.name for found in report.checks] == ["user"]
    assert report.exit_code == 78
    assert "useradd" in report.checks[0].remedy


@pytest.fixture
def me(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the user who runs the tests; sshd's settings are replaced."""
    monkeypatch.setattr(module.sshd, "effective", lambda *_: {"usepam": ["yes"], "strictmodes": ["yes"]})
    return pwd.getpwuid(os.geteuid()).pw_name


def key_file(folder: Path, *lines: str) -> Path:
    path = folder / "keys"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def command(*flags: str) -> str:
    return " ".join([*installation.program(), "--config", os.devnull, *flags])


def test_settings_come_from_the_key_lines(me: str, tmp_path: Path) -> None:
    keys = key_file(tmp_path, f'restrict,command="{command("--client", "a", "--state", str(tmp_path / "s"))}" '
                    f"{made_keys.line()}")  # fmt: skip
    report = check_server({}, user=me, keys=keys, with_trial_jobs=False)
    assert str(tmp_path / "s") in named(report, "state")[0].detail


def test_flags_override_the_settings_of_key_lines(me: str, tmp_path: Path) -> None:
    keys = key_file(tmp_path, f'restrict,command="{command("--state", "/none/keys")}" {made_keys.line()}')
    report = check_server({"config": os.devnull, "state": "/none/flags"}, user=me, keys=keys, with_trial_jobs=False)
    assert "/none/flags" in named(report, "state")[0].detail


def test_keys_with_different_settings_give_a_warning(me: str, tmp_path: Path) -> None:
    lines = [f'restrict,command="{command("--client", name, "--slots", slots)}" {made_keys.line(number)}'
             for number, (name, slots) in enumerate((("a", "1"), ("b", "1"), ("c", "2")), 1)]  # fmt: skip
    found = named(check_server({}, user=me, keys=key_file(tmp_path, *lines), with_trial_jobs=False), "settings")
    assert [(c.ok, "2 different sets of settings" in c.detail) for c in found] == [(None, True)]
    assert (
        named(check_server({}, user=me, keys=key_file(tmp_path, *lines[:2]), with_trial_jobs=False), "settings") == []
    )


def test_a_key_with_invalid_settings_is_found(me: str, tmp_path: Path) -> None:
    line = f'restrict,command="{command("--slots", "0")}" {made_keys.line()}'
    report = check_server({}, user=me, keys=key_file(tmp_path, line))
    assert any("--slots" in text for text in failed(report))
    assert "not proven" in named(report, "a job")[0].detail


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0\n", b"ssh-ed25519 AAAA\n", b"x" * 100_000, b'command="'])
def test_arbitrary_bytes_in_a_key_file_cause_no_fault(content: bytes, me: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(content)
    report = check_server({}, user=me, keys=tmp_path / "keys", with_trial_jobs=False)
    assert not any("please report" in found.remedy for found in report.checks)


def test_a_key_file_that_is_a_directory_is_found(me: str, tmp_path: Path) -> None:
    assert check_server({}, user=me, keys=tmp_path, with_trial_jobs=False).exit_code >= 77


def test_without_a_key_the_remedy_is_authorize(me: str, tmp_path: Path) -> None:
    report = check_server({}, user=me, keys=tmp_path / "none", with_trial_jobs=False)
    (found,) = named(report, "key file")
    assert (found.ok, found.remedy) == (False, "solvehost authorize KEY.pub")


def test_an_invalid_configuration_hides_no_other_check(me: str, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("slots = 'many'\n")
    report = check_server({"config": str(tmp_path / "s.toml")}, user=me, keys=tmp_path / "none")
    assert any("slots" in text for text in failed(report))
    assert {"user", "shell", "key file", "configuration", "a job"} <= {found.name for found in report.checks}


def test_a_report_as_json_has_all_keys(me: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from solvehost.admin import cli

    flags = ["--user", me, "--keys", str(tmp_path / "none"), "--no-proof", "--json", "--config", os.devnull]
    code = cli.main(["check", *flags])
    found = json.loads(capsys.readouterr().out)
    assert found["exit_code"] == code != 0
    assert all(set(each) == {"name", "ok", "detail", "remedy", "exit_code"} for each in found["checks"])
    assert Path(os.devnull) != settings.DEFAULT_FILE
