"""Files with odd names, odd files, and the errors for those that cannot be read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from novacli.errors import DataError, DeniedError, InputMissingError, OutputError, TransferError
from novacli.inputs import FileInput, Limits, open_field, source, unpack
from novacli.records.field import Image
from novacli.text.printable import shown_name

Writer = Callable[..., Path]


@pytest.mark.parametrize(
    "name",
    [
        "a[1].fits",
        "!x.fits",
        "-.fits",
        "-v.fits",
        "two words.fits",
        "x.fits[1:10,1:10]",
        "m31.jpg",
        "no suffix",
        "é.fits",
        "~",
    ],
)
def test_a_file_of_any_name_is_read(write_fits: Writer, ramp: NDArray[np.uint16], name: str) -> None:
    """Neither brackets nor exclamation marks, dashes, spaces or a wrong suffix change what is read."""
    field = open_field(FileInput(str(write_fits(ramp, name))))
    assert isinstance(field, Image)
    np.testing.assert_array_equal(field.pixels, ramp)


def test_a_name_that_is_not_utf8_is_read_and_shown_escaped(write_fits: Writer, ramp: NDArray[np.uint16]) -> None:
    """A name may hold any bytes that the file system allows."""
    path = os.fsdecode(os.fsencode(write_fits(ramp).parent) + b"/\xff\n.fits")
    os.rename(write_fits(ramp), path)
    assert open_field(FileInput(path)).origin.name == path
    Path(path).write_bytes(b"SIMPLE")
    with pytest.raises(DataError, match=r"/\\xff\\x0a\.fits is truncated"):
        open_field(FileInput(path))


def test_a_name_may_begin_with_a_dash(
    write_fits: Writer, ramp: NDArray[np.uint16], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only ``-`` by itself is standard input."""
    monkeypatch.chdir(write_fits(ramp, "-x.fits").parent)
    assert open_field(FileInput("-x.fits")).width == 60


def test_the_origin_has_the_name_as_it_was_typed(write_fits: Writer, ramp: NDArray[np.uint16]) -> None:
    """The origin also has the path, the format and the HDU."""
    path = str(write_fits(ramp))
    field = open_field(FileInput(path))
    assert (field.origin.name, field.origin.path, field.origin.format, field.origin.hdu) == (path, path, "FITS", 0)
    assert (field.width, field.height) == (60, 40)


@pytest.mark.parametrize("name", ["gone.fits", "gone/x.fits", "", "x" * 300, "ftp://host/x.fits", "nul\0.fits"])
def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """All such paths raise the same class."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputMissingError, match=r"is not there|is not a file"):
        open_field(FileInput(name))


def test_a_path_below_a_file_does_not_exist(write_fits: Writer, ramp: NDArray[np.uint16]) -> None:
    """As ``a.fits/b.fits``."""
    with pytest.raises(InputMissingError, match=r"b\.fits is not there"):
        open_field(FileInput(str(write_fits(ramp)) + "/b.fits"))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="is a folder: name the images"):
        open_field(FileInput(str(tmp_path)))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.fits").touch()
    with pytest.raises(DataError, match=r"empty\.fits is empty"):
        open_field(FileInput(str(tmp_path / "empty.fits")))


def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    """Opening it otherwise would block."""
    os.mkfifo(tmp_path / "pipe.fits")
    with pytest.raises(DataError, match=r"pipe\.fits is a pipe or a device"):
        open_field(FileInput(str(tmp_path / "pipe.fits")))


def test_a_device_is_refused() -> None:
    """Reading it would not end."""
    with pytest.raises(DataError, match="/dev/zero is a pipe or a device"):
        open_field(FileInput("/dev/zero"))


def test_an_unreadable_file_is_denied(
    write_fits: Writer, ramp: NDArray[np.uint16], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read every file, so that the refusal is simulated."""

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    path = str(write_fits(ramp))
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DeniedError, match=r"field\.fits may not be read"):
        open_field(FileInput(path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permissions_is_denied(write_fits: Writer, ramp: NDArray[np.uint16]) -> None:
    """The same with the refusal of the system."""
    path = write_fits(ramp)
    path.chmod(0)
    with pytest.raises(DeniedError, match="may not be read"):
        open_field(FileInput(str(path)))


def test_a_failing_disk_is_worth_a_retry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EIO means neither that the file is missing nor that it may not be read."""

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(TransferError, match=r"x\.fits cannot be opened: Input/output error"):
        open_field(FileInput(str(tmp_path / "x.fits")))


def test_a_file_above_the_limit_names_the_limit(write_fits: Writer, ramp: NDArray[np.uint16]) -> None:
    """It is raised before anything is read."""
    with pytest.raises(DataError, match=r"larger than the limit of 1 kB .*max_bytes"):
        open_field(FileInput(str(write_fits(ramp))), limits=Limits(max_bytes=1000))


def test_no_descriptor_stays_open(write_fits: Writer, ramp: NDArray[np.uint16], tmp_path: Path) -> None:
    """Neither after success nor after an error, since long batches would run out of descriptors."""
    path = str(write_fits(ramp))
    (tmp_path / "bad.fits").write_bytes(Path(path).read_bytes()[:3000])
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else len(os.listdir("/dev/fd"))
    for _ in range(3):
        open_field(FileInput(path))
        with pytest.raises(DataError, match="truncated"):
            open_field(FileInput(str(tmp_path / "bad.fits")))
    after = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else len(os.listdir("/dev/fd"))
    assert after == before


def test_a_temporary_copy_is_read_and_removed_if_there_is_no_dev_fd(
    write_fits: Writer, ramp: NDArray[np.uint16], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some systems have no /dev/fd."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setattr(source, "_DESCRIPTORS", tmp_path / "absent")
    np.testing.assert_array_equal(open_field(FileInput(str(write_fits(ramp, "a[1].fits")))).pixels, ramp)  # type: ignore[union-attr]
    assert list(temporary.iterdir()) == []


def test_a_full_disk_names_tmpdir(
    write_fits: Writer, ramp: NDArray[np.uint16], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A temporary copy that does not fit is an OutputError with a remedy."""
    import bz2

    path = write_fits(ramp)
    packed = path.with_suffix(".fits.bz2")
    packed.write_bytes(bz2.compress(path.read_bytes()))

    class FullDisk:
        def __enter__(self) -> FullDisk:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def write(self, _: bytes) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(unpack, "temporary_file", FullDisk)
    with pytest.raises(OutputError, match="No space left on device; set TMPDIR"):
        open_field(FileInput(str(packed)))


def test_names_in_messages_stay_on_one_line_and_move_no_cursor() -> None:
    """A file name may hold escape sequences, which must not reach the terminal."""
    assert shown_name("a\nb\x1b[2Jc\udcff.fits") == r"a\x0ab\x1b[2Jc\xff.fits"
    assert shown_name("") == "''"
    assert shown_name("été 1.fits") == "été 1.fits"


def test_the_package_is_light_to_import() -> None:
    """Start-up does not import the packages of the readers."""
    code = (
        "import sys, novacli.inputs\n"
        "heavy = {'numpy', 'fitsio', 'PIL', 'tifffile', 'imagecodecs', 'requests', 'astropy', 'xisf', 'rawpy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
