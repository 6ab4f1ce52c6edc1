"""Why a job was not solved."""

from __future__ import annotations

import math
from array import array
from dataclasses import replace
from pathlib import Path

import pytest
from made_jobs import make_job

from novacli.pipeline.diagnosis import diagnose, is_crowded
from novacli.records.diagnosis import Cause, RejectedMatch
from solvehost.engine.records import AttemptOutcome, Candidate, RaceResult
from solvehost.formats import axy
from solvehost.formats.axy import Range
from solvehost.formats.jobdir import JobDir
from solvehost.formats.star_table import Stars
from solvehost.indexes.index_file import IndexFile

EXHAUSTED = RaceResult("unsolved", "exhausted", None, (), (), (), 0.5, 0.4)


@pytest.fixture
def job(tmp_path: Path) -> JobDir:
    return make_job(tmp_path, "interrupted")


def attempt_at(x: list[float], y: list[float], odds: float | None = None) -> axy.Attempt:
    stars = Stars(array("f", x), array("f", y), array("f", [1.0] * len(x)))
    return axy.Attempt(1000, 800, stars, odds_to_solve=odds)


def spread(count: int) -> axy.Attempt:
    """Return an attempt whose stars are spread evenly."""
    return attempt_at([(n * 0.618 % 1) * 1000 for n in range(count)], [n * 800 / count for n in range(count)])


def test_the_stars_of_the_longest_list_are_counted(job: JobDir) -> None:
    for number, count in (1, 9), (2, 60), (3, 20):
        axy.write(spread(count), job.axy(number))
    found = diagnose(job, EXHAUSTED, None)
    assert (found.stars, found.causes, found.match, found.widths_deg) == (60, (), None, ())


def test_few_stars_are_a_cause(job: JobDir) -> None:
    axy.write(spread(9), job.axy(1))
    assert diagnose(job, EXHAUSTED, None).causes == (Cause.FEW_STARS,)


def test_a_match_of_clustered_sources_is_a_cause(job: JobDir) -> None:
    axy.write(spread(60), job.axy(1))
    race = replace(EXHAUSTED, attempts=(AttemptOutcome(1, "one", "doubtful", 0.1, 0.1),))
    assert diagnose(job, race, None).causes == (Cause.CLUSTERED,)


def test_the_best_match_states_what_its_attempt_asked_for(job: JobDir) -> None:
    axy.write(replace(spread(60), odds_to_solve=1e13), job.axy(1))
    race = replace(EXHAUSTED, candidate=Candidate(1, "one", 18.5, 83.2, -5.1, 12.0))
    expected = RejectedMatch(83.2, -5.1, 12.0, 18.5, pytest.approx(math.log(1e13)), "one")
    assert diagnose(job, race, None).match == expected


def test_the_widths_that_the_index_files_solve_are_stated(job: JobDir) -> None:
    file = IndexFile(Path("one.fits"), 4110, -1, 0, Range(60, 120), 1, 1, 1)
    assert diagnose(job, EXHAUSTED, [file]).widths_deg == ((2.0, 20.0),)


def test_a_list_in_a_corner_is_crowded() -> None:
    """One star of four is spread over the picture, the others lie at its bottom."""
    bottom = attempt_at([n * 5 % 1000 for n in range(200)], [n % 100 for n in range(200)])
    both = [
        [*a, *b]
        for a, b in zip((bottom.stars.x, bottom.stars.y), (spread(60).stars.x, spread(60).stars.y), strict=True)
    ]
    assert is_crowded(attempt_at(*both))
    assert not is_crowded(spread(200))
    assert not is_crowded(attempt_at([1.0] * 20, [1.0] * 20))
