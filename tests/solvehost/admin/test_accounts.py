"""The user that solves, and looks with that user's eyes."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from admin import made_keys
from solvehost.admin import accounts
from solvehost.admin.records import Check
from solvehost.errors import ConfigError, CrashError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def test_an_account_is_found_by_name() -> None:
    me = pwd.getpwuid(os.geteuid())
    found = accounts.find(me.pw_name)
    assert (found.name, found.uid, found.home) == (me.pw_name, me.pw_uid, Path(me.pw_dir))
    assert me.pw_gid in found.groups


def test_an_account_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="no user 'nosuchuser'"):
        accounts.find("nosuchuser")


def test_looks_of_ones_own_are_made_here(tmp_path: Path) -> None:
    assert accounts.look_as(made_keys.account(tmp_path), lambda: [Check("a", True, str(os.getpid()))]) == [
        Check("a", True, str(os.getpid()))
    ]


@needs_root
def test_root_looks_as_another(tmp_path: Path) -> None:
    """In a process of its own, for good, with that user's groups alone."""
    nobody = made_keys.account(tmp_path, uid=65534, gid=65534, groups=(65534,))
    found = accounts.look_as(
        nobody, lambda: [Check("ids", None, f"{os.getresuid()} {os.getresgid()} {os.getgroups()}")]
    )
    assert found == [Check("ids", None, f"{(65534,) * 3} {(65534,) * 3} [65534]")]
    assert os.geteuid() == 0


@needs_root
def test_a_look_that_breaks_off_is_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    nobody = made_keys.account(tmp_path, uid=65534, gid=65534)
    with pytest.raises(CrashError, match="looked at as me"):
        accounts.look_as(nobody, lambda: [Check("a", True, str(1 / 0))])
    assert "ZeroDivisionError" in capfd.readouterr().err


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A file that is root's, in a directory that is; where the tests are not root's, no one can tell."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files to others")
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True, mode=0o755)
    (folder / "file").write_text("x")
    (folder / "file").chmod(0o644)
    return folder / "file"


STRANGER = {"uid": 54321, "gid": 54321, "groups": (54321, 54322)}


def test_what_is_anothers_cannot_be_changed(tree: Path, tmp_path: Path) -> None:
    assert accounts.changeable(tree, made_keys.account(tmp_path, **STRANGER)) is None


@pytest.mark.parametrize("part", ["file", "folder"])
@pytest.mark.parametrize("how", ["owner", "others", "group"])
def test_what_can_be_changed_is_named(part: str, how: str, tree: Path, tmp_path: Path) -> None:
    place = tree if part == "file" else tree.parent
    if how == "owner":
        os.chown(place, 54321, 0)
    elif how == "group":
        os.chown(place, 0, 54322)
        place.chmod(0o775)
    else:
        place.chmod(0o777)
    assert accounts.changeable(tree, made_keys.account(tmp_path, **STRANGER)) == place


def test_a_sticky_directory_protects_what_is_in_it(tree: Path, tmp_path: Path) -> None:
    stranger = made_keys.account(tmp_path, **STRANGER)
    tree.parent.parent.chmod(0o1777)
    assert accounts.changeable(tree, stranger) is None
    os.chown(tree.parent, 54321, 0)
    assert accounts.changeable(tree, stranger) == tree.parent


def test_a_link_is_followed(tree: Path, tmp_path: Path) -> None:
    """What counts is where it leads, and who may replace it."""
    stranger = made_keys.account(tmp_path, **STRANGER)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "link").symlink_to(tree)
    assert accounts.changeable(theirs / "link", stranger) is None
    os.chown(theirs, 54321, 0)
    assert accounts.changeable(theirs / "link", stranger) == theirs
    (tree.parent / "out").symlink_to(theirs)
    assert accounts.changeable(tree.parent / "out", stranger) == theirs


def test_root_may_change_everything_and_is_not_asked(tree: Path, tmp_path: Path) -> None:
    assert accounts.changeable(tree, made_keys.account(tmp_path, uid=0)) is None
