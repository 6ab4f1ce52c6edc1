"""A second look: taken where the field is very wide or its stars lie poorly, and never at a solution's cost."""

from __future__ import annotations

import itertools
import os
from array import array
from dataclasses import replace
from pathlib import Path

import pytest

from novacli.demo.catalogue import Catalogue, find_index
from novacli.demo.drawing import draw
from novacli.demo.scene import Scene
from novacli.extraction.sources import Extraction, Order, Sources
from novacli.inputs import from_array
from novacli.wcs.header import read_wcs
from solvehost.engine import engine, race, second_look
from solvehost.engine.process import Limits
from solvehost.engine.slots import Tokens
from solvehost.errors import DataError
from solvehost.formats import axy, jobdir, star_table
from solvehost.formats.fitsfile import card, end_header, pad_data
from solvehost.formats.jobdir import CORR, JobDir
from solvehost.indexes.index_set import IndexSet

SECOND_LOOK = "second look"


@pytest.fixture
def solve(real_engine: Path, real_indexes: IndexSet, tmp_path: Path):
    """A function that draws a field and has one attempt at it; returns the job, the race's record and the truth."""

    def run(scene: Scene, **changes: object) -> tuple[JobDir, race.RaceResult, object]:
        drawing = draw(scene, Catalogue.open(find_index([f.path for f in real_indexes.files])))
        stars = Sources(from_array(drawing.pixels.astype("f4"))).stars(Extraction(2), Order.FLUX)
        attempt = axy.Attempt(scene.width_px, scene.height_px, stars, center_deg=(scene.ra_deg, scene.dec_deg))
        attempt = replace(attempt, radius_deg=scene.width_deg, code_tolerance=0.005, **changes)  # type: ignore[arg-type]
        job = jobdir.create(tmp_path)
        axy.write(attempt, job.axy())
        terms = race.Terms(real_engine, real_indexes, Tokens(tmp_path / "slots", 1), wall_s=60)
        return job, race.run(job, iter([1]), terms), drawing.truth

    return run


def labels(record: race.RaceResult) -> list[str]:
    return [attempt.label for attempt in record.attempts]


@pytest.mark.engine
def test_a_very_wide_field_gets_its_tangent_point_at_the_centre(solve) -> None:
    """Without it the TAN part's scale comes out percents low: the engine's own tangent point is off the centre."""
    scene = Scene(106.0, -51.0, width_deg=40, width_px=800, height_px=600)
    job, record, truth = solve(scene)
    solution = read_wcs(job.wcs)
    assert (record.status, SECOND_LOOK in labels(record)) == ("solved", True)
    assert solution.crpix == pytest.approx(((800 + 1) / 2, (600 + 1) / 2))
    assert solution.pixscale_arcsec == pytest.approx(truth.pixscale_arcsec, rel=2e-3)


@pytest.mark.engine
@pytest.mark.parametrize("change", [{}, {"tweak_order": 0}])
def test_a_good_narrow_field_is_left_alone(solve, change: dict[str, int]) -> None:
    _, record, _ = solve(Scene(84.0, -3.0, width_deg=10, width_px=800, height_px=600), **change)
    assert (record.status, labels(record)) == ("solved", ["attempt 1"])


@pytest.mark.engine
def test_no_distortion_is_fitted_in_a_second_look_where_none_is_asked_for(solve) -> None:
    job, record, _ = solve(Scene(84.0, -3.0, width_deg=40, width_px=800, height_px=600), tweak_order=0)
    assert (SECOND_LOOK in labels(record), read_wcs(job.wcs).sip_order) == (False, 0)


@pytest.mark.engine
def test_a_solution_by_central_stars_is_verified_with_those_of_the_whole_field(
    real_engine: Path, real_indexes: IndexSet, tmp_path: Path
) -> None:
    """Another attempt of the job has them; the pairs that the solution rests on then reach into the corners."""
    scene = Scene(84.0, -3.0, width_deg=20, width_px=800, height_px=600)
    drawing = draw(scene, Catalogue.open(find_index([f.path for f in real_indexes.files])))
    sources = Sources(from_array(drawing.pixels.astype("f4")))
    job = jobdir.create(tmp_path)
    for number, order in enumerate((Order.CENTRAL, Order.FLUX), 1):
        stars = sources.stars(Extraction(2), order)
        axy.write(axy.Attempt(800, 600, stars, code_tolerance=0.005), job.axy(number))
    terms = race.Terms(real_engine, real_indexes, Tokens(tmp_path / "slots", 1), wall_s=60)
    record = race.run(job, iter([1]), terms)
    assert labels(record) == ["attempt 1", SECOND_LOOK]
    columns = star_table.read_columns(job.path / CORR, ("FIELD_X", "FIELD_Y"))
    assert max(columns[0]) - min(columns[0]) > 0.7 * 800
    assert read_wcs(job.wcs).pixscale_arcsec == pytest.approx(drawing.truth.pixscale_arcsec, rel=1e-3)


