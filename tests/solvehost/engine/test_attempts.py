"""Attempts with the real engine: it understands our axy files as documented, and its answers are judged correctly."""

from __future__ import annotations

import dataclasses
import math
import shutil
from pathlib import Path

import drawnfield
import pytest
import standin

from solvehost.engine import attempts, race, records, result_files
from solvehost.engine.slots import Tokens
from solvehost.errors import UnavailableError
from solvehost.formats import axy, fitsfile
from solvehost.formats.axy import Attempt, Range, Schedule
from solvehost.formats.jobdir import JobDir
from solvehost.formats.star_table import Stars
from solvehost.indexes.index_file import IndexFile
from solvehost.indexes.index_set import IndexSet
from solvehost.indexes.selection import select

SCALES = (Range(drawnfield.ARCSEC_PER_PIXEL * 0.9, drawnfield.ARCSEC_PER_PIXEL * 1.1),)


@pytest.fixture(scope="session")
def index(real_indexes: IndexSet) -> IndexFile:
    """An index file for the drawn field: quads of about two degrees."""
    for file in real_indexes.files:
        if 90 <= file.middle_arcmin <= 150 and file.healpix == -1:
            return file
    pytest.skip("no all-sky index file with quads of about 2 degrees (Debian: apt install astrometry-data-tycho2)")


@pytest.fixture(scope="session", params=[1, -1], ids=["parity+1", "parity-1"])
def parity(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="session")
def field(index: IndexFile, parity: int) -> Attempt:
    """The drawn field, in either parity."""
    return draw(index, parity)


@pytest.fixture(scope="session")
def one_field(index: IndexFile) -> Attempt:
    """The drawn field with parity +1, for tests that do not depend on parity."""
    return draw(index, 1)


def draw(index: IndexFile, parity: int) -> Attempt:
    """Return an attempt with a scale and one shallow depth, so that a search is short."""
    stars = drawnfield.draw(index.path, parity=parity)
    return Attempt(drawnfield.WIDTH, drawnfield.HEIGHT, stars, scales_arcsec_per_pixel=SCALES, depths=((1, 20),))


def few(stars: Stars, count: int) -> Stars:
    """Return the first stars of a list."""
    return Stars(stars.x[:count], stars.y[:count], stars.flux[:count])


@pytest.fixture
def solve(real_engine: Path, index: IndexFile, tmp_path: Path):
    """A function that races attempts with the real engine and returns (job, result)."""

    def run(*attempts: Attempt, files: tuple[IndexFile, ...] = (index,)) -> tuple[JobDir, records.RaceResult]:
        job = standin.make_job(tmp_path, *attempts)
        terms = records.RaceTerms(real_engine, IndexSet(files), Tokens(tmp_path / "slots", 1), wall_s=60)
        return job, race.run(job, iter(job.attempts()), terms)

    return run


def solution(job: JobDir) -> dict[str, float]:
    header = fitsfile.read_primary_header(job.wcs)
    return {k: float(header[k]) for k in result_files.WCS_CARDS}


def determinant(cards: dict[str, float]) -> float:
    return cards["CD1_1"] * cards["CD2_2"] - cards["CD1_2"] * cards["CD2_1"]


def assert_on_the_sky(job: JobDir, parity: int, within_px: float = 5.0) -> None:
    """Check a solution against the drawn field, on a grid over the middle half; SIP terms are ignored."""
    cards = solution(job)
    assert math.copysign(1, determinant(cards)) == parity
    for x in (250.0, 500.0, 750.0):
        for y in (200.0, 400.0, 600.0):
            off = drawnfield.separation_arcsec(drawnfield.sky_of(cards, x, y), drawnfield.truth(x, y, parity))
            assert off < within_px * drawnfield.ARCSEC_PER_PIXEL


@pytest.mark.engine
def test_a_field_is_found_with_its_own_parity(solve, field: Attempt, parity: int) -> None:
    job, result = solve(dataclasses.replace(field, parity=parity))
    assert result.status == "solved"
    assert_on_the_sky(job, parity)
    assert job.axy().exists()
    assert {p.name for p in job.path.iterdir()} >= {"wcs.fits", "corr.fits", "rdls.fits", "backend.log"}


@pytest.mark.engine
def test_no_distortion_is_fitted_for_order_0(solve, one_field: Attempt) -> None:
    job, result = solve(dataclasses.replace(one_field, tweak_order=0))
    assert result.status == "solved"
    assert_on_the_sky(job, 1, within_px=10)  # the solution comes from four stars
    assert fitsfile.read_primary_header(job.wcs)["CTYPE1"] == "RA---TAN"
    job, _ = solve(dataclasses.replace(one_field, tweak_order=3))
    assert fitsfile.read_primary_header(job.wcs)["A_ORDER"] == 3


@pytest.mark.engine
def test_a_field_is_not_found_with_the_other_parity(solve, field: Attempt, parity: int) -> None:
    """In a short search: in a long one, a nearly symmetric quad may match with either parity."""
    _, result = solve(dataclasses.replace(field, parity=-parity))
    assert (result.status, result.reason) == ("unsolved", "exhausted")


