"""``novacli.solve``: from any thread, with nothing left on disk, and an array's row 0 at y = 1."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from made_sky import DrawnField, scattered, star_picture

import novacli
from novacli import Scale, ScaleUnit, Solution, SolveParams, Unsolved, solve
from novacli.errors import DataError, InputMissingError, UnavailableError, UsageError
from solvehost.formats import jobdir

pytestmark = pytest.mark.usefixtures("slots_dir")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which temporary files are made."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.engine
def test_an_array_is_solved_and_nothing_of_it_stays_on_disk(
    drawn: DrawnField, temporary: Path, clean_environment: Path
) -> None:
    """Row 0 is y = 1: what is the bottom row in FITS."""
    found = solve(drawn.pixels)
    assert isinstance(found, Solution)
    drawn.assert_found(dataclasses.asdict(found.calibration), parity=-1)
    assert found.calibration.up_deg_e_of_n == pytest.approx(25, abs=0.5)
    assert list(temporary.iterdir()) == []
    left = [p.name for p in clean_environment.rglob("*") if p.is_file()]
    assert left == ["indexes.json"], "what index files hold is remembered"


@pytest.mark.engine
def test_a_solution_holds_all_that_it_tells_after_its_files_have_gone(drawn: DrawnField, temporary: Path) -> None:
    found = solve(drawn.pixels)
    assert isinstance(found, Solution)
    x, y = found.wcs.all_world2pix(drawn.ra_deg, drawn.dec_deg, 1)
    assert (float(x), float(y)) == (pytest.approx(400.5, abs=1.5), pytest.approx(300.5, abs=1.5))
    assert {"X", "Y", "FLUX"} <= set(found.sources.dtype.names)
    brightest = found.sources[0]
    around = drawn.pixels[
        int(brightest["Y"]) - 3 : int(brightest["Y"]) + 2, int(brightest["X"]) - 3 : int(brightest["X"]) + 2
    ]
    assert around.max() > np.percentile(drawn.pixels, 99.9), "sources are FITS pixels: 1 more than array elements"
    assert len(found.stars) > 0


@pytest.mark.engine
@pytest.mark.filterwarnings("ignore:The WCS transformation has more axes")
def test_the_wcs_file_is_the_header_of_the_solution(drawn: DrawnField, tmp_path: Path) -> None:
    """astropy reads the bytes back to the same sky on a grid."""
    from astropy.io import fits
    from astropy.wcs import WCS

    found = solve(drawn.pixels, jobs_dir=tmp_path / "jobs")
    assert isinstance(found, Solution)
    (job,) = jobdir.list_jobs(tmp_path / "jobs")
    assert job.wcs.read_bytes() == found.files.wcs
    read_back = WCS(fits.getheader(job.wcs), relax=True)
    grid = np.array([(x, y) for x in (1, 400, 800) for y in (1, 300, 600)], dtype=float)
    apart_deg = np.abs(read_back.all_pix2world(grid, 1) - found.wcs.all_pix2world(grid, 1))
    assert apart_deg.max() * 3600 < 1e-3


@pytest.mark.engine
def test_any_thread_may_solve_and_no_signal_handler_is_changed(drawn: DrawnField, temporary: Path) -> None:
    """Two at a time, none of them the main one."""
    names = [n for n in ("SIGINT", "SIGTERM", "SIGCHLD", "SIGPIPE", "SIGALRM") if hasattr(signal, n)]
    before = [signal.getsignal(getattr(signal, n)) for n in names]
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(solve(drawn.pixels))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [type(f) for f in found] == [Solution, Solution]
    assert [signal.getsignal(getattr(signal, n)) for n in names] == before
    assert list(temporary.iterdir()) == []


@pytest.mark.engine
def test_a_path_is_read_for_hints_and_an_index_file_may_be_named(
    drawn: DrawnField, tmp_path: Path, real_indexes: object
) -> None:
    """Hints that are right and an index file that cannot serve: the two together are refused."""
    path = drawn.write_fits(tmp_path / "field.fits", PIXSCALE=drawn.pixscale_arcsec)
    finest = min(real_indexes.files, key=lambda f: f.middle_arcmin)  # type: ignore[attr-defined]
    coarsest = max(real_indexes.files, key=lambda f: f.middle_arcmin)  # type: ignore[attr-defined]
    scale = Scale(1.0, 1.2, ScaleUnit.ARCSEC_PER_PIXEL)
    assert finest.quads_arcmin.high < coarsest.quads_arcmin.low
    params = SolveParams(indexes=(str(coarsest.path),), scale=scale, fallback=False)
    with pytest.raises(UnavailableError, match=r"field\.fits: no installed index file fits a field 13′ to 16′ wide"):
        solve(path, params)


def test_a_place_that_cannot_be_is_refused_before_the_image_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'-oProxyCommand=x' is no ssh destination"):
        solve(tmp_path / "none.fits", to="-oProxyCommand=x")


def test_what_is_no_image_raises(stand_in: object, tmp_path: Path) -> None:
    stand_in("exit 0")  # type: ignore[operator]
    with pytest.raises(InputMissingError, match=r"none\.fits is not there"):
        solve(tmp_path / "none.fits")
    with pytest.raises(DataError, match="no image"):
        solve(np.zeros(5))
    with pytest.raises(DataError, match="every pixel is blank"):
        solve(np.full((50, 60), np.nan))


def test_a_missing_engine_raises_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnavailableError, match="astrometry-engine was not found"):
        solve(star_picture(scattered(20, (100, 150), apart=8), (100, 150)))
    assert list(temporary.iterdir()) == []


def test_an_engine_that_fails_raises(stand_in: object, temporary: Path) -> None:
    stand_in("exit 3")  # type: ignore[operator]
    with pytest.raises(novacli.NovaError, match="the engine failed on every attempt") as caught:
        solve(star_picture(scattered(40, (300, 400)), (300, 400), flux=9000))
    assert (caught.value.exit_code, caught.value.retry_is_safe) == (70, True)
    assert list(temporary.iterdir()) == []


def test_unsolved_is_a_result(stand_in: object, tmp_path: Path) -> None:
    """With a jobs directory the job is kept, for another try."""
    stand_in("exit 0")  # type: ignore[operator]
    found = solve(star_picture(scattered(40, (300, 400)), (300, 400), flux=9000), jobs_dir=tmp_path / "jobs")
    assert isinstance(found, Unsolved)
    assert found.reason == "exhausted"
    assert [j.state() for j in jobdir.list_jobs(tmp_path / "jobs")] == ["unsolved"]
    assert solve(np.zeros((80, 90))) == Unsolved("no-stars", 0, pytest.approx(0, abs=60))


def test_every_public_name_is_there() -> None:
    for name in novacli.__all__:
        assert getattr(novacli, name) is not None
    assert dir(novacli) == sorted(novacli.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = novacli.nothing


def test_importing_the_package_is_light() -> None:
    """Numpy and the rest come with the first solve."""
    script = "import sys, json, novacli; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert not set(json.loads(done.stdout)) & {"numpy", "sep", "fitsio", "astropy", "requests", "click", "rich", "PIL"}
