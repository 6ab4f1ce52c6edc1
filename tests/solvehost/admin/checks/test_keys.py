"""Checks of authorized_keys files and lines find every way in which a key is not confined to the server."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from admin import made_keys
from solvehost.admin import keylines
from solvehost.admin.checks import keys
from solvehost.admin.checks.keys import Service
from solvehost.admin.keylines import KeyLine
from solvehost.admin.records import Finding

COMMAND = f'command="{os.path.abspath(sys.executable)} -I -m solvehost --client nova1"'


def parse(options: str) -> KeyLine:
    line = keylines.parse_line(f"{options} {made_keys.line()}".strip())
    assert line is not None
    return line


def look(options: str, home: Path) -> list[Finding]:
    return list(keys.check_line(1, parse(options), made_keys.account(home, uid=54321)))


def bad(found: list[Finding]) -> str:
    return "; ".join(check.detail for check in found if check.ok is False)


def test_a_confined_key_passes_with_its_client(tmp_path: Path) -> None:
    (found,) = look(f"restrict,{COMMAND}", tmp_path)
    assert found.ok
    assert found.detail == "client nova1, observer: it can run solvehost, and nothing else"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "the key gives a shell"),
        ("restrict", "the key gives a shell"),
        (COMMAND, "no `restrict`"),
        (f"restrict,pty,{COMMAND}", "permits what `restrict` forbids: pty"),
        (f"restrict,{COMMAND},port-forwarding,X11-forwarding", "port-forwarding, x11-forwarding"),
        (f'restrict,{COMMAND},environment="A=b"', "environment"),
        (f"cert-authority,restrict,{COMMAND}", "authority"),
        ('restrict,command="/bin/sh -c true"', "does not start solvehost"),
        ("restrict,command=\"solvehost 'x\"", "cannot be parsed"),
        ('restrict,command="solvehost --client a"', "not an absolute path"),
        (f'restrict,command="{sys.executable} -m solvehost --client a"', "not isolated"),
        (f'restrict,command="{sys.executable} -I -m solvehost --nonsense a"', "there is no option"),
        (f'restrict,{COMMAND},expiry-time="soon"', "is not a date"),
    ],
)  # fmt: skip
def test_a_key_that_is_not_confined_fails(options: str, said: str, tmp_path: Path) -> None:
    found = look(options, tmp_path)
    assert said in bad(found)
    assert all(check.remedy for check in found if check.ok is False)
    assert not any(check.ok for check in found)


@pytest.mark.parametrize(("days", "said"), [(-1, "has expired"), (5, "expires soon"), (300, None)])
def test_a_key_that_has_expired_or_expires_soon_is_a_warning(days: int, said: str | None, tmp_path: Path) -> None:
    when = f"{datetime.now() + timedelta(days=days):%Y%m%d}"
    errors = [c.detail for c in look(f'restrict,{COMMAND},expiry-time="{when}"', tmp_path) if c.ok is None]
    assert [said in remark for remark in errors if said] == ([True] if said else [])


def test_a_command_without_a_client_is_a_warning(tmp_path: Path) -> None:
    found = look(f'restrict,command="{sys.executable} -I -m solvehost"', tmp_path)
    assert [check.ok for check in found] == [None, True]
    assert "shares the jobs" in found[0].detail


def test_the_first_line_of_a_script_can_isolate_it(tmp_path: Path) -> None:
    script = tmp_path / "solvehost"
    for first, is_isolated in (("#!/usr/bin/python3 -I", True), ("#!/usr/bin/python3", False)):
        script.write_text(f"{first}\n")
        found = look(f'restrict,command="{script} --client a"', tmp_path)
        assert ("not isolated" not in bad(found)) is is_isolated


def test_a_program_that_the_user_can_change_fails(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files to others")
    script = tmp_path / "solvehost.pyz"
    script.write_text("#!/usr/bin/python3 -I\n")
    os.chown(script, 54321, 0)
    assert f"can change {script}" in bad(look(f'restrict,command="{script} --client a"', tmp_path))


# --- The file -----------------------------------------------------------------------------------------------------


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """An authorized_keys file below the user's home, above which sshd checks nothing."""
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o755)
    path = folder / "solve"
    path.write_text("# none\n")
    path.chmod(0o644)
    return path


def test_a_file_that_sshd_accepts_passes(key_file: Path, tmp_path: Path) -> None:
    uid = 54321 if os.geteuid() == 0 else os.geteuid()
    found = keys.check_file(key_file, made_keys.account(tmp_path, uid=uid))
    assert found.ok is (True if os.geteuid() == 0 else None)


@pytest.mark.parametrize("part", ["file", "directory"])
@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_file_that_others_may_write_to_fails(part: str, mode: int, key_file: Path, tmp_path: Path) -> None:
    place = key_file if part == "file" else key_file.parent
    place.chmod(mode)
    found = keys.check_file(key_file, made_keys.account(tmp_path))
    assert (found.ok, found.exit_code, found.remedy) == (False, 77, f"chmod go-w {place}")


def test_a_file_of_another_user_fails(key_file: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files to others")
    os.chown(key_file, 54321, 0)
    assert keys.check_file(key_file, made_keys.account(tmp_path, uid=54322)).ok is False
    assert keys.check_file(key_file, made_keys.account(tmp_path, uid=54321)).ok is None, "the user could change it"


def test_a_file_that_the_user_cannot_read_fails(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(keys.check_readable(key_file)) == []
    (found,) = keys.check_readable(key_file.with_name("none"))
    assert (found.ok, found.exit_code) == (False, 77)


def test_patterns_of_authorizedkeysfile_are_expanded(tmp_path: Path) -> None:
    account = made_keys.account(tmp_path, name="solve", uid=999)
    assert keys.files_of(account, ["/k/%u/%U .ssh/a%%", "%h/b none"]) == [
        Path("/k/solve/999"), tmp_path / ".ssh" / "a%", tmp_path / "b",
    ]  # fmt: skip
    assert keys.files_of(account, []) == [Path("/etc/ssh/authorized_keys.d/solve")]


def test_lines_are_numbered_and_invalid_ones_are_findings(key_file: Path) -> None:
    key_file.write_bytes(b"# one\n\nrestrict " + made_keys.line().encode() + b"\r\nnons\xffense\n\n")
    found = list(keys.read_lines(key_file))
    assert [number for number, _ in found] == [3, 4]
    assert isinstance(found[0][1], KeyLine)
    assert isinstance(found[1][1], Finding)
    assert found[1][1].ok is None


# --- The program --------------------------------------------------------------------------------------------------


def test_the_program_must_be_solvehost(tmp_path: Path) -> None:
    account = made_keys.account(tmp_path)
    assert keys.check_program(Service((sys.executable, "-I", "-m", "solvehost"), (), {}), account).ok
    script = tmp_path / "solvehost"
    script.write_text("#!/bin/sh\necho other\n")
    script.chmod(0o755)
    found = keys.check_program(Service((str(script),), (), {}), account)
    assert (found.ok, found.exit_code) == (False, 69)
