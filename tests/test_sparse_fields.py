"""The benchmark of fields of few catalogue stars, without engines."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import sparse_fields

from novacli.demo.catalogue import Catalogue, Stars


class EvenSky(Catalogue):
    """A catalogue of stars spread evenly over the sky, the later the fainter."""

    def __init__(self) -> None:
        pass

    def around(self, center: object, radius_rad: float) -> Stars:
        del radius_rad
        at = np.asarray(center, float)
        steps = np.random.default_rng(1).normal(0, 0.01, (400, 3))
        directions = at + steps
        return Stars(directions / np.linalg.norm(directions, axis=1)[:, None], np.linspace(4, 8, 400))


@pytest.mark.parametrize("stars", [5, 9])
def test_a_scene_shows_the_number_of_stars_that_is_asked_for(stars: int) -> None:
    scene = sparse_fields.sparse_scene(stars, 1, EvenSky())
    assert scene == sparse_fields.sparse_scene(stars, 1, EvenSky())
    assert scene.limit_mag is not None
    seen = sparse_fields._magnitudes(scene, EvenSky()) <= scene.limit_mag - 0.9 + 1e-9
    assert np.count_nonzero(seen) == stars


def test_the_table_compares_both_ways() -> None:
    record = {"stars": 6, "number": 1, "without": "unsolved", "without_cpu_s": 2.0, "with": "solved", "with_cpu_s": 1.0}
    wrong = {**record, "with": "wrong"}
    assert sparse_fields.table([record, wrong]).splitlines()[-1] == "| 6 | 2 | 0 | 1 | 0 | 1 | 2.00 | 1.00 |"
