"""Checks of sshd's settings for the server's user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from admin import made_keys
from made_sshd import MadeSshd
from solvehost.admin import accounts, programs
from solvehost.admin.checks import sshd as module
from solvehost.errors import UnavailableError

GOOD = {
    "pubkeyauthentication": ["yes"], "forcecommand": ["none"], "permituserenvironment": ["no"], "strictmodes": ["yes"],
    "authenticationmethods": ["publickey"], "disableforwarding": ["yes"], "permittty": ["no"], "permituserrc": ["no"],
    "permittunnel": ["no"], "clientaliveinterval": ["15"], "maxsessions": ["64"], "acceptenv": ["LANG", "LC_*"],
}  # fmt: skip


def look(home: Path, **changes: str | list[str]) -> list[tuple[bool | None, str]]:
    values = GOOD | {name: value if isinstance(value, list) else [value] for name, value in changes.items()}
    return [(check.ok, check.detail) for check in module.check(values, made_keys.account(home), 300.0)]


def test_the_settings_of_the_match_block_pass(tmp_path: Path) -> None:
    ((ok, detail),) = look(tmp_path)
    assert ok
    assert "forced commands" in detail


@pytest.mark.parametrize(
    ("name", "value", "ok", "said"),
    [
        ("forcecommand", "/bin/x", False, "--client is lost"),
        ("pubkeyauthentication", "no", False, "keys cannot be used"),
        ("permituserenvironment", "yes", False, "set environment variables"),
        ("acceptenv", ["LANG", "LD_* FOO"], False, "LD_PRELOAD"),
        ("acceptenv", ["*"], False, "BASH_ENV"),
        ("channeltimeout", "session:command=2m", False, "ends jobs"),
        ("channeltimeout", "*=300", False, "ends jobs"),
        ("allowusers", ["astro@10.*", "root"], False, "AllowUsers keeps user me out"),
        ("denyusers", ["m?"], False, "DenyUsers keeps user me out"),
        ("allowgroups", ["nosuchgroup"], False, "AllowGroups"),
        ("strictmodes", "no", None, "StrictModes is no"),
        ("trustedusercakeys", "/etc/ssh/ca", None, "that the authority signed"),
        ("authorizedkeyscommand", "/bin/keys", None, "cannot see"),
        ("permittty", "yes", None, "PermitTTY is yes"),
        ("disableforwarding", "no", None, "forwarding"),
        ("authenticationmethods", "any", None, "other ways"),
        ("unusedconnectiontimeout", "60", None, "connections that clients keep open"),
        ("clientaliveinterval", "0", None, "dead connection"),
        ("maxsessions", "10", None, "MaxSessions is 10"),
    ],
)  # fmt: skip
def test_other_settings_are_found(
    name: str, value: str | list[str], ok: bool | None, said: str, tmp_path: Path
) -> None:  # fmt: skip
    ((found, detail),) = look(tmp_path, **{name: value})
    assert found is ok
    assert said in detail


@pytest.mark.parametrize(
    ("name", "value"),
    [("channeltimeout", "session:command=10m"), ("channeltimeout", "x11-connection=5m"),
     ("channeltimeout", "session=0"), ("allowusers", ["other m*@192.0.2.*"]), ("denyusers", ["other"]),
     ("unusedconnectiontimeout", "none")],
)  # fmt: skip
def test_harmless_settings_pass(name: str, value: str | list[str], tmp_path: Path) -> None:
    assert [ok for ok, _ in look(tmp_path, **{name: value})] == [True]


def test_a_missing_sshd_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda _: None)
    with pytest.raises(UnavailableError, match="not installed"):
        module.effective(made_keys.account(tmp_path))


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "sshd_config"
    yield path
    path.unlink()


@pytest.mark.sshd
def test_the_settings_of_a_real_sshd_are_read(sshd: MadeSshd) -> None:
    values = module.effective(accounts.find(sshd.user), sshd.folder / "sshd_config")
    assert values["authenticationmethods"] == ["publickey"]
    assert values["authorizedkeysfile"] == [f"{sshd.folder}/authorized_keys"]
    assert values["permittty"] == ["no"]


@pytest.mark.sshd
def test_a_configuration_that_sshd_refuses_is_quoted(config: Path, tmp_path: Path) -> None:
    if programs.find("sshd") is None:
        pytest.skip("sshd is not installed (Debian: apt install openssh-server)")
    config.write_text("NoSuchKeyword yes\n")
    with pytest.raises(UnavailableError, match="sshd -T: "):
        module.effective(made_keys.account(tmp_path), config)
