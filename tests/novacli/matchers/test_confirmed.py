"""The engine confirms what a matcher proposes: from the picture to the solution."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_patterns import make_database

from novacli.demo.catalogue import Catalogue, find_index
from novacli.demo.drawing import draw
from novacli.demo.scene import Scene
from novacli.extraction.extractor import StarExtractor
from novacli.hints import Hints
from novacli.inputs import from_array
from novacli.matchers import database
from novacli.matchers.patterns import PatternMatcher
from novacli.records.params import SolveParams
from novacli.strategy import attempts as strategy
from solvehost.engine import race, records
from solvehost.engine.slots import Tokens
from solvehost.formats import axy, jobdir
from solvehost.indexes import sphere
from solvehost.indexes.index_set import IndexSet


@pytest.mark.engine
def test_the_engine_confirms_a_star_pattern(
    real_engine: Path, real_indexes: IndexSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "NARROWEST_DEG", 45.0)
    make_database(tmp_path / "patterns.bin")
    scene = Scene(83.0, 5.0, width_deg=52.0, width_px=800, height_px=600, rotation_deg=70.0, seed=3)
    drawn = draw(scene, Catalogue.open(find_index([file.path for file in real_indexes.files])))
    extractor = StarExtractor(from_array(drawn.pixels.astype("f4")))
    matcher = PatternMatcher(tmp_path / "patterns.bin")
    attempts = strategy.plan_attempts(extractor, SolveParams(blind=True), Hints(), real_indexes.files, matcher)
    attempt = next(a for a in attempts if a.schedule.label == "star pattern (star pattern)")
    assert attempt.center_deg is not None
    assert sphere.separation_deg(attempt.center_deg, (83.0, 5.0)) < 1
    job = jobdir.create(tmp_path)
    axy.write(attempt, job.axy())
    terms = records.RaceTerms(real_engine, real_indexes, Tokens(tmp_path / "slots", 1), wall_s=120)
    assert race.run(job, iter([1]), terms).status == "solved"
