"""Angles between places on the sky, where formulas lose their digits too."""

from __future__ import annotations

import math

import pytest

from solvehost.indexes.sphere import separation_deg


@pytest.mark.parametrize("apart_deg", [1e-10, 1e-3, 60.0, 90.0, 179.9999999, 180.0])
@pytest.mark.parametrize("ra_deg", [0.0, 123.0, 359.9])
def test_angles_of_every_size_are_exact(ra_deg: float, apart_deg: float) -> None:
    for one, other in (((ra_deg, 0.0), (ra_deg + apart_deg, 0.0)), ((ra_deg, -90.0), (0.0, apart_deg - 90.0))):
        assert math.isclose(separation_deg(one, other), apart_deg, rel_tol=0, abs_tol=2e-13)
