"""Follow-ups: a candidate is searched for again at its place, and accepted if there is more evidence for it."""

from __future__ import annotations

import contextlib
import math
from array import array
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

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
from solvehost.engine import follow_up, process, race, records
from solvehost.engine.attempts import PlannedAttempt
from solvehost.engine.engine_run import EngineRun, RunState
from solvehost.engine.slots import Tokens
from solvehost.errors import OutputError
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
    assert followed(job) == [".run-100", ".run-101", ".run-102", ".run-104", ".run-105", ".run-106"]


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
    with make_follow_ups(job, run) as follow_ups:
        assert follow_ups.find_winner() is None
        assert follow_ups.best is None


def make_follow_ups(job: jobdir.JobDir, *runs: EngineRun) -> contextlib.closing[follow_up.FollowUps]:
    scheduler: Any = SimpleNamespace(runs=runs)
    return contextlib.closing(follow_up.FollowUps(job, make_terms(job.path), scheduler, math.inf))


def make_ended_run(job: jobdir.JobDir, number: int, *logodds: float, filling: bytes = b"") -> EngineRun:
    """Return a run that has ended, and whose log has a match at another place for each of the log-odds."""
    job.run_dir(number).mkdir()
    matches = (
        MATCH_LINES.replace(b"20.5", b"%g" % odds).replace(b"20.25", b"%d" % at) for at, odds in enumerate(logodds)
    )
    (job.run_dir(number) / jobdir.RUN_LOG).write_bytes(filling + b"".join(matches))
    planned = PlannedAttempt(number, make_attempt("blind"), ())
    return EngineRun(planned, None, 0.0, RunState.ENDED)  # type: ignore[arg-type]


def test_an_attempt_with_many_candidates_leaves_follow_ups_to_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each attempt, the best ones are followed up, best first."""
    job = make_job(tmp_path, make_attempt())
    runs = [make_ended_run(job, 1, *range(14, 20), *range(20, 14, -1)), make_ended_run(job, 2, 15)]
    taken: list[tuple[int, float]] = []

    def reject(follow_ups: follow_up.FollowUps, candidate: records.Candidate, _run: EngineRun) -> bool:
        follow_ups._followed.append(candidate)
        taken.append((candidate.number, candidate.logodds))
        return False

    monkeypatch.setattr(follow_up.FollowUps, "_is_accepted", reject)
    with make_follow_ups(job, *runs) as follow_ups:
        assert follow_ups.find_winner() is None
    assert taken == [(1, 20), (1, 19), (1, 19), (1, 18), (2, 15)]


def test_there_are_numbers_for_all_follow_ups() -> None:
    runs = jobdir.MAX_ATTEMPTS * follow_up.MAX_PER_ATTEMPT * follow_up._RUNS_EACH
    assert runs <= len(jobdir.FOLLOW_UPS)
    assert jobdir.FOLLOW_UPS[0] > jobdir.MAX_ATTEMPTS
    assert jobdir.FOLLOW_UPS[-1] < jobdir.SECOND_LOOKS[0]


def test_the_last_candidate_of_an_ended_engine_is_followed_up(tmp_path: Path) -> None:
    """Its log is longer than what is read at once."""
    job = make_job(tmp_path, make_attempt("log-late-match"))
    assert run_race(job, make_terms(tmp_path)).reason == "exhausted"
    assert followed(job) == [".run-100", ".run-101", ".run-102"]


def test_the_best_candidate_is_known_when_a_limit_ends_the_race(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt())
    with make_follow_ups(job, make_ended_run(job, 1, 16, filling=b"x" * 2**19)) as follow_ups:
        follow_ups.note_last_candidates()
        assert follow_ups.best is not None
        assert follow_ups.best.logodds == 16


def test_the_cpu_time_of_follow_ups_counts_towards_the_limit_of_the_race(tmp_path: Path) -> None:
    """The first run of the follow-up uses it up."""
    job, terms = make_job(tmp_path, make_attempt("log-match 20 sleep")), make_terms(tmp_path)
    (job.path / "burn").touch()
    result = run_race(job, replace(terms, cpu_s=0.25))
    assert (result.status, result.reason) == ("unsolved", "time-limit")
    assert followed(job) == [".run-100"]


def test_a_cancelled_race_starts_no_further_run_of_a_follow_up(tmp_path: Path) -> None:
    job = make_job(tmp_path, make_attempt("log-match 20 sleep"))
    terms = make_terms(tmp_path, cancelled=(job.path / "followed").exists)
    result = run_race(job, terms)
    assert result.reason == "cancelled"
    assert [label for label, _ in labels(result)].count("follow-up") == 1


def test_a_follow_up_needs_memory_that_other_engines_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine that would be paused uses all that one may use."""
    job, terms = make_job(tmp_path, make_attempt("log-match 20 sleep")), make_terms(tmp_path, count=1, wall_s=1.0)
    monkeypatch.setattr(process.EngineProcess, "memory_bytes", terms.limits.data_bytes)
    result = run_race(job, terms)
    assert result.candidate is not None
    assert followed(job) == []


def test_a_full_disk_is_not_taken_for_a_rejected_candidate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, terms = make_job(tmp_path, make_attempt("log-match 20 sleep")), make_terms(tmp_path)

    def write(_attempt: axy.Attempt, _path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(axy, "write", write)
    with pytest.raises(OutputError, match=r"job-100\.axy: No space left on device"):
        run_race(job, terms)
    assert_clean(job, terms, "backend.log")


def test_a_solution_that_cannot_be_moved_is_an_error_of_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, terms = make_job(tmp_path, make_attempt("log-match 20 sleep")), make_terms(tmp_path)
    (job.path / "confirm").touch()

    def replace_file(_path: Path, _target: Path) -> Path:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "replace", replace_file)
    with pytest.raises(OutputError, match="Input/output error: the results cannot be put in place"):
        run_race(job, terms)
    assert_clean(job, terms, "backend.log", "confirm", "followed")


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
