"""Second looks: taken at very wide fields and at poor solutions, and kept only if they are better."""

from __future__ import annotations

import itertools
import os
from array import array
from dataclasses import replace
from pathlib import Path

import pytest
import standin

from novacli.demo.catalogue import Catalogue, find_index
from novacli.demo.drawing import draw
from novacli.demo.scene import Scene
from novacli.extraction.detect import DetectionSettings
from novacli.extraction.extractor import StarExtractor
from novacli.extraction.order import StarOrder
from novacli.inputs import from_array
from novacli.wcs.header import read_wcs
from solvehost.engine import extra_run, race, records, second_look
from solvehost.engine.attempts import PlannedAttempt
from solvehost.engine.second_look import Kind, Residual, SecondLook
from solvehost.engine.slots import Tokens
from solvehost.errors import DataError
from solvehost.formats import axy, jobdir, star_table
from solvehost.formats.fitsfile import card, end_header, pad_data
from solvehost.formats.jobdir import CORR, JobDir
from solvehost.indexes.index_set import IndexSet

SECOND_LOOK = "second look"


@pytest.fixture
def solve(real_engine: Path, real_indexes: IndexSet, tmp_path: Path):
    """A function that draws a field and solves it by one attempt; returns (job, race result, true WCS)."""

    def run(scene: Scene, **changes: object) -> tuple[JobDir, records.RaceResult, object]:
        drawing = draw(scene, Catalogue.open(find_index([f.path for f in real_indexes.files])))
        stars = StarExtractor(from_array(drawing.pixels.astype("f4"))).stars(DetectionSettings(2), StarOrder.FLUX)
        attempt = axy.Attempt(scene.width_px, scene.height_px, stars, center_deg=(scene.ra_deg, scene.dec_deg))
        attempt = replace(attempt, radius_deg=scene.width_deg, code_tolerance=0.005, **changes)  # type: ignore[arg-type]
        job = jobdir.create(tmp_path)
        axy.write(attempt, job.axy())
        terms = records.RaceTerms(real_engine, real_indexes, Tokens(tmp_path / "slots", 1), wall_s=60)
        return job, race.run(job, iter([1]), terms), drawing.truth

    return run


def labels(record: records.RaceResult) -> list[str]:
    return [attempt.label for attempt in record.attempts]


@pytest.mark.engine
def test_the_tangent_point_of_a_very_wide_field_moves_to_the_centre(solve) -> None:
    """Without a second look the scale of the TAN part is several percent too low."""
    scene = Scene(106.0, -51.0, width_deg=40, width_px=800, height_px=600)
    job, record, truth = solve(scene)
    solution = read_wcs(job.wcs)
    assert (record.status, SECOND_LOOK in labels(record)) == ("solved", True)
    assert solution.crpix == pytest.approx(((800 + 1) / 2, (600 + 1) / 2))
    assert solution.pixscale_arcsec == pytest.approx(truth.pixscale_arcsec, rel=2e-3)


@pytest.mark.engine
@pytest.mark.parametrize("change", [{}, {"tweak_order": 0}])
def test_a_good_solution_of_a_narrow_field_gets_no_second_look(solve, change: dict[str, int]) -> None:
    _, record, _ = solve(Scene(84.0, -3.0, width_deg=10, width_px=800, height_px=600), **change)
    assert (record.status, labels(record)) == ("solved", ["attempt 1"])


@pytest.mark.engine
def test_there_is_no_second_look_if_no_distortion_is_to_be_fitted(solve) -> None:
    job, record, _ = solve(Scene(84.0, -3.0, width_deg=40, width_px=800, height_px=600), tweak_order=0)
    assert (SECOND_LOOK in labels(record), read_wcs(job.wcs).sip_order) == (False, 0)


