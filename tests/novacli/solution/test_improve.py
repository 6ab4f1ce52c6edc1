"""The files of a job are replaced if the new solution is better, and stay in every other case."""

from __future__ import annotations

from pathlib import Path

import made_results as made
import numpy as np
import pytest
from made_lens import WIDTH, engine_solution_of, lens, stars_of, worst_px

from novacli.fits.tables import read_table
from novacli.solution import engine_comments, improve
from novacli.solution.reading import read_solution
from novacli.wcs import header, refit
from novacli.wcs.tansip import TanSip
from solvehost.formats import fitsfile
from solvehost.formats.jobdir import JobDir

TRUTH = lens(200, -30, 0.02, 75, 1, 2.5)
COLUMNS = {
    "field_x": "D", "field_y": "D", "field_ra": "D", "field_dec": "D", "index_x": "D", "index_y": "D",
    "index_ra": "D", "index_dec": "D", "index_id": "J", "field_id": "J", "match_weight": "D", "MAG_VT": "E",
}  # fmt: skip


def wcs_of(solution: TanSip) -> bytes:
    (cd11, cd12), (cd21, cd22) = solution.cd
    changes = {
        "CRVAL1": solution.crval[0], "CRVAL2": solution.crval[1], "CRPIX1": solution.crpix[0],
        "CRPIX2": solution.crpix[1], "CD1_1": cd11, "CD1_2": cd12, "CD2_1": cd21, "CD2_2": cd22,
    }  # fmt: skip
    return made.wcs_fits(solution.width, solution.height, sip=False, **changes)


@pytest.fixture
def job(tmp_path: Path) -> JobDir:
    """A job whose solution is centred on a corner, without distortion, and without the outer stars."""
    directory = tmp_path / "0123456789abcdef"
    directory.mkdir()
    (directory / "wcs.fits").write_bytes(wcs_of(engine_solution_of(TRUTH)))
    stars = stars_of(TRUTH, 120)
    places = list(zip(*(c.astype(np.float32).tolist() for c in (stars.x, stars.y)), stars.ra, stars.dec, strict=True))
    inner = [(n, p) for n, p in enumerate(places) if abs(p[0] - WIDTH / 2) < 400]
    rows = [(x, y, 0.0, 0.0, 0.0, 0.0, ra, dec, n, n, 0.9, 7.5) for n, (x, y, ra, dec) in inner]
    (directory / "corr.fits").write_bytes(made.table_fits(COLUMNS, rows))
    (directory / "rdls.fits").write_bytes(made.table_fits(made.RDLS_COLUMNS, [(7.0, *p[2:]) for p in places]))
    (directory / "job.axy").write_bytes(made.table_fits(made.AXY_COLUMNS, [(*p[:2], 9.0) for p in places]))
    return JobDir(directory)


def contents(job: JobDir) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in job.path.iterdir()}


def test_a_better_solution_replaces_the_engine_s(job: JobDir) -> None:
    judged = improve.improve(job, keep=False)
    assert judged is not None
    assert judged.is_new
    assert judged.heldout_rms_arcsec < 1
    assert worst_px(header.read_wcs(job.wcs), TRUTH) < 0.02


def test_the_engine_s_comments_on_its_match_stay(job: JobDir) -> None:
    before = fitsfile.read_primary_header(job.wcs)
    improve.improve(job, keep=False)
    after = fitsfile.read_primary_header(job.wcs)
    assert engine_comments.read(after.comments) == engine_comments.read(before.comments)
    assert (after["IMAGEW"], after["IMAGEH"]) == (before["IMAGEW"], before["IMAGEH"])
    text = job.wcs.read_bytes()
    assert text.count(b"HISTORY Fitted again by nova: radial, 120 stars") == 1
    assert text.count(b"CTYPE1  =") == text.count(b"CRVAL1  =") == 1


def test_matches_are_those_of_the_new_solution(job: JobDir) -> None:
    """Rows of the engine keep their other columns; positions follow the new solution."""
    engines = {int(row["field_id"]): row for row in read_table((job.path / "corr.fits").read_bytes())}
    improve.improve(job, keep=False)
    table = read_table((job.path / "corr.fits").read_bytes())
    assert len(table) == 120 > len(engines)
    assert {int(n) for n in table["field_id"]} == {*engines, -1}
    solution = header.read_wcs(job.wcs)
    for row in table:
        assert solution.sky_to_pixel(row["index_ra"], row["index_dec"]) == pytest.approx(
            (row["index_x"], row["index_y"]), abs=1e-6
        )
        assert (row["field_ra"], row["field_dec"]) == pytest.approx((row["index_ra"], row["index_dec"]), abs=1e-3)
        if row["field_id"] >= 0:
            assert (row["match_weight"], row["MAG_VT"]) == (0.9, 7.5)
    solved = read_solution(job.path, is_fits_like=True)
    assert solved.match.n == 120
    assert solved.match.rms_arcsec == pytest.approx(0, abs=1)
    assert len(solved.stars) == 120


def test_a_second_fit_changes_almost_nothing(job: JobDir) -> None:
    improve.improve(job, keep=False)
    once = header.read_wcs(job.wcs)
    improve.improve(job, keep=False)
    assert worst_px(header.read_wcs(job.wcs), once) < 0.01


