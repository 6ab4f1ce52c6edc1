"""Follow-ups: a candidate is searched for again at its place, and accepted if there is more evidence for it."""

from __future__ import annotations

import math
from array import array
from dataclasses import replace
from pathlib import Path

import pytest
import standin
from standin import assert_clean, make_attempt, make_job, make_terms, outcomes, run_race

from novacli.demo.catalogue import Catalogue, find_index
from novacli.demo.drawing import draw
from novacli.demo.scene import Scene
from novacli.extraction.detect import DetectionSettings
from novacli.extraction.extractor import StarExtractor
from novacli.extraction.order import StarOrder
from novacli.inputs import from_array
from solvehost.engine import follow_up, race, records
from solvehost.engine.attempts import PlannedAttempt
from solvehost.engine.scheduler import EngineRun
from solvehost.engine.slots import Tokens
from solvehost.formats import axy, jobdir
from solvehost.formats.fitsfile import read_primary_header
from solvehost.formats.star_table import Stars
from solvehost.indexes.index_set import IndexSet

MATCH_LINES = (
    b"  log-odds ratio 20.5 (8e+08), 6 match, 0 conflict, 1 distractors, 18 index.\n"
    b"  RA,Dec = (10.5,20.25), pixel scale 30 arcsec/pix.\n"
)
CANDIDATE = records.Candidate(1, "one", 20.0, 10.5, 20.25, 30.0)


def followed(job: jobdir.JobDir) -> list[str]:
    """Return the working directories of the engines that followed a candidate up."""
    path = job.path / "followed"
    return path.read_text().split() if path.exists() else []


def test_a_confirmed_candidate_is_the_solution_of_its_attempt(tmp_path: Path) -> None:
    """The engine of the attempt still runs; the client of a server knows no other attempt."""
    job, terms = make_job(tmp_path, make_attempt("log-match 20 sleep")), make_terms(tmp_path)
    (job.path / "confirm").touch()
    result = run_race(job, terms)
    assert (result.status, result.reason, result.winner) == ("solved", "none", 1)
    assert outcomes(result) == ["solved", "solved"]
    assert read_primary_header(job.wcs)["CRVAL1"] == 77.0
    assert_clean(job, terms, "wcs.fits", "corr.fits", "rdls.fits", "backend.log", "confirm", "followed")


def test_a_candidate_that_is_not_confirmed_is_dropped(tmp_path: Path) -> None:
    """Each place is searched once for each attempt."""
    job = make_job(tmp_path, make_attempt("log-match 20"), make_attempt("log-match 25"))
    result = run_race(job, make_terms(tmp_path))
    assert (result.status, result.reason) == ("unsolved", "exhausted")
    assert followed(job) == [".run-30", ".run-31", ".run-32", ".run-34", ".run-35", ".run-36"]


def test_a_match_that_the_engine_accepts_is_left_to_it(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("log-match 21 solve"))
    assert run_race(job, make_terms(tmp_path)).status == "solved"
    assert followed(job) == []


def test_candidates_of_other_programs_are_not_followed_up(tmp_path: Path) -> None:
    """Their attempts have no schedule, so the engine's judgement is final."""
    planned = PlannedAttempt(1, replace(make_attempt(), schedule=axy.Schedule()), ())
    run = EngineRun(planned, None, 0.0)  # type: ignore[arg-type]
    job = make_job(tmp_path, make_attempt())
    job.run_dir(1).mkdir()
    (job.run_dir(1) / jobdir.RUN_LOG).write_bytes(MATCH_LINES)
    follow_ups = follow_up.FollowUps(job, make_terms(tmp_path), math.inf)
    assert follow_ups.find_winner([run]) is None
    assert follow_ups.best is None


def test_the_search_covers_the_place_and_scale_of_the_candidate() -> None:
    attempt = replace(make_attempt("blind"), odds_to_solve=1e13)
    files = (standin.make_index("a.fits"), standin.make_index("b.fits", 1, 2))
    search = follow_up.plan_search(CANDIDATE, PlannedAttempt(1, attempt, ()), files, 20)
    assert search.attempt.center_deg == (10.5, 20.25)
    assert search.attempt.radius_deg == pytest.approx(math.hypot(1000, 800) / 2 * 30 / 3600)
    assert search.attempt.scales_arcsec_per_pixel == (axy.Range(pytest.approx(29.1), pytest.approx(30.9)),)
    assert [file.path.name for file in search.files] == ["a.fits"]
    tuned = [precise.attempt.odds_to_tune for precise in follow_up.precise_searches(search)]
    assert (search.attempt.odds_to_solve, tuned) == (pytest.approx(1e6), [1e100, 1e100])


# --- With the real engine ----------------------------------------------------------------------------------------

SPARSE = Scene(52.019, 35.923, 8.093, rotation_deg=78.3, mirrored=True, limit_mag=6.785, trail=False, seed=252949353)
RICH = Scene(84.0, -3.0, width_deg=10.0, trail=False)


@pytest.fixture
def solve(real_engine: Path, real_indexes: IndexSet, tmp_path: Path):
    """A function that races one attempt at a drawn scene with its best stars; the job has a longer list as well."""

    def run(scene: Scene, count: int, odds: float, is_longer_list_true: bool = True) -> records.RaceResult:
        drawing = draw(scene, Catalogue.open(find_index([f.path for f in real_indexes.files])))
        stars = StarExtractor(from_array(drawing.pixels.astype("f4"))).stars(DetectionSettings(1), StarOrder.FLUX)
        best = Stars(stars.x[:count], stars.y[:count], stars.flux[:count])
        others = stars if is_longer_list_true else Stars(stars.x, array("f", reversed(stars.y)), stars.flux)
        attempt = axy.Attempt(
            scene.width_px, scene.height_px, best, odds_to_solve=odds, schedule=axy.Schedule(label="blind")
        )
        job = jobdir.create(tmp_path)
        axy.write(attempt, job.axy(1))
        axy.write(replace(attempt, stars=others), job.axy(2))
        terms = records.RaceTerms(real_engine, real_indexes, Tokens(tmp_path / "slots", 1), wall_s=60)
        return race.run(job, iter([1]), terms)

    return run


def labels(result: records.RaceResult) -> list[tuple[str, str]]:
    return [(attempt.label, attempt.outcome) for attempt in result.attempts]


@pytest.mark.engine
def test_a_precise_match_of_few_stars_is_accepted(solve) -> None:
    """The attempt itself accepts no match."""
    result = solve(SPARSE, 20, odds=1e60)
    assert result.status == "solved"
    assert labels(result)[-1] == ("follow-up", "solved")


@pytest.mark.engine
@pytest.mark.parametrize(("is_true", "status"), [(True, "solved"), (False, "unsolved")])
def test_the_other_stars_of_the_job_confirm_a_match(
    solve, monkeypatch: pytest.MonkeyPatch, is_true: bool, status: str
) -> None:
    """The attempt itself accepts no match."""
    monkeypatch.setattr(follow_up, "PRECISE", ())
    result = solve(RICH, 7, odds=1e60, is_longer_list_true=is_true)
    assert ("follow-up", "solved") in labels(result)
    assert result.status == status
