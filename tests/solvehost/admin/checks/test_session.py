"""``solvehost check --through-sshd``: a session of a real sshd, in which the server may fare worse than here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from made_sshd import Host, MadeSshd
from solvehost.admin import accounts, cli
from solvehost.admin.checks import session
from solvehost.admin.records import Finding
from solvehost.indexes.index_set import IndexSet

pytestmark = pytest.mark.sshd
WITHOUT_LANDLOCK = """\
import sys
sys.path.insert(0, {app!r})
from solvehost.engine import exec_helper, sandbox
exec_helper.landlock_abi = sandbox.landlock_abi = lambda: 0
from solvehost.__main__ import main
main()
"""


def key_of(sshd: MadeSshd, host: Host) -> Path:
    return sshd.folder / host.alias.replace("made-", "key-")


def look(sshd: MadeSshd, host: Host, files: tuple[object, ...] = ()) -> list[Finding]:
    values = {"listenaddress": [f"127.0.0.1:{sshd.port}"]}
    return list(session.check(accounts.find(sshd.user), values, key_of(sshd, host), files))  # type: ignore[arg-type]


@pytest.mark.engine
def test_a_job_is_solved_through_sshd(sshd: MadeSshd, real_indexes: IndexSet) -> None:
    """In the state directory of the server itself, which is left as it was."""
    host = sshd.add_host("--config", os.devnull, "--log", "stderr")
    found = look(sshd, host, real_indexes.files)
    assert [each.name for each in found] == [session.NAME, session.SOLVES]
    assert all(each.ok for each in found), found
    assert "a key reaches the server" in found[0].detail
    assert list((host.state / "work").iterdir()) == []


def test_what_differs_from_a_direct_run_is_told(sshd: MadeSshd, monkeypatch: pytest.MonkeyPatch) -> None:
    host = sshd.add_host("--config", os.devnull)
    command = (sshd.folder / "authorized_keys").read_text().splitlines()[-1].split('"')[1]
    lines = (sshd.folder / "authorized_keys").read_text()
    (sshd.folder / "authorized_keys").write_text(lines.replace(command, f"umask 0027; ulimit -Sn 200; {command}"))
    (found, not_proven) = look(sshd, host)
    assert found.ok
    assert "nofile is 200" in found.detail
    assert "umask is 0027" in found.detail
    assert (not_proven.name, not_proven.ok) == (session.SOLVES, None)


def test_a_limit_in_sessions_alone_fails(sshd: MadeSshd) -> None:
    host = sshd.add_host(command=f"ulimit -n 40; {sshd.forced_command(state=sshd.make_dir(), client='limited')}")
    (found, _) = look(sshd, host)
    assert (found.ok, found.exit_code) == (False, 69)
    assert "nofile is 40, but jobs need 64" in found.detail
    assert "limits.conf" in found.remedy


def test_landlock_that_sessions_lack_is_named(sshd: MadeSshd) -> None:
    wrapper = sshd.place("wrapper.py", WITHOUT_LANDLOCK.format(app=str(sshd.app)))
    (found, *_) = look(sshd, sshd.add_host("--config", os.devnull, wrapper=wrapper))
    assert (found.ok, "cannot be in sessions of sshd" in found.detail) == (None, True)
    (found,) = look(sshd, sshd.add_host("--config", os.devnull, "--require-sandbox", wrapper=wrapper))
    assert (found.ok, found.exit_code) == (False, 78)
    assert "no Landlock" in found.detail


@pytest.mark.parametrize("command", ["/bin/false", "/none/program", "exit 255"])
def test_a_command_that_does_not_serve_fails(sshd: MadeSshd, command: str) -> None:
    (found,) = look(sshd, sshd.add_host(command=command))
    assert (found.ok, found.exit_code) == (False, 69)
    assert found.remedy


def test_a_key_that_is_not_authorized_fails(sshd: MadeSshd, tmp_path: Path) -> None:
    host = sshd.add_host()
    text = (sshd.folder / "authorized_keys").read_text().splitlines()
    (sshd.folder / "authorized_keys").write_text("\n".join([*text[:-1], ""]))
    (found,) = look(sshd, host)
    assert found.ok is False
    assert "sshd refuses the key" in found.detail


def test_without_an_address_nothing_is_claimed(tmp_path: Path) -> None:
    (found,) = session.check(accounts.find(None if os.geteuid() else "root"), {}, tmp_path / "key", ())
    assert (found.ok, "unknown" in found.detail) == (False, True)


def test_the_option_reaches_the_check(sshd: MadeSshd, capsys: pytest.CaptureFixture[str]) -> None:
    host = sshd.add_host("--config", os.devnull)
    words = ["check", "--no-proof", "--user", sshd.user, "--sshd-config", str(sshd.folder / "sshd_config"),
             "--through-sshd", str(key_of(sshd, host)), "--config", os.devnull, "--state", str(host.state)]  # fmt: skip
    cli.main(words)
    assert "a key reaches the server" in capsys.readouterr().out
