from __future__ import annotations

import errno
import io
from pathlib import Path

import made_results as made
import pytest

from novacli.errors import NovaError, OutputError, TransferError
from novacli.exports import axy, corr, rdls, wcs
from novacli.exports.copies import copy_result
from novacli.exports.registry import SolvedField
from novacli.records.field import Origin
from novacli.solution.reading import read_solution
from solvehost.formats.jobdir import JobDir


@pytest.fixture
def solved(tmp_path: Path) -> SolvedField:
    """A field that was solved by the second attempt of its job."""
    directory = tmp_path / "job"
    directory.mkdir()
    (directory / "wcs.fits").write_bytes(made.wcs_fits())
    for name in ("job.axy", "job-2.axy"):
        (directory / name).write_text(name)
    solution = read_solution(directory, is_fits_like=True, attempt=2)
    for name in ("corr.fits", "rdls.fits"):
        (directory / name).write_text(name)
    return SolvedField(Origin("a.fits", "a.fits", "FITS", 0), JobDir(directory), 2, solution)


def test_each_export_copies_its_file(solved: SolvedField, tmp_path: Path) -> None:
    """The star list is that of the attempt that solved the field."""
    names = {"wcs.fits": wcs, "corr.fits": corr, "rdls.fits": rdls, "job-2.axy": axy}
    for name, module in names.items():
        module.EXPORT.write(solved, tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == (solved.job.path / name).read_bytes()


def test_a_file_that_the_job_does_not_have(solved: SolvedField, tmp_path: Path) -> None:
    """The error names the target and the missing file; nothing is written."""
    (solved.job.path / "corr.fits").unlink()
    with pytest.raises(OutputError, match=r"/c was not written: the job's .*corr\.fits cannot be read"):
        corr.EXPORT.write(solved, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_missing_directory(solved: SolvedField, tmp_path: Path) -> None:
    """A target in a directory that does not exist is an OutputError."""
    with pytest.raises(OutputError, match="make its directory first"):
        rdls.EXPORT.write(solved, tmp_path / "none" / "r")


def test_a_source_that_cannot_be_read_is_not_blamed_on_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the job's file, and its remedy is not to choose another place for the copy."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "open", lambda _path, _mode: Broken())
    with pytest.raises(NovaError) as caught:
        copy_result(tmp_path / "corr.fits", tmp_path / "copy")
    assert type(caught.value) is TransferError
    assert str(caught.value) == f"{tmp_path}/corr.fits cannot be read: Input/output error; check the disk"
    assert list(tmp_path.iterdir()) == []