@pytest.mark.engine
def test_a_solution_by_central_stars_is_verified_with_stars_of_the_whole_field(
    real_engine: Path, real_indexes: IndexSet, tmp_path: Path
) -> None:
    """They come from another attempt of the job; the matched stars then span the field."""
    scene = Scene(84.0, -3.0, width_deg=20, width_px=800, height_px=600)
    drawing = draw(scene, Catalogue.open(find_index([f.path for f in real_indexes.files])))
    extractor = StarExtractor(from_array(drawing.pixels.astype("f4")))
    job = jobdir.create(tmp_path)
    for number, order in enumerate((StarOrder.CENTRAL, StarOrder.FLUX), 1):
        stars = extractor.stars(DetectionSettings(2), order)
        axy.write(axy.Attempt(800, 600, stars, code_tolerance=0.005), job.axy(number))
    terms = records.RaceTerms(real_engine, real_indexes, Tokens(tmp_path / "slots", 1), wall_s=60)
    record = race.run(job, iter([1]), terms)
    assert labels(record) == ["attempt 1", SECOND_LOOK]
    columns = star_table.read_columns(job.path / CORR, ("FIELD_X", "FIELD_Y"))
    assert max(columns[0]) - min(columns[0]) > 0.7 * 800
    assert read_wcs(job.wcs).pixscale_arcsec == pytest.approx(drawing.truth.pixscale_arcsec, rel=1e-3)


@pytest.mark.engine
def test_a_second_look_leaves_a_line_in_the_log_and_no_other_file(solve) -> None:
    job, _, _ = solve(Scene(106.0, -51.0, width_deg=40, width_px=800, height_px=600))
    assert job.attempts() == [1]
    assert sorted(p.name for p in job.path.iterdir() if p.name.startswith((".run", "job-"))) == []
    assert b"== second look: solved" in job.log.read_bytes()


