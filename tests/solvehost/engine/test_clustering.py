"""The clustering test: it rejects matches of clustered sources, and keeps those of sources spread over the picture."""

from __future__ import annotations

import dataclasses
import os
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from solvehost.engine import clustering, race, records
from solvehost.engine.slots import Tokens
from solvehost.errors import DataError
from solvehost.formats import axy, jobdir
from solvehost.formats.star_table import Stars
from solvehost.indexes.index_set import IndexSet

WIDTH, HEIGHT = 1280, 960
Positions = Sequence[tuple[float, float]]


def spread_evenly(count: int, seed: int) -> list[tuple[float, float]]:
    """Return random positions all over the picture."""
    rng = np.random.default_rng(seed)
    return [
        (float(x), float(y)) for x, y in zip(rng.uniform(1, WIDTH, count), rng.uniform(1, HEIGHT, count), strict=True)
    ]


def cluster(count: int, seed: int) -> list[tuple[float, float]]:
    """Return random positions within 20 pixels."""
    rng = np.random.default_rng(seed)
    return [(float(x), float(y)) for x, y in rng.uniform(300, 320, (count, 2))]


def attempt_of(positions: Positions, **changes: object) -> axy.Attempt:
    x, y = (array("f", column) for column in zip(*positions, strict=True))
    schedule = axy.Schedule(label="blind")
    attempt = axy.Attempt(WIDTH, HEIGHT, Stars(x, y, array("f", range(len(positions), 0, -1))), schedule=schedule)
    return dataclasses.replace(attempt, **changes)  # type: ignore[arg-type]


def write_corr(path: Path, attempt: axy.Attempt, ranks: Sequence[int]) -> Path:
    columns = {"field_x": attempt.stars.x, "field_y": attempt.stars.y}
    table = [fits.Column(name, "D", array=[column[rank] for rank in ranks]) for name, column in columns.items()]
    fits.BinTableHDU.from_columns(table).writeto(path)
    return path


@pytest.mark.parametrize("count", [8, 30, 150])
def test_stars_all_over_the_picture_lose_little(tmp_path: Path, count: int) -> None:
    """Less than 0.5 in log-odds per star, in the mean over many pictures; each star contributes five or six."""
    costs = []
    for seed in range(20):
        attempt = attempt_of(spread_evenly(count, seed))
        costs.append(clustering.clustering_loss(attempt, write_corr(tmp_path / f"{seed}.fits", attempt, range(count))))
    assert min(costs) >= 0
    assert 0 < np.mean(costs) / count < 0.5


def test_a_double_star_loses_little_more(tmp_path: Path) -> None:
    positions = spread_evenly(12, 1)
    single = attempt_of(positions)
    double = attempt_of([*positions[:11], (positions[0][0] + 3, positions[0][1])])
    costs = [
        clustering.clustering_loss(attempt, write_corr(tmp_path / f"{n}.fits", attempt, range(11)))
        for n, attempt in enumerate((single, double))
    ]
    assert abs(costs[1] - costs[0]) < 2


def test_each_star_of_a_cluster_loses_most_of_what_it_contributed(tmp_path: Path) -> None:
    attempt = attempt_of([*cluster(6, 2), *spread_evenly(6, 3)])
    assert clustering.clustering_loss(attempt, write_corr(tmp_path / "corr.fits", attempt, range(6))) > 6 * 4


def test_stars_that_rank_behind_the_last_matched_one_are_ignored(tmp_path: Path) -> None:
    positions = spread_evenly(12, 4)
    with_cluster = attempt_of([*positions, *cluster(40, 5)])
    ranks = range(12)
    costs = [
        clustering.clustering_loss(attempt, write_corr(tmp_path / f"{n}.fits", attempt, ranks))
        for n, attempt in enumerate((attempt_of(positions), with_cluster))
    ]
    assert costs[0] == costs[1]


def test_two_stars_lose_nothing(tmp_path: Path) -> None:
    attempt = attempt_of(cluster(2, 6))
    assert clustering.clustering_loss(attempt, write_corr(tmp_path / "corr.fits", attempt, range(2))) == 0


# --- Which solutions are doubtful ----------------------------------------------------------------------------------


@pytest.fixture
def solution(tmp_path: Path):
    """A function that writes the files of a solution, and returns whether it is doubtful."""

    def is_doubtful(attempt: axy.Attempt, ranks: Sequence[int], comment: str) -> bool:
        header = fits.Header()
        header.add_comment(comment)
        fits.PrimaryHDU(header=header).writeto(tmp_path / jobdir.WCS)
        write_corr(tmp_path / jobdir.CORR, attempt, ranks)
        return clustering.is_doubtful(attempt, tmp_path)

    return is_doubtful


