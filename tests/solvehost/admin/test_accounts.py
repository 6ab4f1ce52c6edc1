"""The server's user, checks with that user's permissions, and files that the user can change."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from admin import made_keys
from solvehost.admin import accounts
from solvehost.admin.records import Finding
from solvehost.errors import ConfigError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def test_an_account_is_found_by_name() -> None:
    me = pwd.getpwuid(os.geteuid())
    found = accounts.find(me.pw_name)
    assert (found.name, found.uid, found.home) == (me.pw_name, me.pw_uid, Path(me.pw_dir))
    assert me.pw_gid in found.groups


def test_a_missing_account_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no user 'nosuchuser'"):
        accounts.find("nosuchuser")


def test_checks_as_the_same_user_run_in_this_process(tmp_path: Path) -> None:
    assert accounts.check_as(made_keys.account(tmp_path), lambda: [Finding("a", True, str(os.getpid()))]) == [
        Finding("a", True, str(os.getpid()))
    ]


@needs_root
def test_root_checks_as_another_user(tmp_path: Path) -> None:
    """In a child process, which gives up root permanently and has only that user's groups."""
    nobody = made_keys.account(tmp_path, uid=65534, gid=65534, groups=(65534,))
    found = accounts.check_as(
        nobody, lambda: [Finding("ids", None, f"{os.getresuid()} {os.getresgid()} {os.getgroups()}")]
    )
    assert found == [Finding("ids", None, f"{(65534,) * 3} {(65534,) * 3} [65534]")]
    assert os.geteuid() == 0


@needs_root
def test_a_check_that_ends_the_child_is_a_failed_finding(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    nobody = made_keys.account(tmp_path, uid=65534, gid=65534)
    (found,) = accounts.check_as(nobody, lambda: [Finding("a", True, str(1 / 0))])
    assert (found.ok, found.exit_code) == (False, 70)
    assert "checks as user me ended without a result" in found.detail
    assert "ZeroDivisionError" in capfd.readouterr().err


@needs_root
def test_a_check_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For example, by a disk that does not answer."""
    monkeypatch.setattr(accounts, "_CHECK_S", 1)
    nobody = made_keys.account(tmp_path, uid=65534, gid=65534)
    read_end, write_end = os.pipe()
    (found,) = accounts.check_as(nobody, lambda: [Finding("a", True, str(os.read(read_end, 1)))])
    for end in (read_end, write_end):
        os.close(end)
    assert found.ok is False


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A file of root's in a directory of root's."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files to others")
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True, mode=0o755)
    (folder / "file").write_text("x")
    (folder / "file").chmod(0o644)
    return folder / "file"


STRANGER = {"uid": 54321, "gid": 54321, "groups": (54321, 54322)}


def test_files_of_another_user_cannot_be_changed(tree: Path, tmp_path: Path) -> None:
    assert accounts.find_writable(tree, made_keys.account(tmp_path, **STRANGER)) is None


@pytest.mark.parametrize("part", ["file", "folder"])
@pytest.mark.parametrize("how", ["owner", "others", "group"])
def test_a_file_or_directory_that_the_user_can_change_is_found(part: str, how: str, tree: Path, tmp_path: Path) -> None:
    place = tree if part == "file" else tree.parent
    if how == "owner":
        os.chown(place, 54321, 0)
    elif how == "group":
        os.chown(place, 0, 54322)
        place.chmod(0o775)
    else:
        place.chmod(0o777)
    assert accounts.find_writable(tree, made_keys.account(tmp_path, **STRANGER)) == place


def test_a_sticky_directory_protects_its_entries(tree: Path, tmp_path: Path) -> None:
    stranger = made_keys.account(tmp_path, **STRANGER)
    tree.parent.parent.chmod(0o1777)
    assert accounts.find_writable(tree, stranger) is None
    os.chown(tree.parent, 54321, 0)
    assert accounts.find_writable(tree, stranger) == tree.parent


def test_a_link_and_its_target_are_examined(tree: Path, tmp_path: Path) -> None:
    """A user who can replace the link, or change its target, can change the file."""
    stranger = made_keys.account(tmp_path, **STRANGER)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "link").symlink_to(tree)
    assert accounts.find_writable(theirs / "link", stranger) is None
    os.chown(theirs, 54321, 0)
    assert accounts.find_writable(theirs / "link", stranger) == theirs
    (tree.parent / "out").symlink_to(theirs)
    assert accounts.find_writable(tree.parent / "out", stranger) == theirs


def test_nothing_is_found_for_root(tree: Path, tmp_path: Path) -> None:
    assert accounts.find_writable(tree, made_keys.account(tmp_path, uid=0)) is None