@pytest.mark.engine
def test_the_solution_stays_if_a_second_look_fails(solve, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(extra_run, "run", fail)
    job, record, _ = solve(Scene(106.0, -51.0, width_deg=40, width_px=800, height_px=600))
    assert (record.status, labels(record)) == ("solved", ["attempt 1"])
    assert read_wcs(job.wcs).pixscale_arcsec > 0


def corr_file(path: Path, pairs: list[tuple[float, float, float, float]]) -> Path:
    """Write a corr.fits with float32 columns field_x, field_y, index_x, index_y."""
    import struct

    names = ("field_x", "field_y", "index_x", "index_y")
    cards = [("XTENSION", "BINTABLE"), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", 16), ("NAXIS2", len(pairs))]
    cards += [("PCOUNT", 0), ("GCOUNT", 1), ("TFIELDS", 4)]
    cards += itertools.chain.from_iterable((((f"TTYPE{n}", s), (f"TFORM{n}", "E"))) for n, s in enumerate(names, 1))
    primary = end_header([card(k, v) for k, v in (("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0))])
    data = b"".join(struct.pack(">4f", *pair) for pair in pairs)
    path.write_bytes(primary + end_header([card(k, v) for k, v in cards]) + pad_data(data))
    return path


def test_the_residual_is_the_median_distance_of_the_pairs(tmp_path: Path) -> None:
    pairs = [(10, 10, 10, 11), (20, 20, 23, 24), (30, 30, 130, 30)]
    assert second_look.read_residual(corr_file(tmp_path / CORR, pairs)) == Residual(3, pytest.approx(5))


def test_the_residual_of_no_pairs_is_infinite(tmp_path: Path) -> None:
    assert second_look.read_residual(corr_file(tmp_path / CORR, [])) == Residual(0, float("inf"))


def test_a_table_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = corr_file(tmp_path / CORR, [(1, 1, 1, 1)] * 400)
    path.write_bytes(path.read_bytes()[:-2880])
    with pytest.raises(DataError, match="cut short"):
        second_look.read_residual(path)


def test_a_pipe_in_place_of_the_matches_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / CORR)
    with pytest.raises(DataError, match=r"corr\.fits is not a regular file"):
        second_look.read_residual(tmp_path / CORR)


def planned(**changes: object) -> PlannedAttempt:
    stars = star_table.Stars.from_bytes(*(array("f", range(10)).tobytes() for _ in "xyf"))
    return PlannedAttempt(1, replace(axy.Attempt(800, 600, stars), **changes), ())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "matches", "median_px", "is_better"),
    [
        pytest.param(Kind.VERIFY, 60, 1.0, True, id="closer"),
        pytest.param(Kind.VERIFY, 60, 2.1, False, id="farther"),
        pytest.param(Kind.VERIFY, 5, 0.1, False, id="too few matches"),
        pytest.param(Kind.VERIFY, 90, 2.1, False, id="farther with more matches"),
        pytest.param(Kind.CENTRE, 60, 2.1, True, id="a little farther about the centre"),
        pytest.param(Kind.CENTRE, 60, 2.5, False, id="much farther about the centre"),
        pytest.param(Kind.LOOSE, 90, 2.5, True, id="a little farther with many more matches"),
        pytest.param(Kind.LOOSE, 60, 2.5, False, id="a little farther without more matches"),
        pytest.param(Kind.LOOSE, 90, 4.0, False, id="much farther with many more matches"),
    ],
)
def test_a_second_look_is_kept_if_it_is_better(kind: Kind, matches: int, median_px: float, is_better: bool) -> None:
    """The solution has 60 matches with a median distance of 2 pixels."""
    look = SecondLook(kind, planned(crpix_center=kind is Kind.CENTRE), has_other_stars=False)
    assert second_look._is_better(look, Residual(60, 2.0), Residual(matches, median_px)) == is_better


def test_stars_of_the_whole_field_may_lie_farther_off() -> None:
    """A good solution of the central stars becomes one of the whole field, up to the limit of a poor solution."""
    look = SecondLook(Kind.VERIFY, planned(), has_other_stars=True)
    assert second_look._is_better(look, Residual(60, 0.5), Residual(60, 1.4))
    assert not second_look._is_better(look, Residual(60, 0.5), Residual(60, 1.6))


@pytest.mark.parametrize(
    ("width_deg", "is_poor", "has_other_stars", "is_centred", "kinds"),
    [
        (10.0, False, False, False, []),
        (10.0, False, True, False, [Kind.VERIFY]),
        (10.0, True, False, False, [Kind.VERIFY, Kind.LOOSE]),
        (40.0, False, False, False, [Kind.CENTRE]),
        (40.0, True, False, False, [Kind.CENTRE, Kind.VERIFY, Kind.LOOSE]),
        (40.0, True, False, True, [Kind.CENTRE, Kind.LOOSE]),
    ],
)
def test_the_kinds_follow_from_width_and_residual(
    width_deg: float, is_poor: bool, has_other_stars: bool, is_centred: bool, kinds: list[Kind]
) -> None:
    """An attempt that asks for the tangent point at the centre is not verified twice."""
    attempt = planned(crpix_center=is_centred).attempt
    found = second_look._kinds(attempt, width_deg, is_poor=is_poor, has_other_stars=has_other_stars)
    assert list(found) == kinds


@pytest.mark.parametrize(("wall_s", "is_cancelled", "looks"), [(60.0, False, 3), (0.0, False, 0), (60.0, True, 0)])
def test_without_time_no_engine_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wall_s: float, is_cancelled: bool, looks: int
) -> None:
    job, solved = jobdir.create(tmp_path), planned()
    job.run_dir(1).mkdir()
    corr_file(job.run_dir(1) / CORR, [(10 + n, 10, 12 + n, 10) for n in range(20)])
    look = SecondLook(Kind.VERIFY, solved, has_other_stars=False)
    monkeypatch.setattr(second_look, "_plan_looks", lambda *_arguments: iter([look] * 3))
    outcome = records.AttemptOutcome(98, SECOND_LOOK, records.EXHAUSTED, 0.1, 0.1)
    monkeypatch.setattr(extra_run, "run", lambda *_arguments: outcome)
    terms = standin.make_terms(tmp_path, cancelled=lambda: is_cancelled)
    assert len(second_look.improve(job, solved, terms, wall_s)) == looks
