from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import made_results as made
import pytest

from novacli.errors import DataError
from novacli.records.result import Result
from novacli.records.status import SOLVED
from novacli.solution import files
from novacli.solution.reading import calibration_of, read_solution
from novacli.wcs import tansip
from novacli.wcs.header import read_wcs
from novacli.wcs.sphere import separation_arcsec

PIXELS = [(100.0, 50.0), (600.5, 400.25), (350.0, 250.0)]
OFF_ARCSEC = (3.0, 4.0, 0.0)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A job directory in which three stars match, 3, 4 and 0 arcsec off, and one reference star has no match."""
    directory = tmp_path / "0123456789abcdef"
    directory.mkdir()
    (directory / "wcs.fits").write_bytes(made.wcs_fits())
    tan_sip = read_wcs(directory / "wcs.fits")
    places = [made.shifted_north(tan_sip.pixel_to_sky(*p), off) for p, off in zip(PIXELS, OFF_ARCSEC, strict=True)]
    rows = [(*pixel, *place, n) for n, (pixel, place) in enumerate(zip(PIXELS, places, strict=True))]
    (directory / "corr.fits").write_bytes(made.table_fits(made.CORR_COLUMNS, rows))
    stars = [(7.5, *tan_sip.pixel_to_sky(30, 30)), *((1.0 + n, *place) for n, place in enumerate(places))]
    (directory / "rdls.fits").write_bytes(made.table_fits(made.RDLS_COLUMNS, stars))
    (directory / "job.axy").write_bytes(made.table_fits(made.AXY_COLUMNS, [(*p, 9.0) for p in PIXELS]))
    return directory


def test_match_has_index_stars_residual_and_log_odds(job: Path) -> None:
    """Index file, number of pairs, log-odds and SIP order; the residual is the RMS with the distortion applied."""
    match = read_solution(job, is_fits_like=False).match
    assert match.index == "index-tycho2-17.littleendian.fits"
    assert (match.index_id, match.n, match.logodds, match.sip_order) == (4117, 3, 226.735, 2)
    assert match.rms_arcsec == pytest.approx(math.sqrt((9 + 16) / 3), rel=1e-5)


def test_json_has_the_documented_keys_alone(job: Path) -> None:
    """Keys are nova's names and one more; all values are JSON numbers."""
    solved = read_solution(job, is_fits_like=False)
    value = Result("a", SOLVED, calibration=solved.calibration, match=solved.match).to_json()
    assert list(value["calibration"]) == [
        "ra", "dec", "radius", "pixscale", "orientation", "parity", "width_arcsec", "height_arcsec",
        "up_deg_e_of_n",
    ]  # fmt: skip
    assert list(value["match"]) == [
        "index",
        "n",
        "rms_arcsec",
        "heldout_rms_arcsec",
        "corner_error_arcsec",
        "logodds",
        "sip_order",
        "attempt",
    ]
    assert value["match"]["sip_order"] == 2
    json.dumps(value, allow_nan=False)


def test_calibration_by_novas_definitions(job: Path) -> None:
    """Radius is half the diagonal, sizes are pixels times scale, parity the sign of det(CD)."""
    c = read_solution(job, is_fits_like=False).calibration
    assert c.pixscale == pytest.approx(170.39311365)
    assert c.width_arcsec == 719 * c.pixscale
    assert c.height_arcsec == 507 * c.pixscale
    assert c.radius == pytest.approx(math.hypot(c.width_arcsec, c.height_arcsec) / 7200)
    assert (c.ra, c.dec) == pytest.approx((187.194480516, 56.7013536679))
    assert c.parity == 1.0


def test_orientation_by_kind_of_input(job: Path) -> None:
    """wcsinfo's for FITS; 180 degrees minus that, from 0 to 360, for everything else."""
    fits = read_solution(job, is_fits_like=True).calibration
    other = read_solution(job, is_fits_like=False).calibration
    assert fits.orientation == pytest.approx(61.644933, abs=1e-6)
    assert other.orientation == pytest.approx(118.355067, abs=1e-6)
    made.assert_same_angle(other.up_deg_e_of_n, fits.up_deg_e_of_n + 180, 1e-9)


