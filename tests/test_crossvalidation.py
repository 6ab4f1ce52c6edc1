"""Cross-validation of the portfolio: trials that are kept, and gains on sources that did not decide."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import cases
import crossvalidation
import gains
from crossvalidation import Trial, Trials
from gains import Record

from novacli.strategy.portfolio import BLIND

TRIAL = Trial("p.fits", "one", "m", "solved", 0.4, 3.0, "bin2", 0.1, 0.0, 0.15, "abc", "v1")
MEMBER = replace(BLIND[0], label="m")


def made(source: str, member: str, solved_s: float | None, count: int = 2) -> list[Record]:
    """Return trials of a member on some pictures of a source; one that does not solve never gives up."""
    names = [f"{source} {n}" for n in range(count)]
    return [Record(name, source, member, solved_s, math.inf, "bin2", 0.0, 0.0, 0.15) for name in names]


# --- Gains -----------------------------------------------------------------------------------------------------------


def test_member_that_helps_every_source_has_its_gain_on_held_out_sources() -> None:
    """Without it every race takes 2.2 s with the overhead, with it 0.3 s."""
    records = [r for s in ("x", "y", "z") for r in (*made(s, "slow", 2.0), *made(s, "fast", 0.1))]
    g = gains.gain(gains.as_table(records), "fast", ["slow"], cores=2)
    assert g.alone == 6
    assert g.faster == g.held_out == pytest.approx(2.2 / 0.3)
    assert (g.kept, g.only, g.slower) == (3, (), ())


def test_member_that_helps_one_source_alone_gains_nothing_on_others() -> None:
    """The pictures of x alone would keep it; those of the other sources would not, and x counts as held out."""
    records = [*made("x", "shared", 2.0), *made("x", "special", 0.1)]
    for source in ("y", "z"):
        records += [*made(source, "shared", 1.0), *made(source, "special", None)]
    g = gains.gain(gains.as_table(records), "special", ["shared"], cores=2)
    assert g.faster > 1.5
    assert g.held_out == 1.0
    assert g.kept == 2


def test_lost_pictures_are_named_and_count_as_a_minute() -> None:
    records = [r for s in ("x", "y") for r in (*made(s, "a", None), *made(s, "b", 0.8))]
    g = gains.gain(gains.as_table(records), "b", ["a"], cores=2)
    assert g.only == ("x 0", "x 1", "y 0", "y 1")
    assert g.held_out == pytest.approx(60 / 1.0)


def test_member_in_the_way_slows_a_source() -> None:
    """On one core, one that never solves takes its turns."""
    records = [*made("x", "useless", None), *made("x", "good", 1.0)]
    g = gains.gain(gains.as_table(records), "useless", ["good"], cores=1)
    assert g.held_out == 1.0
    assert g.slower == ("x",)


def test_sources_count_equally_whatever_their_number_of_pictures() -> None:
    records = [*made("x", "a", 1.0, 1), *made("x", "b", 0.1, 1), *made("y", "a", 1.0, 9), *made("y", "b", 1.0, 9)]
    g = gains.gain(gains.as_table(records), "b", ["a"], cores=2)
    assert g.faster == pytest.approx((1.2 / 0.3) ** 0.5)


def test_pictures_that_nothing_solves_or_not_all_tried_are_left_out() -> None:
    records = [*made("x", "a", 1.0, 1), *made("x", "b", None, 1), *made("y", "a", None, 1), *made("y", "b", None, 1)]
    assert list(gains.as_table([*records, *made("z", "a", 1.0, 1)]).fields) == ["x 0"]


def test_report_separates_real_pictures_from_scenes_and_marks_candidates() -> None:
    records = [r for s in ("x", "scene: tree") for r in (*made(s, "a", 2.0), *made(s, "b", None), *made(s, "new", 0.1))]
    text = gains.report(records, ["new"], cores=2)
    assert text.count("### ") == 3
    assert text.count("| new (candidate) |") == 3
    assert "2 pictures of 1 sources" in text.split("### Scenes")[1]
    assert "takes 2.200 s" in text


def test_choice_on_other_sources_shows_what_over_fits() -> None:
    """One member is best on x alone, so it is chosen on all pictures, but not on those of y and z."""
    records = [*made("x", "general", 1.0), *made("x", "special", 0.1)]
    for source in ("y", "z"):
        records += [*made(source, "general", 0.5), *made(source, "special", None)]
    text = gains.choice(records, [], folds=3, most=4, cores=2)
    rows = {row.split("|")[1].strip(): float(row.split("|")[2]) for row in text.splitlines()[2:5]}
    assert rows["chosen on all pictures"] < rows["chosen on other sources"]
    assert rows["chosen on other sources"] == pytest.approx((1.2 * 0.7 * 0.7) ** (1 / 3), rel=0.01)
    assert "- after 0 s: special" in text


# --- Trials ----------------------------------------------------------------------------------------------------------


def test_trials_are_kept_and_the_last_one_counts(tmp_path: Path) -> None:
    file = tmp_path / "trials.jsonl"
    Trials(file).add(TRIAL)
    Trials(file).add(replace(TRIAL, cpu_s=0.3))
    assert Trials(file).latest == {("p.fits", "m"): replace(TRIAL, cpu_s=0.3)}


def test_trial_is_repeated_after_a_change_of_the_source_and_for_a_longer_limit(tmp_path: Path) -> None:
    trials = Trials(tmp_path / "trials.jsonl")
    assert not trials.is_known("p.fits", MEMBER, "v1", 3.0)
    trials.add(replace(TRIAL, outcome="limited", cpu_s=3.0))
    assert trials.is_known("p.fits", MEMBER, "v1", 2.0)
    assert not trials.is_known("p.fits", MEMBER, "v1", 4.0)
    assert not trials.is_known("p.fits", MEMBER, "v2", 3.0)


def test_engine_does_not_repeat_a_search_that_it_knows(tmp_path: Path) -> None:
    """Another version of the source, or another member, may give the engine the same stars and settings."""
    trials = Trials(tmp_path / "trials.jsonl")
    trials.add(TRIAL)
    assert trials.same_search("p.fits", "abc", 9.0) == TRIAL
    assert trials.same_search("p.fits", "other", 3.0) is None
    assert trials.same_search("q.fits", "abc", 3.0) is None


def test_source_of_a_picture_is_its_origin() -> None:
    assert cases._source("pleiades.gif", "derived from cedar_pleiades.jpg (GIF); original: a/b:dir/x.jpg") == "a/b"
    assert cases._source("tetra3_a.tiff", "esa/tetra3:test_data/x.tiff") == "esa/tetra3"
    assert cases._source("cedar_tree.jpg", "") == "cedar"


def test_candidates_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "new.py"
    file.write_text(
        "import dataclasses\nfrom novacli.strategy.portfolio import BLIND\n"
        "MEMBERS = (dataclasses.replace(BLIND[0], label='new one', threshold_sigma=8.0),)\n"
    )
    (new,) = crossvalidation.candidates_in(file)
    assert (new.label, new.threshold_sigma) == ("new one", 8.0)
    file.write_text("from novacli.strategy.portfolio import BLIND\nMEMBERS = BLIND[:1]\n")
    with pytest.raises(ValueError, match=r"new\.py: MEMBERS must be members whose labels differ"):
        crossvalidation.candidates_in(file)


@pytest.mark.engine
def test_members_are_tried_on_a_scene_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain field that two members solve; a second run reads the trials and makes the same table."""
    options = ["--trials", str(tmp_path / "t"), "--scenes", "1", "--keep", str(tmp_path), "--limit", "1"]
    options += ["--only", "by peak"]
    assert crossvalidation.main(options) == 0
    first = capsys.readouterr().out
    assert "### Scenes" in first
    size = (tmp_path / "t").stat().st_size
    monkeypatch.setattr(crossvalidation.Bench, "solve", None)
    assert crossvalidation.main(options) == 0
    assert capsys.readouterr().out == first
    assert (tmp_path / "t").stat().st_size == size
