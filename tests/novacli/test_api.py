"""``novacli.solve`` and ``Solver``: what they accept, what they return, and what stays on disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from made_sky import DrawnField, scattered, star_picture

import novacli
from novacli import (
    DataError,
    InputMissingError,
    NotSolvedError,
    ParameterError,
    Position,
    Scale,
    ScaleUnit,
    SolveParams,
    Solver,
    SolveResult,
    UnavailableError,
    UrlInput,
    UsageError,
    api,
    solve,
)
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
    assert (found.solved, found.status, found.reason, found.directory) == (True, "solved", None, None)
    drawn.assert_found(found.to_json()["calibration"], parity=-1)
    assert found.calibration.up_deg_e_of_n == pytest.approx(25, abs=0.5)
    assert list(temporary.iterdir()) == []
    left = [p.name for p in clean_environment.rglob("*") if p.is_file()]
    assert left == ["indexes.json"], "what index files hold is remembered; an array is of no known camera"


@pytest.mark.engine
def test_a_solution_holds_all_that_it_tells_after_its_files_have_gone(drawn: DrawnField, temporary: Path) -> None:
    found = solve(drawn.pixels)
    assert found.solved
    x, y = found.wcs.all_world2pix(drawn.ra_deg, drawn.dec_deg, 1)
    assert (float(x), float(y)) == (pytest.approx(400.5, abs=1.5), pytest.approx(300.5, abs=1.5))
    assert {"x", "y", "flux"} <= set(found.sources.colnames)
    column, row = int(found.sources["x"][0].value), int(found.sources["y"][0].value)
    around = drawn.pixels[row - 3 : row + 2, column - 3 : column + 2]
    assert around.max() > np.percentile(drawn.pixels, 99.9), "sources are FITS pixels: 1 more than array elements"
    stars = found.stars
    assert len(stars) > 0
    units = {name: str(stars[name].unit) for name in ("ra", "dec", "x", "y", "separation")}
    assert units == {"ra": "deg", "dec": "deg", "x": "pix", "y": "pix", "separation": "arcsec"}
    there = found.wcs.world_to_pixel_values(stars["ra"][0].value, stars["dec"][0].value)
    assert float(there[0]) + 1 == pytest.approx(stars["x"][0].value, abs=0.02), "FITS pixels"


@pytest.mark.engine
@pytest.mark.filterwarnings("ignore:The WCS transformation has more axes")
def test_the_wcs_file_is_the_header_of_the_solution(drawn: DrawnField, tmp_path: Path) -> None:
    """astropy reads the bytes back to the same sky on a grid."""
    from astropy.io import fits
    from astropy.wcs import WCS

    found = solve(drawn.pixels, jobs_dir=tmp_path / "jobs")
    assert found.solved
    (job,) = jobdir.list_jobs(tmp_path / "jobs")
    assert job.wcs.read_bytes() == found.solution.files.wcs
    read_back = WCS(fits.getheader(job.wcs), relax=True)
    grid = np.array([(x, y) for x in (1, 400, 800) for y in (1, 300, 600)], dtype=float)
    apart_deg = np.abs(read_back.all_pix2world(grid, 1) - found.wcs.all_pix2world(grid, 1))
    assert apart_deg.max() * 3600 < 1e-3


@pytest.mark.engine
def test_any_thread_may_solve_and_no_signal_handler_is_changed(drawn: DrawnField, temporary: Path) -> None:
    """Two at a time, none of them the main one."""
    names = [n for n in ("SIGINT", "SIGTERM", "SIGCHLD", "SIGPIPE", "SIGALRM") if hasattr(signal, n)]
    before = [signal.getsignal(getattr(signal, n)) for n in names]
    found: list[SolveResult] = []
    threads = [threading.Thread(target=lambda: found.append(solve(drawn.pixels))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [f.solved for f in found] == [True, True]
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
    with pytest.raises(UsageError, match="'-oProxyCommand=x' is not an ssh destination"):
        solve(tmp_path / "none.fits", to="-oProxyCommand=x")


def test_what_is_no_image_raises(stand_in: object, tmp_path: Path) -> None:
    stand_in("exit 0")  # type: ignore[operator]
    with pytest.raises(InputMissingError, match=r"none\.fits is not there"):
        solve(tmp_path / "none.fits")
    with pytest.raises(DataError, match="is not an image"):
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
    assert (found.solved, found.status, found.reason, found.solution) == (False, "unsolved", "exhausted", None)
    assert found.directory is not None and found.directory.is_dir()
    with pytest.raises(NotSolvedError, match=r"array was not solved \(exhausted\).*check \.solved first") as caught:
        _ = found.wcs
    assert caught.value.exit_code == 1
    assert [j.state() for j in jobdir.list_jobs(tmp_path / "jobs")] == ["unsolved"]
    assert solve(np.zeros((80, 90))).reason == "no-stars"


# --- What an image can be ------------------------------------------------------------------------------------------


@pytest.mark.engine
def test_an_hdu_and_ccddata_are_solved_with_their_header_and_mask(drawn: DrawnField, temporary: Path) -> None:
    """The header gives the scale; the bright block of pixels that the mask covers would be found as a star."""
    from astropy.io import fits
    from astropy.nddata import CCDData

    header = fits.Header({"SECPIX": drawn.pixscale_arcsec})
    spoiled = drawn.pixels.astype("f4")
    spoiled[40:60, 40:60] = 1e7
    mask = spoiled > 1e6
    for image in (fits.PrimaryHDU(drawn.pixels, header), CCDData(spoiled, unit="adu", meta=header, mask=mask)):
        found = solve(image)
        drawn.assert_found(found.to_json()["calibration"], parity=-1)
        assert [hint.source for hint in found.hints if hasattr(hint, "source")] == ["SECPIX"]
        assert not np.any((abs(found.sources["x"].value - 50) < 12) & (abs(found.sources["y"].value - 50) < 12))


def test_an_image_without_pixels_is_refused() -> None:
    from astropy.io import fits

    with pytest.raises(ParameterError, match="PrimaryHDU holds no pixels: give the HDU that has the image"):
        solve(fits.PrimaryHDU())


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"mask has shape \(5, 5\), but the image \(50, 60\)"):
        solve(np.zeros((50, 60)), mask=np.zeros((5, 5), bool))


def test_a_file_takes_no_header(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="header and mask are for arrays"):
        solve(tmp_path / "a.fits", header={"RA": 1.0})


def test_a_url_never_reads_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.fits").write_bytes(b"SIMPLE")
    with pytest.raises(novacli.NovaError, match=r"a\.fits"):
        solve(UrlInput((tmp_path / "a.fits").as_uri()))


# --- Parameters ----------------------------------------------------------------------------------------------------


def test_objects_of_astropy_are_parameters() -> None:
    import astropy.units as u
    from astropy.coordinates import SkyCoord

    place = SkyCoord(83.6, 22.0, unit="deg").galactic
    params = api._with_options(
        SolveParams(),
        {"position": place, "radius": 30 * u.arcmin, "scale": [1, 2] * u.arcsec / u.pix, "timeout_s": 1 * u.min},
    )
    assert params.position is not None
    assert (params.position.ra_deg, params.position.dec_deg) == (pytest.approx(83.6), pytest.approx(22.0))
    assert params.position.radius_deg == pytest.approx(0.5)
    assert params.scale == Scale(1.0, 2.0, ScaleUnit.ARCSEC_PER_PIXEL)
    assert params.timeout_s == 60.0
    assert Scale.from_quantity(60 * u.arcmin, None) == Scale(1.0, None, ScaleUnit.DEG_WIDTH)
    assert Scale.from_quantity(5 * u.cm, 10 * u.cm) == Scale(50.0, 100.0, ScaleUnit.FOCAL_MM)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colour": "red"}, "colour is no parameter of a solve: scale, position"),
        ({"radius": 5.0}, "radius is given without a position"),
        ({"scale": 3.0}, "scale 3.0: give a Scale, or a Quantity of two elements"),
        ({"scale": (1.0, 2.0)}, "scale 1.0 to 2.0: give arcsec / pixel, an angle"),
        ({"position": (1.0, 2.0)}, r"position \(1.0, 2.0\): give one SkyCoord"),
        ({"parity": 1}, "parity=1 is no Parity: use Parity.POSITIVE"),
        ({"timeout_s": "soon"}, "time-out 'soon' is no number of s"),
        ({"timeout_s": -1}, "time-out -1 is not above zero"),
        ({"downsample": 0}, "downsample factor 0 is outside 1 to 64"),
    ],
)
def test_a_wrong_parameter_is_a_value_error_without_words_of_the_command_line(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        solve(np.zeros((50, 60)), **options)  # type: ignore[arg-type]
    assert isinstance(caught.value, ParameterError)
    assert "--" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Position("5h", 0), "right ascension '5h' is no number"),  # type: ignore[arg-type]
        (lambda: Position(float("nan"), 0), "right ascension nan is outside 0 to 360"),
        (lambda: Scale(-1, 2), "lower scale -1 is not above zero"),
        (lambda: SolveParams(scale=(1, 2)), r"scale=\(1, 2\) is no Scale"),  # type: ignore[arg-type]
    ],
)
def test_a_parameter_is_checked_when_it_is_made(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        make()


# --- Solver --------------------------------------------------------------------------------------------------------


def test_a_solver_has_the_settings_of_the_time_when_it_was_made(
    stand_in: Callable[[str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NOVA_TIMEOUT reaches the API as it reaches the command; later changes of the environment do not."""
    stand_in("exit 0")
    monkeypatch.setenv("NOVA_TIMEOUT", "77")
    solver = Solver(jobs_dir=tmp_path / "jobs")
    monkeypatch.setenv("NOVA_TIMEOUT", "5")
    monkeypatch.setenv("PATH", "/nowhere")
    picture = star_picture(scattered(40, (300, 400)), (300, 400), flux=9000)
    limits = []
    for options in ({}, {"params": SolveParams(blind=True)}, {"timeout_s": 33.0}):
        directory = solver.solve(picture, **options).directory  # type: ignore[arg-type]
        assert directory is not None
        limits.append(json.loads((directory / "job.json").read_text())["timeout_s"])
    assert limits == [77.0, 77.0, 33.0]


@pytest.mark.engine
def test_learning_is_an_option(drawn: DrawnField, tmp_path: Path, clean_environment: Path) -> None:
    path = drawn.write_fits(tmp_path / "field.fits", PIXSCALE=drawn.pixscale_arcsec)
    for learn, expected in ((False, []), (None, ["rigs.json"])):
        assert solve(path, learn=learn).solved
        assert [p.name for p in clean_environment.rglob("rigs.json")] == expected


def test_progress_tells_the_steps_and_cancels(stand_in: Callable[[str], object], tmp_path: Path) -> None:
    stand_in("sleep 60")
    steps: list[str] = []
    progress = novacli.Progress(steps.append, lambda: bool(steps) and "by " in steps[-1])
    found = solve(star_picture(scattered(40, (300, 400)), (300, 400), flux=9000), progress=progress)
    assert (found.solved, found.reason) == (False, "cancelled")
    assert steps[0] == "looking for stars"


@pytest.mark.engine
def test_threads_share_a_solver(drawn: DrawnField, temporary: Path) -> None:
    solver = Solver()
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: solver.solve(drawn.pixels), range(3)))
    assert [f.solved for f in found] == [True] * 3
    assert list(temporary.iterdir()) == []


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
