"""The separation of two positions on the sky is accurate at every size."""

from __future__ import annotations

import math

import pytest

from solvehost.indexes.sphere import separation_deg


@pytest.mark.parametrize("apart_deg", [1e-10, 1e-3, 60.0, 90.0, 179.9999999, 180.0])
@pytest.mark.parametrize("ra_deg", [0.0, 123.0, 359.9])
def test_separations_of_every_size_are_accurate(ra_deg: float, apart_deg: float) -> None:
    """Along the equator and along a meridian, from 10⁻¹⁰ degrees to antipodes."""
    for one, other in (((ra_deg, 0.0), (ra_deg + apart_deg, 0.0)), ((ra_deg, -90.0), (0.0, apart_deg - 90.0))):
        assert math.isclose(separation_deg(one, other), apart_deg, rel_tol=0, abs_tol=2e-13)
