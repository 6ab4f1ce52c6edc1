"""The minimum odds of a blind search: true first matches of the widest fields must reach them."""

from __future__ import annotations

import math

import pytest

from novacli.demo.catalogue import Catalogue, find_index
from novacli.demo.drawing import draw
from novacli.demo.scene import Scene
from novacli.inputs import from_array
from novacli.pipeline.context import Context
from novacli.pipeline.solve import solve_field
from novacli.records.params import SolveParams
from solvehost.indexes.index_set import IndexSet

#: The centre of a field 83 degrees wide that shows 77 stars of the catalogue: the engine first matches it at 32.5.
RA_DEG, DEC_DEG = 214.776287, 22.559665


@pytest.mark.engine
def test_a_wide_sparse_field_is_accepted_before_its_second_look(real_context: Context, real_indexes: IndexSet) -> None:
    scene = Scene(
        RA_DEG, DEC_DEG, width_deg=83.157406, rotation_deg=186.316803, distortion_percent=-4.120621,
        limit_mag=4.637209, trail=False, seed=1150125895,
    )  # fmt: skip
    drawn = draw(scene, Catalogue.open(find_index([f.path for f in real_indexes.files])))
    result = solve_field(from_array(drawn.pixels), SolveParams(blind=True, timeout_s=60), real_context).result
    assert result.status == "solved"
    assert result.calibration is not None
    assert math.isclose(result.calibration.ra, RA_DEG, abs_tol=0.5)
    assert math.isclose(result.calibration.dec, DEC_DEG, abs_tol=0.5)
    attempts = [(a.label, a.outcome) for a in result.timing.attempts or ()]
    assert ("second look", "solved") in attempts
