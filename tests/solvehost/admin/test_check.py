"""solvehost check as a whole: behind a real sshd, as root about another user, and where things are broken."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

import pytest

from admin import made_keys
from made_sshd import MadeSshd
from solvehost.admin import check, installation
from solvehost.admin.check import examine
from solvehost.admin.records import Check, Report
from solvehost.server import settings


def named(report: Report, name: str) -> list[Check]:
    return [found for found in report.checks if found.name == name]


def failed(report: Report) -> list[str]:
    return [f"{found.name}: {found.detail}" for found in report.checks if found.ok is False]


@pytest.fixture
def own_sshd_config(sshd: MadeSshd, tmp_path: Path) -> Path:
    """The configuration of the tests' sshd, but for what it lets clients set on purpose."""
    text = (sshd.folder / "sshd_config").read_text()
    path = tmp_path / "sshd_config"
    path.write_text(text.replace("AcceptEnv *\n", ""))
    return path


@pytest.mark.sshd
@pytest.mark.engine
def test_a_server_behind_a_real_sshd_is_well(sshd: MadeSshd, own_sshd_config: Path, real_indexes: object) -> None:
    """With the command that sshd would start; only where another user solves is nothing the user's to change."""
    host = sshd.add_host("--slots", "2", "--log", "stderr", "--config", os.devnull, client="checked")
    keys = sshd.folder / "checked_keys"
    keys.write_text((sshd.folder / "authorized_keys").read_text().splitlines()[-1] + "\n")
    keys.chmod(0o644)
    report = examine({}, user=sshd.user, keys=keys, sshd_config=own_sshd_config)
    if sshd.is_other_user:
        assert failed(report) == []
        assert report.exit_code == 0
        assert "client checked" in named(report, "key 1")[0].detail
    assert named(report, "a job")[0].ok
    assert named(report, "a poisoned job")[0].ok
    assert named(report, "state")[0].detail.startswith(str(host.state))
    assert list(host.state.iterdir()) == [], "the proof has a state directory of its own"


@pytest.mark.sshd
def test_an_environment_that_clients_may_set_is_found(sshd: MadeSshd) -> None:
    """The tests' own sshd accepts all, to see that none of it matters to the server; LD_PRELOAD would."""
    report = examine({}, user=sshd.user, sshd_config=sshd.folder / "sshd_config", proof=False)
    assert any("LD_PRELOAD" in line for line in failed(report))
    assert report.exit_code >= 78


def test_without_the_user_that_is_all_there_is_to_say() -> None:
    report = examine({}, user="no-such-user")
    assert [found.name for found in report.checks] == ["user"]
    assert report.exit_code == 78
    assert "useradd" in report.checks[0].remedy


@pytest.fixture
def me(monkeypatch: pytest.MonkeyPatch) -> str:
    """Who runs the tests, sshd aside."""
    monkeypatch.setattr(check.sshd, "effective", lambda *_: {"usepam": ["yes"], "strictmodes": ["yes"]})
    return pwd.getpwuid(os.geteuid()).pw_name


def key_file(folder: Path, *lines: str) -> Path:
    path = folder / "keys"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def command(*flags: str) -> str:
    return " ".join([*installation.program(), "--config", os.devnull, *flags])


def test_the_settings_are_those_of_the_keys(me: str, tmp_path: Path) -> None:
    keys = key_file(tmp_path, f'restrict,command="{command("--client", "a", "--state", str(tmp_path / "s"))}" '
                    f"{made_keys.line()}")  # fmt: skip
    report = examine({}, user=me, keys=keys, proof=False)
    assert str(tmp_path / "s") in named(report, "state")[0].detail


def test_flags_go_before_the_keys_settings(me: str, tmp_path: Path) -> None:
    keys = key_file(tmp_path, f'restrict,command="{command("--state", "/none/keys")}" {made_keys.line()}')
    report = examine({"config": os.devnull, "state": "/none/flags"}, user=me, keys=keys, proof=False)
    assert "/none/flags" in named(report, "state")[0].detail


def test_keys_with_different_settings_are_mentioned(me: str, tmp_path: Path) -> None:
    lines = [f'restrict,command="{command("--client", name, "--slots", slots)}" {made_keys.line(number)}'
             for number, (name, slots) in enumerate((("a", "1"), ("b", "1"), ("c", "2")), 1)]  # fmt: skip
    found = named(examine({}, user=me, keys=key_file(tmp_path, *lines), proof=False), "settings")
    assert [(c.ok, "2 different settings" in c.detail) for c in found] == [(None, True)]
    assert named(examine({}, user=me, keys=key_file(tmp_path, *lines[:2]), proof=False), "settings") == []


def test_a_key_whose_settings_do_not_load(me: str, tmp_path: Path) -> None:
    line = f'restrict,command="{command("--slots", "0")}" {made_keys.line()}'
    report = examine({}, user=me, keys=key_file(tmp_path, line))
    assert any("--slots" in text for text in failed(report))
    assert "not proven" in named(report, "a job")[0].detail


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0\n", b"ssh-ed25519 AAAA\n", b"x" * 100_000, b'command="'])
def test_nothing_in_a_key_file_is_too_much(content: bytes, me: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(content)
    report = examine({}, user=me, keys=tmp_path / "keys", proof=False)
    assert not any("please report" in found.remedy for found in report.checks)


def test_a_key_file_that_is_a_directory(me: str, tmp_path: Path) -> None:
    assert examine({}, user=me, keys=tmp_path, proof=False).exit_code >= 77


def test_without_a_key_it_says_how_to_authorize_one(me: str, tmp_path: Path) -> None:
    report = examine({}, user=me, keys=tmp_path / "none", proof=False)
    (found,) = named(report, "key file")
    assert (found.ok, found.remedy) == (False, "solvehost authorize KEY.pub")


def test_a_configuration_that_is_wrong_hides_no_other_check(me: str, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("slots = 'many'\n")
    report = examine({"config": str(tmp_path / "s.toml")}, user=me, keys=tmp_path / "none")
    assert any("slots" in text for text in failed(report))
    assert {"user", "shell", "key file", "configuration", "a job"} <= {found.name for found in report.checks}


def test_a_report_can_be_read_by_programs(me: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from solvehost.admin import cli

    flags = ["--user", me, "--keys", str(tmp_path / "none"), "--no-proof", "--json", "--config", os.devnull]
    code = cli.main(["check", *flags])
    found = json.loads(capsys.readouterr().out)
    assert found["exit_code"] == code != 0
    assert all(set(each) == {"name", "ok", "detail", "remedy", "exit_code"} for each in found["checks"])
    assert Path(os.devnull) != settings.DEFAULT_FILE