def test_orientation_stays_below_360() -> None:
    """180 - (-180) is 0, not 360."""
    field = tansip.TanSip((0, 0), (1, 1), ((1e-3, -0.0), (0.0, 1e-3)), 2, 2)
    south = tansip.TanSip((0, 0), (1, 1), ((-1e-3, 0.0), (0.0, -1e-3)), 2, 2)
    assert calibration_of(field, is_fits_like=False).orientation == 180
    assert calibration_of(south, is_fits_like=False).orientation == 0


def test_it_outlives_its_directory(job: Path) -> None:
    """astropy's WCS and the tables are built from memory, after the directory is gone."""
    answer = read_solution(job, is_fits_like=False)
    shutil.rmtree(job)
    assert answer.wcs.pixel_shape == (719, 507)
    ra, dec = answer.wcs.all_pix2world(100, 50, 1)
    assert separation_arcsec((float(ra), float(dec)), answer.tan_sip.pixel_to_sky(100, 50)) < 1e-6
    assert answer.sources["x"].value.tolist() == [100.0, 600.5, 350.0]
    assert answer.sources["x"].unit == "pix"
    assert answer.wcs is answer.wcs


def test_stars_are_the_reference_stars_with_their_matches(job: Path) -> None:
    """One row for each reference star: position, catalogue columns, and the matched star if there is one."""
    import numpy as np

    stars = read_solution(job, is_fits_like=False).stars
    assert stars["mag_vt"].tolist() == [7.5, 1.0, 2.0, 3.0]
    assert np.isnan(stars["field_x"]).tolist() == [True, False, False, False]
    assert stars["separation"][1:].to_value("arcsec").tolist() == pytest.approx(OFF_ARCSEC, abs=1e-4)
    assert (stars["x"][0].value, stars["y"][0].value) == pytest.approx((30, 30), abs=1e-6)


def test_without_tables(job: Path) -> None:
    """wcs.fits alone gives a solution, with the number of stars that the engine reported."""
    for name in ("corr.fits", "rdls.fits", "job.axy"):
        (job / name).unlink()
    answer = read_solution(job, is_fits_like=False)
    assert (answer.match.n, answer.match.rms_arcsec) == (47, None)
    assert len(answer.stars) == len(answer.sources) == 0


def test_without_rdls_the_reference_stars_are_the_matched_ones(job: Path) -> None:
    (job / "rdls.fits").unlink()
    assert len(read_solution(job, is_fits_like=False).stars) == 3


def test_the_star_list_of_the_attempt_that_solved(job: Path) -> None:
    """``attempt`` picks the axy."""
    (job / "job-3.axy").write_bytes(made.table_fits(made.AXY_COLUMNS, [(1.0, 2.0, 3.0)]))
    assert read_solution(job, is_fits_like=False, attempt=3).sources.as_array().tolist() == [(1.0, 2.0, 3.0)]


def test_no_solution_in_the_directory(job: Path) -> None:
    """The error names the file and how to try again."""
    (job / "wcs.fits").unlink()
    with pytest.raises(DataError, match=r"wcs\.fits: .*nova retry 0123456789abcdef"):
        read_solution(job, is_fits_like=False)


ONE = [(1.0, 1.0, 190.0, 55.0, 0)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no table"),
        (b"garbage" * 500, "cut short|END card"),
        (made.table_fits(made.CORR_COLUMNS, ONE)[:-2880], "cut short"),
        (made.table_fits(made.CORR_COLUMNS, ONE, NAXIS2=10**12), "cut short|missing"),
        (made.table_fits(made.CORR_COLUMNS, ONE, NAXIS2=-1), "negative|cut short"),
        (made.table_fits(made.CORR_COLUMNS, ONE, NAXIS1=35), "rows of 35 bytes"),
        (made.table_fits(made.CORR_COLUMNS, ONE, TFORM1="1Z"), "form '1Z'"),
        (made.table_fits(made.CORR_COLUMNS, ONE, TFORM1="8A"), "no column field_x"),
        (made.table_fits(made.CORR_COLUMNS, ONE, TTYPE3="ra"), "no column index_ra"),
        (made.table_fits(made.CORR_COLUMNS, [(math.nan, 1.0, 2.0, 3.0, 0)]), "not finite"),
    ],
)
def test_damaged_matches_are_named(job: Path, content: bytes, says: str) -> None:
    """A corr.fits with a wrong size or without a column is a DataError that names the file and the remedy."""
    (job / "corr.fits").write_bytes(content)
    with pytest.raises(DataError, match=rf"corr\.fits: .*({says}).*; solve the image again"):
        read_solution(job, is_fits_like=False)


