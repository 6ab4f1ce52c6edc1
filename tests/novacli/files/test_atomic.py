from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

import pytest

from novacli.errors import OutputError, TransferError, UsageError
from novacli.files import atomic
from novacli.files.atomic import NotWritableError, denial, replacing


def write(target: Path, content: bytes = b"new") -> None:
    with replacing(target) as stream:
        stream.write(content)


def names(directory: Path) -> list[str]:
    return sorted(p.name for p in directory.iterdir())


def test_a_new_file_gets_the_mode_of_the_umask(tmp_path: Path) -> None:
    """The umask applies, as to the output of any program."""
    before = os.umask(0o027)
    try:
        write(tmp_path / "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert names(tmp_path) == ["a"]


def test_an_existing_file_keeps_its_mode(tmp_path: Path) -> None:
    """A private file stays private, and a shared one stays shared."""
    target = tmp_path / "a"
    target.write_bytes(b"old")
    target.chmod(0o604)
    write(target)
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


def test_a_link_is_followed(tmp_path: Path) -> None:
    """The file behind the link is replaced in its own directory; the link stays a link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real/a")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "a").read_bytes() == b"new"
    assert names(tmp_path / "real") == ["a"]


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """The target is unchanged, no temporary file is left, and the message says what to do."""
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
    """The target is unchanged after Ctrl-C, too."""
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(target) as stream:
        stream.write(b"half")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    """Directories, devices, missing directories and loops of links are refused, with the remedy."""
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OutputError, match=r"it is a directory: give a file name"):
        write(tmp_path)
    with pytest.raises(OutputError, match=r"/dev/null: it is not a plain file"):
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
    """The temporary name is not longer than the target's."""
    write(tmp_path / ("x" * 255))
    assert names(tmp_path) == ["x" * 255]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_file_is_left_alone(tmp_path: Path) -> None:
    """A read-only file is not replaced, even if its directory allows the rename."""
    target = tmp_path / "a"
    target.write_bytes(b"old")
    target.chmod(0o444)
    with pytest.raises(OutputError, match="it is read-only"):
        write(target)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_denial_is_not_safe_to_retry(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same call fails again until permissions change, unlike with a full disk."""

    def refuse(*_args: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(NotWritableError, match="choose a place that you may write to") as caught:
        write(tmp_path / "a")
    assert (caught.value.retry_is_safe, caught.value.exit_code) == (False, OutputError.exit_code)
    assert str(caught.value).startswith(caught.value.what)


class TestDenial:
    """Permissions that forbid a write are found before it is tried."""

    @pytest.fixture
    def forbid(self, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
        """Paths that may not be written to, by a stand-in for os.access, since the tests may run as root."""
        forbidden: list[Path] = []
        real = os.access

        def access(path: os.PathLike[str] | str, mode: int) -> bool:
            return Path(path) not in forbidden and real(path, mode)

        monkeypatch.setattr(os, "access", access)
        return forbidden

    def test_file_and_folder_count(self, tmp_path: Path, forbid: list[Path]) -> None:
        (tmp_path / "a").touch()
        assert denial(tmp_path / "a") is None
        forbid.append(tmp_path / "a")
        assert "it is read-only" in str(denial(tmp_path / "a"))
        assert denial(tmp_path / "b") is None
        forbid[:] = [tmp_path]
        assert f"b: {tmp_path} may not be written to; " in str(denial(tmp_path / "b"))
        assert denial(tmp_path / "a") is not None

    def test_a_folder_that_is_not_there_is_made_in_the_one_that_is(self, tmp_path: Path, forbid: list[Path]) -> None:
        assert denial(tmp_path / "x" / "y" / "a") is None
        forbid.append(tmp_path)
        assert f"{tmp_path} may not be written to" in str(denial(tmp_path / "x" / "y" / "a"))

    def test_behind_a_link_it_is_the_real_folder(self, tmp_path: Path, forbid: list[Path]) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "real" / "a").touch()
        (tmp_path / "link").symlink_to("real/a")
        forbid.append(tmp_path / "real")
        assert denial(tmp_path / "link") is not None

    def test_other_problems_are_not_looked_for(self, tmp_path: Path) -> None:
        assert denial(tmp_path) is None
        assert denial(Path("/dev/null")) is None

    @pytest.mark.parametrize(("uid", "is_free"), [(0, True), (1, True), (2, True), (3, False)])
    def test_with_the_sticky_bit_the_owners_alone_replace(
        self, uid: int, is_free: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Owned:
            st_mode, st_uid = stat.S_ISVTX | 0o777, 1

            def stat(self) -> Owned:
                return self

        existing = os.stat_result((0o644, 0, 0, 1, 2, 0, 0, 0, 0, 0))
        monkeypatch.setattr(os, "geteuid", lambda: uid)
        assert atomic._is_protected(Owned(), existing) is not is_free  # type: ignore[arg-type]
        assert not atomic._is_protected(Owned(), None)  # type: ignore[arg-type]


def test_an_error_of_the_source_is_not_blamed_on_the_target(tmp_path: Path) -> None:
    """An OSError of what the block reads passes through as it is; the target keeps its content."""
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with pytest.raises(OSError, match="of the source") as caught, replacing(target):
        raise OSError(errno.EIO, "of the source")
    assert type(caught.value) is OSError
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_source_that_cannot_be_read_is_named() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(TransferError, match=r"^img\.fits cannot be read: Input/output error; check the disk$"):
        atomic.reading(Broken(), "img.fits").read(1)
