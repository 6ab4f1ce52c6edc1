"""The choice of the portfolio: races simulated by the rules of the real one, orders of stars, and trials of members."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import index_scaling
import portfolio
import race_vs_best
import races
from candidates import CANDIDATES, ORDERS, candidate
from hypothesis import given
from hypothesis import strategies as st
from races import LOST_S, Alone, Entry

from novacli.strategy.portfolio import BLIND

A, B, C = "a", "b", "c"


def solves(seconds: float) -> Alone:
    """A member that solves after so many seconds."""
    return Alone(seconds)


def gives_up(seconds: float = math.inf) -> Alone:
    """A member that does not solve."""
    return Alone(None, seconds)


# --- Simulated races -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "field", "cores", "expected_s"),
    [
        pytest.param([Entry(A)], {A: solves(2.0)}, 1, 2.0, id="alone"),
        pytest.param([Entry(A), Entry(B)], {A: gives_up(), B: solves(1.0)}, 2, 1.0, id="side by side"),
        pytest.param([Entry(A), Entry(B)], {A: gives_up(0.1), B: solves(1.0)}, 1, 1.1, id="one after the other"),
        pytest.param([Entry(A), Entry(B, 5.0)], {A: gives_up(0.1), B: solves(1.0)}, 2, 1.1, id="no idle wait"),
        pytest.param([Entry(A), Entry(B, 0.5)], {A: gives_up(9.0), B: solves(1.0)}, 2, 1.5, id="a delay is kept"),
        # A runs 0.3 s, then B 0.3 s, then A 0.6 s, then B's last 0.1 s.
        pytest.param([Entry(A), Entry(B)], {A: gives_up(), B: solves(0.4)}, 1, 1.3, id="turns on one core"),
        pytest.param([Entry(A)], {A: gives_up()}, 2, math.inf, id="never"),
        pytest.param([Entry(A)], {B: solves(1.0)}, 2, math.inf, id="not in the schedule"),
        pytest.param([Entry(A)], {A: Alone(1.0, math.inf, "bin2")}, 1, 1.02, id="stars are looked for first"),
    ],
)
def test_duration_of_a_race_follows_the_rules(
    schedule: list[Entry], field: dict[str, Alone], cores: int, expected_s: float
) -> None:
    """Cores are shared in turns that double; delays are kept while something runs."""
    assert races.race_s(schedule, field, cores) == pytest.approx(expected_s)


times = st.floats(0.01, 20)
members = st.one_of(times.map(solves), times.map(gives_up), st.just(gives_up()))


@given(st.fixed_dictionaries({A: members, B: members, C: members}), st.sampled_from([1, 2, 3]))
def test_race_is_never_faster_than_its_best_member_and_solves_its_fields(field: dict[str, Alone], cores: int) -> None:
    """Whatever the members do, the first to solve ends it, and one that solves is reached."""
    schedule = [Entry(A), Entry(B), Entry(C, 0.3)]
    best_s = min((a.solved_s for a in field.values() if a.solved_s is not None), default=math.inf)
    taken_s = races.race_s(schedule, field, cores)
    assert taken_s >= best_s - 1e-9
    if math.isfinite(best_s):
        assert taken_s <= 8 * best_s + 3


def test_complementary_members_are_chosen() -> None:
    """One solves half of the fields, another the other half; a third is slower than both everywhere."""
    fields = {f"field {n}": {A: solves(0.1), B: gives_up(), C: solves(5.0)} for n in range(4)}
    fields |= {f"other {n}": {A: gives_up(), B: solves(0.1), C: solves(5.0)} for n in range(4)}
    chosen = races.choose(fields, [C, A, B])
    assert {e.member for e in chosen} == {A, B}
    score = races.score(chosen, fields)
    assert score.lost == ()
    assert score.over_best == pytest.approx(1.0)
    assert races.score([Entry(A)], fields).lost == tuple(f"other {n}" for n in range(4))
    assert races.score([Entry(A)], fields).worst_s > LOST_S


# --- Candidates ------------------------------------------------------------------------------------------------------


def a_table(count: int) -> np.ndarray:
    """Return sources at random places."""
    chance = np.random.default_rng(count)
    names = ("x", "y", "flux", "peak", "a", "b", "likeness")
    table = np.zeros(count, dtype=[(name, np.float64) for name in names])
    for name in names:
        table[name] = chance.uniform(1, 100, count)
    return table


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("count", [0, 1, 5, 300])
def test_order_has_no_star_twice(name: str, count: int) -> None:
    """Orders may leave stars out, but not repeat or invent them."""
    rows = [int(n) for n in ORDERS[name](a_table(count), (101.0, 101.0))]
    assert len(set(rows)) == len(rows)
    assert set(rows) <= set(range(count))


def test_names_of_members_are_unique() -> None:
    """A name tells a member; every member that ships is a candidate, so that a choice can be held against it."""
    assert len({c.name for c in CANDIDATES}) == len(CANDIDATES)
    assert [candidate(e.member).name for e in portfolio.shipped()] == [e.member for e in portfolio.shipped()]
    assert len(portfolio.shipped()) == len(BLIND)


# --- Trials ----------------------------------------------------------------------------------------------------------


def test_trials_round_trip(tmp_path: Path) -> None:
    """Solved, given up and not fit: what races make of each."""
    rows = [
        {"field": "f", "member": "all flux bin2", "width_deg": 3.0, "outcome": "solved", "cpu_s": 0.4},
        {"field": "f", "member": "all flux bin1", "width_deg": 3.0, "outcome": "exhausted", "cpu_s": 0.7},
        {"field": "f", "member": "all peak bin1", "width_deg": 3.0, "outcome": "limited", "cpu_s": 2.0},
    ]
    (tmp_path / "trials").write_text("".join(json.dumps(row) + "\n" for row in rows))
    trials = portfolio.read_trials([tmp_path / "trials"])
    assert portfolio.as_fields(trials) == {
        "f": {
            "all flux bin2": Alone(0.4, math.inf, "bin2"),
            "all flux bin1": Alone(None, 0.7, "bin1"),
            "all peak bin1": Alone(None, math.inf, "bin1"),
        }
    }
    assert race_vs_best.fastest(trials, "f", 3) == ["all flux bin2"]


@pytest.mark.engine
def test_members_are_tried_on_a_drawn_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wide field: coarse files solve it, fine ones do not fit; nothing is tried twice; a choice can be made."""
    out = tmp_path / "trials"
    command = ["measure", str(out), "--drawn", "1", "--seed", "2101", "--only", "mixed bin2", "--limit", "0.5"]
    assert portfolio.main(command) == 0
    first = portfolio.read_trials([out])
    assert "solved" in {t.outcome for t in first}
    assert len(first) == len([c for c in CANDIDATES if "mixed bin2" in c.name])
    assert portfolio.main(command) == 0
    assert len(portfolio.read_trials([out])) == len(first)
    assert portfolio.main(["choose", str(out)]) == 0
    assert "chosen, on 2 cores" in capsys.readouterr().out


# --- What files cost -------------------------------------------------------------------------------------------------


def test_least_squares_recovers_the_costs() -> None:
    """From CPU times that follow the model, its numbers; more quads cost more matches."""
    true = index_scaling.Costs(start_s=0.01, file_s=0.001, group_s=1e-6, match_s=20e-6, matches_per_entry=1e-8)
    lookups = [
        index_scaling.Lookup(
            f"{n}",
            4,
            entries,
            60.0,
            tried,
            matched := round(entries * tried * 1e-8),
            0.011 + tried * 1e-6 + matched * 20e-6,
        )
        for n, (entries, tried) in enumerate(
            [(10_000_000, 5000), (20_000_000, 9000), (50_000_000, 3000), (1000, 20000)]
        )
    ]
    found = index_scaling.fit(lookups, true.file_s)
    assert found.start_s == pytest.approx(true.start_s, rel=0.01)
    assert found.match_s == pytest.approx(true.match_s, rel=0.01)
    assert found.matches_per_entry == pytest.approx(true.matches_per_entry, rel=0.01)
    one_s, all_s = (index_scaling.expected_s(found, 1e7, files, 1000) - found.start_s for files in (1, 48))
    assert all_s == pytest.approx(48 * one_s)
