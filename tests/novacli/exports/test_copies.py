from __future__ import annotations

from pathlib import Path

import pytest

from novacli.errors import OutputError
from novacli.exports.copies import write_copies


@pytest.fixture
def job(tmp_path: Path) -> Path:
    directory = tmp_path / "job"
    directory.mkdir()
    for name in ("wcs.fits", "corr.fits", "rdls.fits", "job.axy", "job-2.axy"):
        (directory / name).write_text(name)
    return directory


def test_each_file_goes_where_it_was_asked_for(job: Path, tmp_path: Path) -> None:
    """Only what was asked for is written, and returned."""
    assert write_copies(job, wcs=tmp_path / "w", axy=tmp_path / "x", attempt=2) == (tmp_path / "w", tmp_path / "x")
    assert (tmp_path / "w").read_text() == "wcs.fits"
    assert (tmp_path / "x").read_text() == "job-2.axy"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["job", "w", "x"]


def test_a_file_that_the_job_does_not_have(job: Path, tmp_path: Path) -> None:
    """The error names both the target and what is missing; nothing is written."""
    (job / "corr.fits").unlink()
    with pytest.raises(OutputError, match=r"/c: not written, for .*corr\.fits cannot be read"):
        write_copies(job, corr=tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_missing_directory(job: Path, tmp_path: Path) -> None:
    """An output into nowhere is an OutputError."""
    with pytest.raises(OutputError, match="make its directory first"):
        write_copies(job, rdls=tmp_path / "none" / "r")
