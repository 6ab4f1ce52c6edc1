"""Matches that rest on clumps of sources are none; what is spread over the picture, doubles and all, is let be."""

from __future__ import annotations

import dataclasses
import os
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from novacli.demo.catalogue import Catalogue, find_index
from novacli.demo.drawing import draw
from novacli.demo.scene import Scene
from novacli.extraction.sources import Sources
from novacli.inputs import from_array
from novacli.records.hints import Hints
from novacli.records.params import SolveParams
from novacli.strategy import attempts as strategy
from solvehost.engine import clustering, race
from solvehost.engine.slots import Tokens
from solvehost.errors import DataError
from solvehost.formats import axy, jobdir
from solvehost.formats.star_table import Stars
from solvehost.indexes.index_set import IndexSet

WIDTH, HEIGHT = 1280, 960
Places = Sequence[tuple[float, float]]


def evenly(count: int, seed: int) -> list[tuple[float, float]]:
    """Return places all over the picture."""
    rng = np.random.default_rng(seed)
    return [
        (float(x), float(y)) for x, y in zip(rng.uniform(1, WIDTH, count), rng.uniform(1, HEIGHT, count), strict=True)
    ]


def clump(count: int, seed: int) -> list[tuple[float, float]]:
    """Return places within 20 pixels."""
    rng = np.random.default_rng(seed)
    return [(float(x), float(y)) for x, y in rng.uniform(300, 320, (count, 2))]


def attempt_of(places: Places, **changes: object) -> axy.Attempt:
    x, y = (array("f", column) for column in zip(*places, strict=True))
    schedule = axy.Schedule(label="blind")
    attempt = axy.Attempt(WIDTH, HEIGHT, Stars(x, y, array("f", range(len(places), 0, -1))), schedule=schedule)
    return dataclasses.replace(attempt, **changes)  # type: ignore[arg-type]


def write_corr(path: Path, attempt: axy.Attempt, ranks: Sequence[int]) -> Path:
    columns = {"field_x": attempt.stars.x, "field_y": attempt.stars.y}
    table = [fits.Column(name, "D", array=[column[rank] for rank in ranks]) for name, column in columns.items()]
    fits.BinTableHDU.from_columns(table).writeto(path)
    return path


@pytest.mark.parametrize("count", [8, 30, 150])
def test_stars_all_over_the_picture_cost_little(tmp_path: Path, count: int) -> None:
    """Less than half an e-fold a star, in the mean over many pictures: each brings five or six."""
    costs = []
    for seed in range(20):
        attempt = attempt_of(evenly(count, seed))
        costs.append(clustering.cost(attempt, write_corr(tmp_path / f"{seed}.fits", attempt, range(count))))
    assert min(costs) >= 0
    assert 0 < np.mean(costs) / count < 0.5


def test_a_double_star_costs_nothing_more(tmp_path: Path) -> None:
    places = evenly(12, 1)
    single = attempt_of(places)
    double = attempt_of([*places[:11], (places[0][0] + 3, places[0][1])])
    costs = [
        clustering.cost(attempt, write_corr(tmp_path / f"{n}.fits", attempt, range(11)))
        for n, attempt in enumerate((single, double))
    ]
    assert abs(costs[1] - costs[0]) < 2


def test_each_star_of_a_clump_costs_as_much_as_it_brought(tmp_path: Path) -> None:
    attempt = attempt_of([*clump(6, 2), *evenly(6, 3)])
    assert clustering.cost(attempt, write_corr(tmp_path / "corr.fits", attempt, range(6))) > 6 * 4


def test_stars_that_rank_behind_all_that_matched_do_not_count(tmp_path: Path) -> None:
    places = evenly(12, 4)
    with_clump = attempt_of([*places, *clump(40, 5)])
    ranks = range(12)
    costs = [
        clustering.cost(attempt, write_corr(tmp_path / f"{n}.fits", attempt, ranks))
        for n, attempt in enumerate((attempt_of(places), with_clump))
    ]
    assert costs[0] == costs[1]


def test_two_stars_are_too_few_to_say(tmp_path: Path) -> None:
    attempt = attempt_of(clump(2, 6))
    assert clustering.cost(attempt, write_corr(tmp_path / "corr.fits", attempt, range(2))) == 0


# --- Whether a solution is believed -------------------------------------------------------------------------------