CLUSTERED = [*cluster(8, 7), *spread_evenly(8, 8)]


@pytest.mark.parametrize(
    ("logodds", "odds_to_solve", "expected"),
    [("31.7", 1e13, True), ("31.7", None, True), ("399", 1e13, False), ("401", 1e13, False)],
)
def test_the_log_odds_that_are_left_must_be_enough(
    solution, logodds: str, odds_to_solve: float | None, expected: bool
) -> None:
    attempt = attempt_of(CLUSTERED, odds_to_solve=odds_to_solve)
    assert solution(attempt, range(10), f"log odds: {logodds}") is expected


def test_the_same_log_odds_of_spread_stars_are_accepted(solution) -> None:
    assert not solution(attempt_of(spread_evenly(16, 9), odds_to_solve=1e13), range(10), "log odds: 31.7")


def test_an_attempt_without_a_schedule_is_never_doubtful(solution) -> None:
    """It comes from another program, such as the original web front-end."""
    assert not solution(attempt_of(CLUSTERED, schedule=axy.Schedule()), range(10), "log odds: 31.7")


@pytest.mark.parametrize("comment", ["index id: 4107", "log odds: many"])
def test_a_solution_without_log_odds_is_not_doubtful(solution, comment: str) -> None:
    assert not solution(attempt_of(CLUSTERED), range(10), comment)


def test_a_pipe_in_place_of_the_matches_does_not_block(tmp_path: Path) -> None:
    """An engine that a malicious star list has taken over could leave one."""
    os.mkfifo(tmp_path / "corr.fits")
    with pytest.raises(DataError, match=r"corr\.fits is not a regular file"):
        clustering.clustering_loss(attempt_of(CLUSTERED), tmp_path / "corr.fits")


def test_only_the_best_stars_of_a_very_long_list_count(tmp_path: Path) -> None:
    """The distances of 100,000 matched stars to all others would be 10¹⁰."""
    many = attempt_of([*CLUSTERED, *[(float(n % WIDTH), float(n // WIDTH)) for n in range(100_000)]])
    corr = write_corr(tmp_path / "corr.fits", many, range(100_000))
    best = attempt_of(list(zip(many.stars.x[:200], many.stars.y[:200], strict=True)))
    assert clustering.clustering_loss(many, corr) == clustering.clustering_loss(best, corr) > 0


# --- In a race ----------------------------------------------------------------------------------------------------


#: Sources of a drawn picture in which clouds hide most stars, best first: 1-based pixels.
CLOUDED = [
    (331.03, 368.47), (328.58, 375.86), (328.18, 369.13), (329.59, 380.69), (319.56, 379.76), (328.31, 358.19),
    (650.83, 897.56), (265.24, 717.81), (333.52, 364.96), (335.48, 385.22), (341.83, 384.06), (313.09, 358.14),
    (663.87, 910.22), (337.62, 376.31), (440.02, 189.98), (346.40, 373.21), (265.68, 725.31), (250.65, 715.21),
]  # fmt: skip


@pytest.mark.engine
@pytest.mark.parametrize("has_schedule", [True, False])
def test_a_false_match_of_a_clouded_picture_is_rejected_in_a_race(
    real_engine: Path, real_indexes: IndexSet, tmp_path: Path, has_schedule: bool
) -> None:
    """Eight of the eighteen sources match stars at a wrong position, with log-odds of 31.7."""
    depths = tuple((first, first + 9) for first in range(1, 200, 10))
    odds = 1e13
    attempt = attempt_of(
        CLOUDED, depths=depths, odds_to_solve=odds, odds_to_keep=odds, tweak_order=2, verify_dedup=False
    )
    job = jobdir.create(tmp_path)
    axy.write(attempt if has_schedule else dataclasses.replace(attempt, schedule=axy.Schedule()), job.axy())
    ended = race.run(
        job, iter([1]), records.RaceTerms(real_engine, real_indexes, Tokens(tmp_path / "slots", 1), wall_s=120)
    )
    if has_schedule:
        assert (ended.status, ended.reason, ended.attempts[0].outcome) == ("unsolved", "exhausted", "doubtful")
        assert not job.wcs.exists()
    else:
        assert ended.status == "solved"