@pytest.mark.engine
def test_a_field_is_found_with_every_card_set(solve, field: Attempt, parity: int) -> None:
    """Position, scale, limits, tolerances, our own cards; every number needs the full precision of a double."""
    ra, dec = drawnfield.CENTER_DEG
    attempt = dataclasses.replace(
        field,
        center_deg=(ra + 1 / 3, dec - 1 / 3),
        radius_deg=10 / 3,
        parity=parity,
        crpix_center=True,
        code_tolerance=0.1 / 9,
        cpu_limit_s=100 / 3,
        odds_to_solve=1e9 / 7,
        position_error_px=4 / 3,
        quad_fraction=Range(0.1 + 1 / 300, 1 - 1 / 300),
        verify_uniformize=True,
        schedule=Schedule(3, 0.125, Range(1 / 3, 1e4 / 3), False, True, 1e3 / 3, "every card"),
    )
    job, result = solve(attempt)
    assert result.status == "solved"
    assert_on_the_sky(job, parity)
    cards = solution(job)
    assert (cards["CRPIX1"], cards["CRPIX2"]) == ((drawnfield.WIDTH + 1) / 2, (drawnfield.HEIGHT + 1) / 2)


@pytest.mark.engine
def test_a_match_below_the_odds_to_keep_is_dropped_when_the_search_ends(solve, field: Attempt) -> None:
    """Without odds to keep, the engine writes the best match above its own default."""
    demanding = dataclasses.replace(field, odds_to_solve=1e100, depths=((1, 6),), stars=few(field.stars, 12))
    _, kept = solve(demanding)
    _, dropped = solve(dataclasses.replace(demanding, odds_to_keep=1e100))
    assert (kept.status, dropped.status) == ("solved", "unsolved")


@pytest.mark.engine
def test_a_field_is_not_found_at_a_wrong_position(solve, one_field: Attempt) -> None:
    _, result = solve(dataclasses.replace(one_field, center_deg=(300.0, -35.0), radius_deg=5.0))
    assert result.status == "unsolved"


@pytest.mark.engine
def test_a_field_is_not_found_at_a_wrong_scale(solve, one_field: Attempt) -> None:
    _, result = solve(dataclasses.replace(one_field, scales_arcsec_per_pixel=(Range(14.0, 15.0),)))
    assert result.status == "unsolved"


@pytest.mark.engine
def test_a_known_wcs_is_verified(solve, field: Attempt, parity: int) -> None:
    """With no depth to search, only the verification can solve; a WCS elsewhere on the sky does not."""
    scale = drawnfield.ARCSEC_PER_PIXEL / 3600
    middle = ((drawnfield.WIDTH + 1) / 2, (drawnfield.HEIGHT + 1) / 2)
    right = (*drawnfield.CENTER_DEG, *middle, parity * scale, 0.0, 0.0, scale)
    wrong = (300.0, -35.0, *right[2:])
    short = dataclasses.replace(field, depths=((1, 3),))
    job, result = solve(dataclasses.replace(short, verify_wcs=right))
    assert result.status == "solved"
    assert_on_the_sky(job, parity)
    _, result = solve(dataclasses.replace(short, verify_wcs=wrong))
    assert result.status == "unsolved"


@pytest.mark.engine
def test_the_path_of_an_index_may_contain_blanks(solve, one_field: Attempt, index: IndexFile, tmp_path: Path) -> None:
    folder = tmp_path / "a folder  of indexes"
    folder.mkdir()
    copy = folder / "index with blank.fits"
    shutil.copy(index.path, copy)
    _, result = solve(one_field, files=(dataclasses.replace(index, path=copy),))
    assert result.status == "solved"
    assert result.indexes == ("index with blank.fits",)


@pytest.mark.engine
def test_an_index_that_does_not_load_is_named(solve, one_field: Attempt, index: IndexFile, tmp_path: Path) -> None:
    """It was damaged after the scan.  Other files still solve; without another, the error names the damaged one."""
    cut = dataclasses.replace(index, path=tmp_path / "index-cut.fits")
    cut.path.write_bytes(index.path.read_bytes()[: index.size_bytes // 2])
    _, result = solve(one_field, files=(cut, index))
    assert result.status == "solved"
    assert result.indexes_failed == ("index-cut.fits",)
    assert result.indexes == (index.path.name,)
    with pytest.raises(UnavailableError, match=r"cannot load .*index-cut\.fits: install"):
        solve(one_field, files=(cut,))
    cut.path.unlink()
    with pytest.raises(UnavailableError, match=r"cannot load .*index-cut\.fits: install"):
        solve(one_field, files=(cut,))


@pytest.mark.engine
def test_stars_far_outside_do_not_crash_the_engine(solve, one_field: Attempt) -> None:
    """Finite coordinates pass the checks, whatever their size."""
    odd = dataclasses.replace(one_field.stars, x=one_field.stars.x[:], y=one_field.stars.y[:])
    odd.x[40], odd.y[40], odd.x[41], odd.y[42] = 3e38, -3e38, 1e9, -1e9
    _, result = solve(dataclasses.replace(one_field, stars=odd))
    assert result.status == "solved"


@pytest.mark.engine
def test_every_attempt_of_a_race_is_recorded(solve, one_field: Attempt) -> None:
    _, result = solve(dataclasses.replace(one_field, center_deg=(300.0, -35.0), radius_deg=5.0), one_field)
    assert [a.outcome for a in result.attempts] == ["exhausted", "solved"]


def test_the_index_files_of_an_attempt_are_chosen_when_it_is_planned(tmp_path: Path) -> None:
    job = standin.make_job(tmp_path, standin.make_attempt("", quads_arcmin=Range(60, 80)))
    planned = attempts.plan_attempt(job, 1, standin.ONE_INDEX.files)
    assert planned.files == select(axy.read(job.axy()), standin.ONE_INDEX.files) == standin.ONE_INDEX.files
    assert planned.label == "attempt 1"
