from __future__ import annotations

from pathlib import Path

import made_results as made
import pytest

from novacli.solution.frame import state_frame
from solvehost.formats import fitsfile, jobdir


@pytest.fixture
def job(tmp_path: Path) -> jobdir.JobDir:
    return jobdir.JobDir(tmp_path)


def test_the_engine_s_file_states_its_frame(job: jobdir.JobDir) -> None:
    """EQUINOX alone would be read as FK5; everything else that the engine wrote stays."""
    job.wcs.write_bytes(made.wcs_fits())
    before = fitsfile.read_primary_header(job.wcs)
    state_frame(job)
    after = fitsfile.read_primary_header(job.wcs)
    assert dict(after) == {**{k: v for k, v in before.items() if k != "EQUINOX"}, "RADESYS": "ICRS"}
    assert after.comments == before.comments
    assert [path.name for path in job.path.iterdir()] == ["wcs.fits"]


@pytest.mark.parametrize("content", [b"", b"no FITS file", made.wcs_fits()[:1000], made.wcs_fits(CTYPE1=None)])
def test_a_damaged_file_stays_as_it_is(job: jobdir.JobDir, content: bytes) -> None:
    """The reader of the solution says what is wrong with it."""
    job.wcs.write_bytes(content)
    state_frame(job)
    assert job.wcs.read_bytes() == content


def test_a_job_without_a_solution(job: jobdir.JobDir) -> None:
    state_frame(job)
    assert list(job.path.iterdir()) == []
