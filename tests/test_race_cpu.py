"""The benchmark of the CPU time of all engines of a race."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import race_cpu


def attempt(label: str, outcome: str, cpu_s: float) -> dict[str, Any]:
    return {"label": label, "outcome": outcome, "cpu_s": cpu_s}


def test_the_winner_is_compared_with_all_engines_but_second_looks() -> None:
    attempts = [
        attempt("by peak", "stopped", 0.3),
        attempt("by flux", "solved", 0.2),
        attempt("second look", "solved", 0.5),
        attempt("never started", "no-index", 0.0),
    ]
    outcome = race_cpu.outcome_of("a", {"status": "solved", "timing": {"attempts": attempts}})
    assert outcome is not None
    assert (outcome.winner, outcome.engines, outcome.looks_s) == ("by flux", 3, 0.5)
    assert outcome.all_s == pytest.approx(1.0)
    assert outcome.ratio == pytest.approx(2.5)


@pytest.mark.parametrize("result", [{}, {"status": "unsolved", "timing": {"attempts": [attempt("a", "stopped", 1.0)]}}])
def test_an_unsolved_image_has_no_winner(result: dict[str, Any]) -> None:
    assert race_cpu.outcome_of("a", result) is None


def test_nothing_solved_is_a_sentence() -> None:
    assert race_cpu._sentence([]) == "Nothing was solved."
