"""The comparison of nova with matchers of star patterns: which pictures, which answers count, what the report says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import pattern_matchers
from cases import Case
from pattern_matchers import RIGHT, UNSOLVED, WRONG, Trial
from truths import Place, Truth

TRUTH = Truth(Place(100.0, 20.0, 60.0, -1.0), 1200)  # 20° wide


@pytest.mark.parametrize(
    ("place", "outcome"),
    [
        (None, UNSOLVED),
        ((100.5, 20.5, 61.0, -1.0), RIGHT),
        ((102.0, 20.0, 60.0, -1.0), WRONG),
        ((100.0, 20.0, 64.0, -1.0), WRONG),
        ((100.0, 20.0, 60.0, 1.0), WRONG),
    ],
)
def test_an_answer_is_right_if_place_scale_and_parity_are(
    place: tuple[float, float, float, float] | None, outcome: str
) -> None:
    assert pattern_matchers.outcome_of(place, TRUTH) == outcome


def test_only_pictures_of_known_width_in_the_range_are_compared() -> None:
    cases = [Case("a", Path("a"), TRUTH), Case("b", Path("b"), None)]
    assert [case.name for case, _ in pattern_matchers.wide_cases(cases, 10, 34)] == ["a"]
    assert not list(pattern_matchers.wide_cases(cases, 25, 34))


def test_medians_are_those_of_pictures_that_all_programs_solve() -> None:
    trials = [
        Trial("one", "a", 20.0, RIGHT, 1.0, 0.2),
        Trial("one", "b", 20.0, RIGHT, 9.0, 8.0),
        Trial("two", "a", 20.0, RIGHT, 0.5, 0.1),
        Trial("two", "b", 20.0, WRONG, 0.5, 0.1),
    ]
    report = pattern_matchers.report(trials)
    assert "| one | 2 of 2 | 0 | 1.00 | 0.200 | 8.2 |" in report
    assert "| two | 1 of 2 | 1 | 0.50 | 0.100 | 0.2 |" in report
    assert "| b | 20.0° | 8.000 | wrong |" in report
