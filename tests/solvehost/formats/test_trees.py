"""Directory trees of any depth are removed and measured, without recursion, long paths or many open files."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from solvehost.formats import trees

_OPEN = os.O_RDONLY | os.O_DIRECTORY


def nest(folder: Path, depth: int) -> None:
    """Make directories inside of each other; the path of the innermost one may be too long for any call."""
    folder.mkdir()
    current = os.open(folder, _OPEN)
    for _ in range(depth):
        os.mkdir("d", dir_fd=current)
        inner = os.open("d", _OPEN, dir_fd=current)
        os.close(current)
        current = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=current))
    os.close(current)


@pytest.mark.parametrize("depth", [1, 1500, 10_000])
def test_a_deep_tree_is_measured_and_removed(tmp_path: Path, depth: int) -> None:
    """1,500 levels are too deep for recursion, and 10,000 make a path that no call accepts."""
    nest(tmp_path / "deep", depth)
    assert trees.tree_bytes(tmp_path / "deep") >= (depth + 1) * 4096
    assert trees.tree_bytes(tmp_path / "deep", limit_bytes=3 * 4096) <= 2**20
    assert trees.remove_tree(tmp_path / "deep")
    assert list(tmp_path.iterdir()) == []


def test_a_wide_tree_needs_few_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for outer in range(12):
        for inner in range(12):
            (tmp_path / "wide" / str(outer) / str(inner)).mkdir(parents=True)
            (tmp_path / "wide" / str(outer) / str(inner) / "file").write_bytes(b"x")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = len(os.listdir("/dev/fd")) + 8
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    try:
        size = trees.tree_bytes(tmp_path / "wide")
        assert trees.remove_tree(tmp_path / "wide")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert size >= (12 + 2 * 144) * 4096


def test_an_empty_file_counts_and_a_sparse_one_counts_in_full(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert trees.tree_bytes(tmp_path) == 4096
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(10**6)
    assert trees.tree_bytes(tmp_path) == 4096 + 10**6


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "canary").write_text("precious")
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "link").symlink_to(tmp_path / "others")
    (tmp_path / "link").symlink_to(tmp_path / "others")
    assert trees.tree_bytes(tmp_path / "tree") <= 3 * 4096
    assert trees.remove_tree(tmp_path / "tree")
    assert not trees.remove_tree(tmp_path / "link")
    assert (tmp_path / "others" / "canary").read_text() == "precious"


def test_a_tree_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    assert trees.tree_bytes(tmp_path / "none") == 0
    assert trees.remove_tree(tmp_path / "none")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can enter every directory")
def test_directories_without_permissions_are_removed(tmp_path: Path) -> None:
    """An engine can take them away; the attack tests run it as another user."""
    top = tmp_path / "top"
    (top / "a" / "b" / "c").mkdir(parents=True)
    for path in (top / "a" / "b" / "c", top / "a" / "b", top / "a", top):
        path.chmod(0)
    assert trees.remove_tree(top)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root can remove everything")
def test_what_cannot_be_removed_is_left_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "top" / "inner").mkdir(parents=True)
    tmp_path.chmod(0o500)
    assert not trees.remove_tree(tmp_path / "top")
    tmp_path.chmod(0o700)
