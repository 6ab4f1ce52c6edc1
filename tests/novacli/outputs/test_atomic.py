from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from novacli.errors import OutputError, UsageError
from novacli.outputs.atomic import replacing


def write(target: Path, content: bytes = b"new") -> None:
    with replacing(target) as stream:
        stream.write(content)


def names(directory: Path) -> list[str]:
    return sorted(p.name for p in directory.iterdir())


def test_a_new_file_gets_the_mode_of_the_umask(tmp_path: Path) -> None:
    """As any program's output would."""
    before = os.umask(0o027)
    try:
        write(tmp_path / "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert names(tmp_path) == ["a"]


def test_an_existing_file_keeps_its_mode(tmp_path: Path) -> None:
    """A private file stays private, a shared one shared."""
    target = tmp_path / "a"
    target.write_bytes(b"old")
    target.chmod(0o604)
    write(target)
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


def test_a_link_is_followed(tmp_path: Path) -> None:
    """The file behind the link is replaced, in its own directory; the link stays one."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real/a")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "a").read_bytes() == b"new"
    assert names(tmp_path / "real") == ["a"]


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Whatever fails, the target is as it was, nothing lies beside it, and one line says what to do."""
    target = tmp_path / "a"
    target.write_bytes(b"old")

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OutputError, match=r"a: No space left on device: .*free some space"):
            write(target)
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_an_interrupt_leaves_the_old_file(tmp_path: Path) -> None:
    """Ctrl-C in the middle is no exception to that."""
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(target) as stream:
        stream.write(b"half")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    """Directories, devices, missing directories and circles of links are refused by name, with the remedy."""
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OutputError, match=r"it is a directory: give a file name"):
        write(tmp_path)
    with pytest.raises(OutputError, match=r"/dev/null: it is no plain file"):
        write(Path("/dev/null"))
    with pytest.raises(OutputError, match=r"none/a: No such file or directory: .*make its directory first"):
        write(tmp_path / "none" / "a")
    with pytest.raises(OutputError, match=r"circle: "):
        write(tmp_path / "circle")
    with pytest.raises(OutputError, match=r"choose a shorter name"):
        write(tmp_path / ("x" * 300))
    with pytest.raises(UsageError, match="give a file name instead of -"):
        write(Path("-"))
    assert names(tmp_path) == ["circle"]


def test_a_name_of_the_greatest_length(tmp_path: Path) -> None:
    """What is written beside does not need a longer name than the target."""
    write(tmp_path / ("x" * 255))
    assert names(tmp_path) == ["x" * 255]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_file_is_left_alone(tmp_path: Path) -> None:
    """A directory that allows the rename does not make a read-only file writable."""
    target = tmp_path / "a"
    target.write_bytes(b"old")
    target.chmod(0o444)
    with pytest.raises(OutputError, match="it is read-only"):
        write(target)