@pytest.mark.engine
def test_a_second_look_leaves_nothing_behind_and_is_in_the_log(solve) -> None:
    job, _, _ = solve(Scene(106.0, -51.0, width_deg=40, width_px=800, height_px=600))
    assert job.attempts() == [1]
    assert sorted(p.name for p in job.path.iterdir() if p.name.startswith((".run", "job-"))) == []
    assert b"== second look: solved" in job.log.read_bytes()


@pytest.mark.engine
def test_whatever_goes_wrong_in_it_the_first_solution_stands(solve, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(second_look, "_look", fail)
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
    assert second_look.residual_px(corr_file(tmp_path / CORR, pairs)) == (3, pytest.approx(5))


def test_no_pairs_are_no_good_residual(tmp_path: Path) -> None:
    assert second_look.residual_px(corr_file(tmp_path / CORR, [])) == (0, float("inf"))


def test_a_table_cut_short_is_refused(tmp_path: Path) -> None:
    path = corr_file(tmp_path / CORR, [(1, 1, 1, 1)] * 400)
    path.write_bytes(path.read_bytes()[:-2880])
    with pytest.raises(DataError, match="cut short"):
        second_look.residual_px(path)


def test_a_pipe_in_place_of_matches_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / CORR)
    with pytest.raises(DataError, match=r"corr\.fits is no regular file"):
        second_look.residual_px(tmp_path / CORR)


@pytest.mark.parametrize(
    ("changes", "matches", "off_px", "is_taken"),
    [
        pytest.param({}, 60, 1.0, True, id="better"),
        pytest.param({}, 60, 2.5, False, id="worse"),
        pytest.param({}, 5, 0.1, False, id="too few"),
        pytest.param(
            {"position_error_px": 5.0, "tweak_order": 3}, 90, 2.5, True, id="much more of the field, a bit worse"
        ),
        pytest.param(
            {"position_error_px": 5.0, "tweak_order": 3}, 60, 2.5, False, id="no more of the field, a bit worse"
        ),
        pytest.param({"position_error_px": 5.0, "tweak_order": 3}, 90, 4.0, False, id="more of the field, far worse"),
    ],
)
def test_a_second_look_is_taken_where_it_is_better(
    tmp_path: Path, changes: dict[str, object], matches: int, off_px: float, is_taken: bool
) -> None:
    """The first look had 60 matches, 2 pixels off in the median."""
    job = jobdir.create(tmp_path)
    stars = star_table.Stars.from_bytes(*(array("f", range(10)).tobytes() for _ in "xyf"))
    attempt = axy.Attempt(800, 600, stars)
    first, second = engine.Plan(1, attempt, ()), engine.Plan(98, replace(attempt, **changes), ())  # type: ignore[arg-type]
    job.run_dir(98).mkdir()
    corr_file(job.run_dir(98) / CORR, [(10 + n, 10, 10 + n + off_px, 10) for n in range(matches)])
    assert second_look._is_better(job, first, second, (60, 2.0)) == is_taken


@pytest.mark.parametrize(("wall_s", "is_cancelled", "looks"), [(60.0, False, 3), (0.0, False, 0), (60.0, True, 0)])
def test_no_engine_is_started_for_a_second_look_that_has_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wall_s: float, is_cancelled: bool, looks: int
) -> None:
    job = jobdir.create(tmp_path)
    stars = star_table.Stars.from_bytes(*(array("f", range(10)).tobytes() for _ in "xyf"))
    plan = engine.Plan(1, axy.Attempt(800, 600, stars), ())
    job.run_dir(1).mkdir()
    corr_file(job.run_dir(1) / CORR, [(10 + n, 10, 12 + n, 10) for n in range(20)])
    monkeypatch.setattr(second_look, "_second_looks", lambda *_told: iter([plan] * 3))
    monkeypatch.setattr(
        second_look, "_look", lambda *_told: engine.Outcome(98, SECOND_LOOK, engine.EXHAUSTED, 0.1, 0.1)
    )
    taken = second_look.improve(job, plan, (), tmp_path, Limits(), wall_s, lambda: is_cancelled)
    assert len(taken) == looks