@pytest.fixture
def solution(tmp_path: Path):
    """A function that leaves a solution as an engine does, and says whether it is doubtful."""

    def doubted(attempt: axy.Attempt, ranks: Sequence[int], comment: str) -> bool:
        header = fits.Header()
        header.add_comment(comment)
        fits.PrimaryHDU(header=header).writeto(tmp_path / jobdir.WCS)
        write_corr(tmp_path / jobdir.CORR, attempt, ranks)
        return clustering.is_doubtful(attempt, tmp_path)

    return doubted


CLUMPED = [*clump(8, 7), *evenly(8, 8)]


@pytest.mark.parametrize(
    ("logodds", "odds_to_solve", "expected"),
    [("31.7", 1e13, True), ("31.7", None, True), ("399", 1e13, False), ("401", 1e13, False)],
)
def test_what_clumps_leave_must_be_enough(solution, logodds: str, odds_to_solve: float | None, expected: bool) -> None:
    attempt = attempt_of(CLUMPED, odds_to_solve=odds_to_solve)
    assert solution(attempt, range(10), f"log odds: {logodds}") is expected


def test_the_same_match_of_stars_that_lie_apart_is_believed(solution) -> None:
    assert not solution(attempt_of(evenly(16, 9), odds_to_solve=1e13), range(10), "log odds: 31.7")


def test_the_engine_s_word_stands_for_attempts_that_are_not_of_a_race(solution) -> None:
    """Those of the original web front-end, which has always had it."""
    assert not solution(attempt_of(CLUMPED, schedule=axy.Schedule()), range(10), "log odds: 31.7")


@pytest.mark.parametrize("comment", ["index id: 4107", "log odds: many"])
def test_what_cannot_be_weighed_stands(solution, comment: str) -> None:
    assert not solution(attempt_of(CLUMPED), range(10), comment)


def test_a_pipe_in_place_of_matches_is_not_waited_for(tmp_path: Path) -> None:
    """It is what an engine that a poisoned list has taken over would leave."""
    os.mkfifo(tmp_path / "corr.fits")
    with pytest.raises(DataError, match=r"corr\.fits is no regular file"):
        clustering.cost(attempt_of(CLUMPED), tmp_path / "corr.fits")


def test_a_list_of_very_many_stars_is_weighed_by_its_best(tmp_path: Path) -> None:
    """A hundred thousand, all matched, would be ten thousand million pairs."""
    many = attempt_of([*CLUMPED, *[(float(n % WIDTH), float(n // WIDTH)) for n in range(100_000)]])
    corr = write_corr(tmp_path / "corr.fits", many, range(100_000))
    best = attempt_of(list(zip(many.stars.x[:200], many.stars.y[:200], strict=True)))
    assert clustering.cost(many, corr) == clustering.cost(best, corr) > 0


# --- In a race ----------------------------------------------------------------------------------------------------


@pytest.mark.engine
@pytest.mark.parametrize("of_a_race", [True, False])
def test_a_clouded_picture_that_the_engine_takes_for_a_cluster_is_not_solved(
    real_engine: Path, real_indexes: IndexSet, tmp_path: Path, of_a_race: bool
) -> None:
    """A drawn one: eight of its eighteen sources meet stars at a wrong place, to log-odds of 31.7."""
    scene = Scene(
        341.865284714875, 59.10582457119667, width_deg=20.0, width_px=WIDTH, height_px=HEIGHT, rotation_deg=190.0,
        clouds=1.0, seed=1771437883, date_obs="2026-03-03T21:58:00",
    )  # fmt: skip
    drawn = draw(scene, Catalogue.open(find_index([f.path for f in real_indexes.files])))
    sources = Sources(from_array(drawn.pixels.astype("f4")))
    attempts = strategy.attempts(sources, SolveParams(blind=True), Hints(), real_indexes.files)
    attempt = next(a for a in attempts if a.schedule.label == "all indexes by flux (blind)")
    job = jobdir.create(tmp_path)
    axy.write(attempt if of_a_race else dataclasses.replace(attempt, schedule=axy.Schedule()), job.axy())
    ended = race.run(job, iter([1]), race.Terms(real_engine, real_indexes, Tokens(tmp_path / "slots", 1), wall_s=120))
    if of_a_race:
        assert (ended.status, ended.reason, ended.attempts[0].outcome) == ("unsolved", "exhausted", "doubtful")
        assert not job.wcs.exists()
    else:
        assert ended.status == "solved"