def test_keep_leaves_the_files_as_they_are(job: JobDir) -> None:
    before = contents(job)
    judged = improve.improve(job, keep=True)
    assert judged is not None
    assert not judged.is_new
    assert judged.heldout_rms_arcsec > 10
    assert contents(job) == before


@pytest.mark.parametrize(("stars", "heldout_rms_px", "is_new"), [(12, 1.2, True), (11, 0.1, False), (20, 1.3, False)])
def test_a_solution_with_far_fewer_stars_or_a_larger_rms_is_rejected(
    job: JobDir, monkeypatch: pytest.MonkeyPatch, stars: int, heldout_rms_px: float, is_new: bool
) -> None:
    matched = stars_of(TRUTH, 20)
    monkeypatch.setattr(improve.tables, "pairs", lambda _: [matched.x, matched.y, matched.ra, matched.dec])
    found = refit.Refit(TRUTH, "radial", matched.only(np.arange(20) < stars), heldout_rms_px)
    monkeypatch.setattr(refit, "refit", lambda *_: found)
    monkeypatch.setattr(refit, "engine_heldout_rms_px", lambda *_: 1.0)
    judged = improve.improve(job, keep=False)
    assert judged is not None
    assert judged.is_new is is_new


@pytest.mark.parametrize("missing", ["rdls.fits", "job.axy"])
def test_without_all_stars_the_matched_ones_are_used(job: JobDir, missing: str) -> None:
    matched = len(read_table((job.path / "corr.fits").read_bytes()))
    (job.path / missing).unlink()
    assert improve.improve(job, keep=False) is not None
    assert worst_px(header.read_wcs(job.wcs), TRUTH) < 0.1
    assert len(read_table((job.path / "corr.fits").read_bytes())) == matched


@pytest.mark.parametrize("name", ["corr.fits", "wcs.fits"])
@pytest.mark.parametrize("content", [b"", b"SIMPLE", bytes(5760), None])
def test_files_that_cannot_be_read_are_left_as_they_are(job: JobDir, name: str, content: bytes | None) -> None:
    if content is None:
        (job.path / name).unlink()
    else:
        (job.path / name).write_bytes(content)
    before = contents(job)
    assert improve.improve(job, keep=False) is None
    assert contents(job) == before


@pytest.mark.parametrize("name", ["rdls.fits", "job.axy"])
@pytest.mark.parametrize("content", [b"", bytes(5760), made.table_fits({"Q": "J"}, [(1,)])])
def test_damaged_star_lists_are_ignored(job: JobDir, name: str, content: bytes) -> None:
    (job.path / name).write_bytes(content)
    judged = improve.improve(job, keep=False)
    assert judged is not None
    assert judged.is_new


def test_very_large_tables_are_not_compared(job: JobDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hostile server may send very many reference stars."""
    monkeypatch.setattr(improve, "_MAX_COMPARED", 1000)
    matched = len(read_table((job.path / "corr.fits").read_bytes()))
    improve.improve(job, keep=False)
    assert len(read_table((job.path / "corr.fits").read_bytes())) == matched
    monkeypatch.setattr(improve, "_MAX_STARS", 10)
    before = contents(job)
    assert improve.improve(job, keep=False) is None
    assert contents(job) == before


def test_a_full_disk_leaves_the_engine_s_solution_and_is_noted(job: JobDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("solvehost.formats.atomic.write_atomic", full)
    before = contents(job)
    with pytest.raises(improve.FitError, match=r"a better solution could not be written .*No space left on device"):
        improve.improve(job, keep=False)
    assert contents(job) == before


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (np.linalg.LinAlgError("Singular"), r"could not be fitted again \(Singular\): it is the engine's"),
        (KeyError("order"), r"could not be fitted again: KeyError: 'order': a fault in nova itself"),
        (ValueError("shape"), r"could not be fitted again: ValueError: shape: a fault in nova itself"),
    ],
)
def test_a_fit_that_fails_leaves_the_engine_s_solution_and_is_noted(
    job: JobDir, error: Exception, note: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a fault went unnoticed, and the result was the engine's plain fit."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(refit, "refit", fail)
    before = contents(job)
    with pytest.raises(improve.FitError, match=note):
        improve.improve(job, keep=False)
    assert contents(job) == before


def test_nova_debug_shows_where_a_fit_fails(job: JobDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("order")

    monkeypatch.setattr(refit, "refit", fail)
    monkeypatch.setenv("NOVA_DEBUG", "1")
    with pytest.raises(KeyError):
        improve.improve(job, keep=False)


def test_stars_of_other_attempts_are_matched_too(job: JobDir) -> None:
    """The winner had only the stars in the middle; another attempt has all."""
    stars = job.axy(1).read_bytes()
    table = read_table(stars)
    central = [tuple(row) for row in table.tolist() if abs(row[0] - WIDTH / 2) < 250]
    job.axy(2).write_bytes(stars)
    job.axy(1).write_bytes(made.table_fits(made.AXY_COLUMNS, central))
    improve.improve(job, keep=False)
    assert len(read_table((job.path / "corr.fits").read_bytes())) == 120 > len(central)