def test_a_file_too_large_for_a_result(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that the engine cannot have written is not read into memory."""
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 100)
    with pytest.raises(DataError, match=r"wcs\.fits: it is larger than any result"):
        read_solution(job, is_fits_like=False)


def test_the_module_is_light() -> None:
    """Showing a finished job needs neither numpy nor astropy."""
    code = (
        "import sys, novacli.solution.reading as s; sys.exit(bool({'numpy', 'astropy', 'fitsio'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.engine
@pytest.mark.skipif(shutil.which("astrometry-engine") is None, reason="astrometry-engine is not installed")
def test_what_the_engine_really_writes(tmp_path: Path) -> None:
    """The engine solves a field of an index's own stars, and the solution is read back."""
    index = Path("/usr/share/astrometry/index-tycho2-17.littleendian.fits")
    if not index.exists() or shutil.which("query-starkd") is None:
        pytest.skip(f"{index} (astrometry-data-tycho2) or query-starkd is not installed")
    truth = tansip.TanSip((83.8, -1.2), (500.5, 400.5), ((-0.03, 0.01), (0.01, 0.03)), 1000, 800)
    pixels = [p for p in map(truth.sky_to_pixel, *_index_stars(index, *truth.crval)) if p and _within(p, truth)]
    cards = {"IMAGEW": 1000, "IMAGEH": 800, "ANRUN": True, "ANWCS": "wcs.fits", "ANCORR": "corr.fits",
             "ANRDLS": "rdls.fits", "ANTAGALL": True, "ANAPPL1": 100.0, "ANAPPU1": 130.0, "ANTWEAK": True,
             "ANTWEAKO": 2, "ANDPL1": 1, "ANDPU1": 30}  # fmt: skip
    axy = made.table_fits(made.AXY_COLUMNS, [(x, y, 1.0) for x, y in pixels])
    (tmp_path / "job.axy").write_bytes(_with_primary_cards(axy, cards))
    command = ["astrometry-engine", "-c", "none", "-i", str(index), "job.axy"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    answer = read_solution(tmp_path, is_fits_like=True)
    assert answer.match.index == index.name
    assert answer.match.n > 10
    assert answer.match.rms_arcsec is not None
    assert answer.match.rms_arcsec < 30
    center = answer.tan_sip.pixel_to_sky(*truth.center_px)
    assert separation_arcsec(center, truth.crval) < 30
    assert answer.calibration.parity == -1.0
    assert len(answer.stars) >= answer.match.n
    assert "mag_vt" in answer.stars.colnames


def _index_stars(index: Path, ra: float, dec: float) -> tuple[list[float], list[float]]:
    """Return ra and dec of the stars of an index near a place."""
    command = ["query-starkd", "-r", str(ra), "-d", str(dec), "-R", "25", str(index)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    stars = [line.split(", ") for line in lines if line[:1].isdigit()]
    return [float(star[0]) for star in stars], [float(star[1]) for star in stars]


def _within(pixel: tuple[float, float], field: tansip.TanSip) -> bool:
    return 1 <= pixel[0] <= field.width and 1 <= pixel[1] <= field.height


def _with_primary_cards(content: bytes, cards: dict[str, object]) -> bytes:
    from solvehost.formats import fitsfile

    values = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True, **cards}
    primary = fitsfile.end_header([fitsfile.card(k, v) for k, v in values.items()])  # type: ignore[arg-type]
    return primary + content[2880:]
