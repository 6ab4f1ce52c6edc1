"""Files of keys and their lines: each way in which one is not confined is found."""

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
from solvehost.admin.records import Check

COMMAND = f'command="{os.path.abspath(sys.executable)} -I -m solvehost --client nova1"'


def parse(options: str) -> KeyLine:
    line = keylines.parse_line(f"{options} {made_keys.line()}".strip())
    assert line is not None
    return line


def look(options: str, home: Path) -> list[Check]:
    return list(keys.check_line(1, parse(options), made_keys.account(home, uid=54321)))


def bad(found: list[Check]) -> str:
    return "; ".join(check.detail for check in found if check.ok is False)


def test_a_confined_key_is_told_with_its_client(tmp_path: Path) -> None:
    (found,) = look(f"restrict,{COMMAND}", tmp_path)
    assert found.ok
    assert found.detail == "client nova1, somebody: runs solvehost and nothing else"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "whoever has the key has a shell"),
        ("restrict", "whoever has the key has a shell"),
        (COMMAND, "no `restrict`"),
        (f"restrict,pty,{COMMAND}", "gives back what `restrict` takes: pty"),
        (f"restrict,{COMMAND},port-forwarding,X11-forwarding", "port-forwarding, x11-forwarding"),
        (f'restrict,{COMMAND},environment="A=b"', "environment"),
        (f"cert-authority,restrict,{COMMAND}", "authority"),
        ('restrict,command="/bin/sh -c true"', "no solvehost"),
        ("restrict,command=\"solvehost 'x\"", "cannot be read"),
        ('restrict,command="solvehost --client a"', "no absolute path"),
        (f'restrict,command="{sys.executable} -m solvehost --client a"', "not isolated"),
        (f'restrict,command="{sys.executable} -I -m solvehost --nonsense a"', "no option"),
        (f'restrict,{COMMAND},expiry-time="soon"', "no date"),
    ],
)  # fmt: skip
def test_a_key_that_is_not_confined(options: str, said: str, tmp_path: Path) -> None:
    found = look(options, tmp_path)
    assert said in bad(found)
    assert all(check.remedy for check in found if check.ok is False)
    assert not any(check.ok for check in found)


@pytest.mark.parametrize(("days", "said"), [(-1, "has expired"), (5, "expires soon"), (300, None)])
def test_how_long_a_key_holds(days: int, said: str | None, tmp_path: Path) -> None:
    when = f"{datetime.now() + timedelta(days=days):%Y%m%d}"
    remarks = [c.detail for c in look(f'restrict,{COMMAND},expiry-time="{when}"', tmp_path) if c.ok is None]
    assert [said in remark for remark in remarks if said] == ([True] if said else [])


def test_without_a_client_it_is_said_that_jobs_are_shared(tmp_path: Path) -> None:
    found = look(f'restrict,command="{sys.executable} -I -m solvehost"', tmp_path)
    assert [check.ok for check in found] == [None, True]
    assert "shares the jobs" in found[0].detail


def test_a_script_is_isolated_by_its_first_line(tmp_path: Path) -> None:
    script = tmp_path / "solvehost"
    for first, is_isolated in (("#!/usr/bin/python3 -I", True), ("#!/usr/bin/python3", False)):
        script.write_text(f"{first}\n")
        found = look(f'restrict,command="{script} --client a"', tmp_path)
        assert ("not isolated" not in bad(found)) is is_isolated


def test_a_program_that_the_user_may_change(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files to others")
    script = tmp_path / "solvehost.pyz"
    script.write_text("#!/usr/bin/python3 -I\n")
    os.chown(script, 54321, 0)
    assert f"may change {script}" in bad(look(f'restrict,command="{script} --client a"', tmp_path))


# --- The file -----------------------------------------------------------------------------------------------------


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A file of keys in what stands for the user's home, above which sshd does not look."""
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o755)
    path = folder / "solve"
    path.write_text("# none\n")
    path.chmod(0o644)
    return path


def test_a_file_as_sshd_wants_it(key_file: Path, tmp_path: Path) -> None:
    uid = 54321 if os.geteuid() == 0 else os.geteuid()
    found = keys.check_file(key_file, made_keys.account(tmp_path, uid=uid))
    assert found.ok is (True if os.geteuid() == 0 else None)


@pytest.mark.parametrize("part", ["file", "directory"])
@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_file_that_others_may_write_to(part: str, mode: int, key_file: Path, tmp_path: Path) -> None:
    place = key_file if part == "file" else key_file.parent
    place.chmod(mode)
    found = keys.check_file(key_file, made_keys.account(tmp_path))
    assert (found.ok, found.exit_code, found.remedy) == (False, 77, f"chmod go-w {place}")


def test_a_file_of_somebody_elses(key_file: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files to others")
    os.chown(key_file, 54321, 0)
    assert keys.check_file(key_file, made_keys.account(tmp_path, uid=54322)).ok is False
    assert keys.check_file(key_file, made_keys.account(tmp_path, uid=54321)).ok is None, "the user could change it"


def test_a_file_that_sshd_cannot_read_as_the_user(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(keys.check_readable(key_file)) == []
    (found,) = keys.check_readable(key_file.with_name("none"))
    assert (found.ok, found.exit_code) == (False, 77)


def test_where_sshd_looks(tmp_path: Path) -> None:
    account = made_keys.account(tmp_path, name="solve", uid=999)
    assert keys.files_of(account, ["/k/%u/%U .ssh/a%%", "%h/b none"]) == [
        Path("/k/solve/999"), tmp_path / ".ssh" / "a%", tmp_path / "b",
    ]  # fmt: skip
    assert keys.files_of(account, []) == [Path("/etc/ssh/authorized_keys.d/solve")]


def test_lines_are_read_with_their_numbers(key_file: Path) -> None:
    key_file.write_bytes(b"# one\n\nrestrict " + made_keys.line().encode() + b"\r\nnons\xffense\n\n")
    found = list(keys.read_lines(key_file))
    assert [number for number, _ in found] == [3, 4]
    assert isinstance(found[0][1], KeyLine)
    assert isinstance(found[1][1], Check)
    assert found[1][1].ok is None


# --- The program --------------------------------------------------------------------------------------------------


def test_the_program_is_run(tmp_path: Path) -> None:
    account = made_keys.account(tmp_path)
    assert keys.check_program(Service((sys.executable, "-I", "-m", "solvehost"), (), {}), account).ok
    script = tmp_path / "solvehost"
    script.write_text("#!/bin/sh\necho other\n")
    script.chmod(0o755)
    found = keys.check_program(Service((str(script),), (), {}), account)
    assert (found.ok, found.exit_code) == (False, 69)
