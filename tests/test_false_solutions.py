"""The study of false solutions: its pictures, its records and its statistics are what they claim to be."""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import false_solutions
import falseclumps
import falsefollowed
import falserecords
import falsereport
import falsetail
import falsetext
import matchlines
import nosky
from falsetail import Heard

from novacli.demo.catalogue import Catalogue
from novacli.demo.scene import Camera
from solvehost.formats import axy, match_lines
from solvehost.formats.star_table import Stars
from solvehost.indexes.index_set import IndexSet

LOG = b"""Reading file "../job.axy"...
  log-odds ratio 7.5016 (1810.94), 0 match, 0 conflict, 0 distractors, 28 index.
  RA,Dec = (12.8598,-19.2197), pixel scale 5.19738 arcsec/pix.
Field 1 did not solve (index index-tycho2-10.littleendian.fits, field objects 1-6).
  log-odds ratio 14.5 (1.98e+06), 5 match, 1 conflict, 12 distractors, 30 index.
  RA,Dec = (-0.5,88), pixel scale 1.2e+02 arcsec/pix.
"""


@pytest.fixture(scope="module")
def made_catalogue() -> Catalogue:
    """Stars all over a sky of our own."""
    rng = np.random.default_rng(5)
    points = rng.normal(size=(60_000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return Catalogue(Path("made.fits"), "MAG", points, 4 + 7 * np.sqrt(rng.random(60_000)), np.zeros(3), 1.0)


# --- The pictures ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", nosky.KINDS)
def test_number_determines_the_image(kind: str, made_catalogue: Catalogue) -> None:
    one, again, other = (nosky.draw(kind, number, made_catalogue) for number in (3, 3, 4))
    assert np.array_equal(one.pixels, again.pixels)
    assert one.pixels.shape != other.pixels.shape or not np.array_equal(one.pixels, other.pixels)
    assert one.pixels.shape[::-1] in nosky.SIZES_PX
    assert one.pixels.std() > 0


@pytest.mark.parametrize("kind", ["sheared", "stretched", "scattered", "swapped"])
def test_no_similarity_restores_the_real_sky(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn, a scale and a mirror, the best that there are, leave stars far more than a lens's distortion away."""
    rng = np.random.default_rng(1)
    x, y = 800 + rng.uniform(-100, 100, (2, 40))
    sky = nosky._Sky(x, y, np.ones(40), nosky.TrueSky(0, 0, 10, 30))
    monkeypatch.setattr(nosky, "_real", lambda *_: sky)
    for _ in range(10):
        spots = nosky.KINDS[kind](rng, 1600, 1600, None)  # type: ignore[arg-type]
        assert len(spots.x) == 40
        assert best_similarity_rms(x + 1j * y, spots.x + 1j * spots.y) > 8


def test_foreground_hides_stars() -> None:
    """A kind with a foreground has fewer of the same stars, and light that may be negative but never below the sky."""
    behind, there = (
        draw(np.random.default_rng(2), 400, 300, None)  # type: ignore[arg-type]
        for draw in (nosky._scenery("roof", stars=nosky._random), nosky._random)
    )
    assert 0 < len(behind.x) < len(there.x)
    assert set(behind.x) < set(there.x)
    assert behind.light is not None
    assert -Camera().sky_e < behind.light.min() < 0


def best_similarity_rms(before: Any, after: Any) -> float:
    """Return the least distance in pixels (root mean square) to which a similarity brings ``before`` to ``after``."""
    left = []
    for start in (before, before.conj()):
        design = np.stack([start, np.ones(len(start))], axis=1)
        solved = np.linalg.lstsq(design, after, rcond=None)[0]
        left.append(float(np.sqrt(np.mean(np.abs(design @ solved - after) ** 2))))
    return min(left)


def test_plain_similarity_would_be_recognised() -> None:
    """The test above can fail: a mirrored, turned and scaled sky is brought back."""
    before = np.array([1 + 2j, 5 + 1j, 3 + 7j, 9 + 9j])
    assert best_similarity_rms(before, (2 + 1j) * before.conj() + 30) < 1e-9


@pytest.mark.parametrize(
    ("place", "is_true"),
    [((10.0, 20.0, 30.0), True), ((14.0, 21.0, 20.0), True), ((16.0, 20.0, 30.0), False), ((10.0, 20.0, 70.0), False)],
)
def test_match_of_the_distorted_sky_is_recognised_by_place_and_scale(
    place: tuple[float, float, float], is_true: bool
) -> None:
    assert nosky.TrueSky(10.0, 20.0, 10.0, 30.0).is_at(*place) is is_true


# --- What the engine says, and how it is made to -----------------------------------------------------------------


def test_matches_in_a_log_are_parsed() -> None:
    first, second = match_lines.read(LOG)
    assert (first.logodds, first.index_stars, first.dec_deg) == (7.5016, 28, -19.2197)
    assert (second.matched, second.conflicts, second.distractors, second.pixscale_arcsec) == (5, 1, 12, 120.0)
    assert second.ra_deg == 359.5
    assert matchlines.as_list(second, nosky.TrueSky(0.0, 88.0, 10.0, 100.0)) == [14.5, 5, 1, 12, 30, 120.0, 1]
    assert matchlines.as_list(second, None)[-1] == 0


def test_lowered_logging_threshold_does_not_change_acceptance() -> None:
    stars = Stars.from_bytes(*(np.arange(1, 6, dtype=np.float32).tobytes() for _ in range(3)))
    attempt = axy.Attempt(width=100, height=80, stars=stars, schedule=axy.Schedule(delay_s=1.5))
    plain = axy.to_bytes(attempt)
    changed = false_solutions.naming_from(plain, 8.0)
    cards = [changed[at : at + 80] for at in range(0, 2880, 80)]
    named = next(card for card in cards if card.startswith(b"ANODDSPR"))
    assert float(named.partition(b"=")[2].partition(b"/")[0]) == pytest.approx(math.exp(8))
    assert len(changed) == len(plain)
    assert b"ANODDSTU" not in changed
    tuned = false_solutions.naming_from(plain, 8.0, 9.0)
    assert tuned[:2880].count(b"ANODDSPR=") == tuned[:2880].count(b"ANODDSTU=") == 1
    for data in (changed, tuned):
        read = axy.parse(data)
        assert read.odds_to_solve is None
        assert replace(read, schedule=attempt.schedule, odds_to_tune=None, dropped_cards=()) == axy.parse(plain)


# --- Statistics --------------------------------------------------------------------------------------------------


def made_heard(slope: float, pictures: int = 400) -> list[Heard]:
    rng = np.random.default_rng(3)
    return [Heard(10.0, tuple(8 + rng.exponential(slope, rng.poisson(20)))) for _ in range(pictures)]


def test_extrapolated_tail_is_that_of_the_drawn_distribution() -> None:
    fitted = falsetail.fit(made_heard(1.2), cut=8.0, threshold=20.0)
    truth = 2.0 * math.exp(-12 / 1.2)
    assert fitted.slope == pytest.approx(1.2, rel=0.05)
    assert fitted.beyond == pytest.approx(truth, rel=0.5)
    assert truth < fitted.bound < 3 * truth
    assert fitted.shape_limits[0] < 0 < fitted.shape_limits[1]


def test_fat_tail_has_a_positive_shape() -> None:
    rng = np.random.default_rng(4)
    fat = [Heard(10.0, tuple(8 + rng.pareto(4.0, 20))) for _ in range(400)]
    assert falsetail.fit(fat, 8.0, 20.0).shape_limits[0] > 0.05


def test_few_images_give_a_wider_bound() -> None:
    few, many = (falsetail.fit(made_heard(1.2, n), 8.0, 20.0) for n in (5, 400))
    assert few.bound / few.beyond > 1.5 * many.bound / many.beyond


def test_no_matches_give_nan_and_no_error() -> None:
    assert math.isnan(falsetail.fit([], 8.0, 20.0).bound)
    assert math.isnan(falsetail.fit([Heard(3.0, ())], 8.0, 20.0).beyond)


def test_tune_up_gain_is_predicted_from_below_the_threshold() -> None:
    """Matches from 13 on are tuned and gain what those from 8 on gain: told without one that was tuned from 13 on."""
    rng = np.random.default_rng(6)

    def heard(gain: float) -> Heard:
        raw = 8 + rng.exponential(1.0, rng.poisson(20))
        return Heard(10.0, tuple(raw + (rng.exponential(gain, len(raw)) if gain else 0)))

    pictures = [(heard(0), heard(3.0)) for _ in range(1000)]
    lift = falsetail.Lift(pictures, named_from=8.0, tunes_from=13.0, raw_cut=9.0, tuned_cut=14.0)
    wanted = 2.0 * np.mean((raw := 8 + rng.exponential(1.0, 4_000_000)) + rng.exponential(3.0, len(raw)) > 18)
    first, second = lift.beyond([23.0, 29.0])
    assert first.a_cpu_s == pytest.approx(wanted * math.exp(-5), rel=0.35)
    assert first.a_cpu_s < first.bound < 2.5 * first.a_cpu_s
    assert second.a_cpu_s == pytest.approx(first.a_cpu_s * math.exp(-6 / 3), rel=0.4)


def test_bounds_of_counts_and_proportions_are_exact() -> None:
    assert falsetail.count_bound(0) == pytest.approx(-math.log(0.05))
    assert falsetail.count_bound(3) == pytest.approx(7.754, abs=1e-3)
    assert falsetail.share_bound(0, 300) == pytest.approx(1 - 0.05 ** (1 / 300))
    assert falsetail.share_bound(1, 10) == pytest.approx(0.3942, abs=1e-4)
    assert falsetail.share_bound(2, 2) == 1.0


# --- Records -----------------------------------------------------------------------------------------------------


def full_row(kind: str, number: int, **changes: Any) -> dict[str, Any]:
    row = {"mode": "full", "kind": kind, "number": number, "status": "unsolved", "reason": "exhausted", "cpu_s": 100.0}
    return {**row, "matches": [[14.0, 4, 0, 3, 20, 30.0, 0]], **changes}


def tail_row(kind: str, number: int, logodds: Sequence[float], accept_from: float | None = None) -> dict[str, Any]:
    return {
        "mode": "tail", "kind": kind, "number": number, "size": [640, 480], "drawn": 9, "member": "coarse",
        "settings": "00", "index": "7", "depth": [1, 6], "stars": 9, "named_from": 8.0, "tuned_from": None,
        "end": "solved" if accept_from else "exhausted", "accept_from": accept_from, "cpu_s": 2.0,
        "matches": [[value, 1, 0, 0, 20, 30.0, 0] for value in logodds],
    }  # fmt: skip


def test_recorded_images_are_skipped_and_a_truncated_line_is_ignored(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    falserecords.append(state, [full_row("grid", 1)])
    falserecords.append(state, [full_row("cat", 2, cpu_s=math.nan)])
    with state.open("a") as stream:
        stream.write('{"mode":"full","ki')
    assert [r["number"] for r in falserecords.read(state)] == [1, 2]
    falserecords.append(state, [full_row("cat", 3)])
    assert [r["number"] for r in falserecords.read(state)] == [1, 2, 3]
    todo = list(itertools.islice(falserecords.to_do("full", ["grid", "cat"], (0, 1), state), 3))
    assert todo == [("cat", 1), ("grid", 2), ("grid", 3)]


def test_trials_survive_the_compact_round_trip(tmp_path: Path) -> None:
    rows = [tail_row("cat", 7, [9.0, 8.25]), tail_row("cat", 7, []), tail_row("cat", 7, [5.5], accept_from=5.0)]
    falserecords.append(tmp_path / "state", rows)
    assert falserecords.read(tmp_path / "state") == rows
    assert (tmp_path / "state").stat().st_size < len(json.dumps(rows)) / 2


def test_shares_cover_every_image_once(tmp_path: Path) -> None:
    kinds = list(nosky.KINDS)
    each = 2 * len(kinds)
    shares = [itertools.islice(falserecords.to_do("tail", kinds, (n, 2), tmp_path / "no"), each) for n in (0, 1)]
    taken = [picture for share in shares for picture in share]
    assert set(taken) == {(kind, number) for kind in kinds for number in range(1, 5)}
    assert len(taken) == 2 * each


def test_solution_is_false_unless_it_is_at_the_true_position() -> None:
    answer = {"logodds": 25.0, "matched": 9, "is_true": False}
    rows = [
        full_row("sheared", 1, status="solved", reason="none", answer={**answer, "is_true": True}),
        full_row("grid", 1, status="solved", reason="none", answer=answer),
        full_row("grid", 2),
    ]
    figures = falsereport.summary(rows)["full"]
    assert (figures["all"]["false"], figures["all"]["solved_at_the_true_place"]) == (1, 1)
    assert (figures["kinds"]["grid"]["false"], figures["kinds"]["sheared"]["false"]) == (1, 0)
    assert figures["all"]["exhausted"] == 1
    assert [(f["kind"], f["number"]) for f in figures["false"]] == [("grid", 1)]


def test_the_worst_kind_comes_first() -> None:
    rng = np.random.default_rng(8)
    rows = [tail_row("cat", n, 8 + rng.exponential(0.6, 9)) for n in range(30)]
    rows += [tail_row("grid", n, 8 + rng.exponential(1.5, 9)) for n in range(30)]
    rows += [{**tail_row("grid", n, 8 + rng.exponential(3, 9)), "tuned_from": 8.0} for n in range(30)]
    figures = falsereport.summary(rows)
    grid, share = figures["tail"]["kinds"]["grid"], figures["tail"]["lifted_share"]
    assert 0 < share < 1
    assert grid["a_solve_bound"] == pytest.approx(falsereport.SOLVE_CPU_S * share * grid["bound"])
    assert grid["bound"] > figures["tail"]["kinds"]["cat"]["bound"]
    report = falsetext.markdown(figures)
    table = report[report.index("worst first") :]
    assert table.index("| grid") < table.index("| cat")


def test_report_compares_a_later_tune_up_with_the_expectation() -> None:
    rows = [tail_row("cat", n, [8.5, 9.0, 9.5, 10.5]) for n in range(4)]
    rows += [{**tail_row("cat", n, [9.0, 12.5, 15.0]), "tuned_from": 8.0} for n in range(4)]
    rows += [{**tail_row("cat", n, [14.5, 17.0]), "tuned_from": 10.0} for n in range(2)]
    later = falsereport.summary(rows)["tail"]["tuned_later"]
    assert list(later) == ["12.0", "13.8", "16.0", "18.0", "20.7"]
    assert [row["found"] for row in later.values()] == [4, 4, 2, 0, 0]
    assert [row["expected"] for row in later.values()] == [1.0, 1.0, 0.5, 0.0, 0.0]


def test_true_matches_and_lowered_trials_are_not_counted() -> None:
    true = [30.0, 9, 0, 0, 20, 30.0, 1]
    rows = [tail_row("sheared", 1, [9.0]), tail_row("sheared", 1, [40.0], accept_from=8.0)]
    rows[0]["matches"].append(true)
    figures = falsereport.summary(rows)["tail"]
    assert figures["at_the_true_place"] == 1
    assert figures["survival"]["8.0"] == 1
    assert figures["survival"]["20.7"] == 0
    assert figures["lowered_by_threshold"]["8"]["accepted"] == 1


def test_whole_solves_are_compared_with_the_prediction() -> None:
    """As many matches above 18 as there would be, of the kinds that were listened to, and no others."""
    rng = np.random.default_rng(9)
    rows = [tail_row("cat", n, 8 + rng.exponential(1, 20)) for n in range(300)]
    rows += [{**tail_row("cat", n, 8 + rng.exponential(3, 20)), "tuned_from": 8.0} for n in range(300)]
    rows += [full_row(kind, 1, cpu_s=1e5, matches=[[19.0, 1, 0, 0, 20, 30.0, 0]]) for kind in ("cat", "clouded")]
    foretold = falsereport.summary(rows)["tail"]["foretold"]
    beyond_tuning, lifted = math.exp(-(math.log(1e6) - 8)), math.exp(-(18 - math.log(1e6)) / 3)
    assert foretold["18.0"]["expected"] == pytest.approx(1e5 * 10 * beyond_tuning * lifted, rel=0.3)
    assert foretold["18.0"]["bound"] > foretold["18.0"]["expected"] > foretold["20.7"]["expected"]
    assert [row["found"] for row in foretold.values()] == [1, 0, 0]


def test_report_has_the_tail_of_whole_solves_and_of_trials() -> None:
    rng = np.random.default_rng(10)
    tuned = falsereport.TUNES + rng.exponential(2.5, 400)
    rows = [tail_row("cat", 1, [9.0])]
    rows += [full_row("cat", n, matches=[[tuned[n], 1, 0, 0, 20, 30.0, 0]]) for n in range(400)]
    rows += [full_row("clouded", 1, matches=[[40.0, 1, 0, 0, 20, 30.0, 0]])]
    straight = falsereport.summary(rows)["tail"]["straight"]
    assert [row["threshold"] for row in straight] == [*falsereport.THRESHOLDS]
    assert straight[-1]["beyond"] == pytest.approx(math.exp(-(32.2 - falsereport.TUNES) / 2.5) / 100, rel=0.5)
    assert straight[-1]["count"] == 400


# --- What clumps leave -------------------------------------------------------------------------------------------


def clumps_row(number: int, matches: Sequence[tuple[float, float, int]]) -> dict[str, Any]:
    found = [[logodds, 4, cost, is_true, "coarse", "7"] for logodds, cost, is_true in matches]
    return {"mode": "clumps", "kind": "clouded", "number": number, "cpu_s": 5.0, "tries": 9, "matches": found}


def test_report_has_log_odds_before_and_after_the_clustering_test() -> None:
    rows = [clumps_row(1, [(33.0, 42.0, 0), (34.0, 10.0, 0)]), clumps_row(2, [(80.0, 20.0, 1), (15.0, 0.5, 0)])]
    figures = falseclumps.summary([*rows, full_row("clouded", 1)])
    assert (figures["pictures"], figures["tries"], figures["cpu_s"]) == (2, 18, 10.0)
    assert list(figures["survival"].values()) == [3, 3, 3, 3, 2, 2]
    assert list(figures["survival_of_what_is_left"].values()) == [2, 2, 2, 2, 1, 0]
    assert figures["would_be_taken"] == 1
    assert (figures["at_the_true_place"], figures["least_left_of_a_true_one"]) == (1, 60.0)
    assert "Above 32.2 with 23.0 left, as shipped: 1." in falseclumps.text(figures)
    assert "| found | 13.8 | 32.2 | 3 |" in falseclumps.markdown(figures)


# --- Follow-ups ------------------------------------------------------------------------------------------------------


def test_report_has_what_each_test_of_a_follow_up_found() -> None:
    """Candidates at the true place of an image are counted apart."""
    false = [[9.0, 0, 5.0, 0.0, 2.5], [14.0, 0, 21.0, 0.0, 0.0], [10.0, 0, 0.0, 0.0, 3.0]]
    true = [18.0, 1, 25.0, 27.0, 13.0]
    row = {"mode": "followed", "kind": "cat", "number": 1, "search_cpu_s": 2.0, "cpu_s": 1.0}
    figures = falsefollowed.summary([{**row, "candidates": [*false, true]}, full_row("cat", 1)])
    assert (figures["pictures"], figures["false"], figures["from_13.8"], figures["true"]) == (1, 3, 1, 1)
    assert figures["believed"] == 1
    assert figures["tests"]["other stars"]["highest"] == [3.0, 2.5, 0.0]
    assert "Accepted: 1" in falsefollowed.text(figures)
    assert "| other stars | 12.0 |" in falsefollowed.markdown(figures)


# --- The command -------------------------------------------------------------------------------------------------


def test_unknown_kind_or_share_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert false_solutions.main(["full", "--state", str(tmp_path / "s"), "--kinds", "dog"]) == 64
    assert "unknown kinds dog" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        false_solutions.main(["full", "--state", str(tmp_path / "s"), "--share", "3/2"])


def test_a_summary_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state, more, out = tmp_path / "s", tmp_path / "t", tmp_path / "out.json"
    falserecords.append(state, [full_row("grid", 1)])
    falserecords.append(more, [tail_row("grid", 1, [9.0, 8.5])])
    options = ["--state", str(state), "--also", str(more), "--json", str(out), "--markdown", str(tmp_path / "out.md")]
    assert false_solutions.main(["full", "--summary", *options]) == 0
    assert "1 whole solves, 0 false" in capsys.readouterr().out
    assert json.loads(out.read_text())["tail"]["survival"]["8.0"] == 2
    assert "| grid | 1 |" in (tmp_path / "out.md").read_text()


@pytest.mark.engine
def test_study_runs_and_continues_from_its_state(
    tmp_path: Path, real_indexes: IndexSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert real_indexes.files
    for name, value in (("NAMED_FROM", 5.0), ("_HEARD_CPU_S", 0.3), ("_PATIENCE", 1000.0)):
        monkeypatch.setattr(false_solutions, name, value)
    monkeypatch.setattr(false_solutions, "_ACCEPTED_CPU_S", 0.2)
    for mode in ("full", "tail"):
        state = tmp_path / f"{mode}.jsonl"
        options = [mode, "--state", str(state), "--kinds", "random", "--count", "1", "--cpu", "1"]
        for _ in range(2):
            assert false_solutions.main(options) == 0
        records = falserecords.read(state)
        assert {r["number"] for r in records} == {1, 2}
        assert not any(r.get("answer") for r in records)
    accepted = [r for r in records if r.get("accept_from") and r["end"] == "solved"]
    assert accepted
    for record in accepted:
        assert record["matches"][0][0] >= record["accept_from"]
    heard = [m for r in records if r.get("named_from") for m in r["matches"]]
    assert heard
    assert min(m[0] for m in heard) >= false_solutions.NAMED_FROM


@pytest.mark.engine
def test_every_match_is_accepted_and_weighed(
    tmp_path: Path, real_indexes: IndexSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that rest on clumps, which a race would not take."""
    assert real_indexes.files
    for name, value in (("TAKEN_FROM", 4.0), ("_CPU_S", 0.3)):
        monkeypatch.setattr(falseclumps, name, value)
    monkeypatch.setattr(false_solutions, "_PATIENCE", 1000.0)
    state = tmp_path / "clumps.jsonl"
    assert false_solutions.main(["clumps", "--state", str(state), "--kinds", "clouded", "--count", "1"]) == 0
    (record,) = falserecords.read(state)
    costs = [cost for _, _, cost, *_ in record["matches"]]
    assert len(costs) >= 5
    assert max(costs) > 20
    assert all(logodds >= 4 for logodds, *_ in record["matches"])
