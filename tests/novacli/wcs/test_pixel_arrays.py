"""Pixels of many positions at once, against the single ones and against astropy."""

from __future__ import annotations

import made_results as made
import numpy as np
import pytest

from novacli.solution.tables import astropy_wcs
from novacli.wcs.pixel_arrays import sky_to_pixels
from novacli.wcs.tansip import TanSip

WIDE = made.solution_of(made.wcs_fits())
MIRRORED_AT_THE_POLE = made.solution_of(
    made.wcs_fits(sip=False, CRVAL1=40.0, CRVAL2=-89.9, CD1_1=0.012, CD1_2=0.005, CD2_1=0.005, CD2_2=-0.012)
)


@pytest.mark.parametrize("solution", [WIDE, MIRRORED_AT_THE_POLE], ids=["34 degrees with SIP", "at the pole"])
def test_pixels_equal_those_of_astropy(solution: TanSip) -> None:
    x, y = (
        grid.ravel() for grid in np.meshgrid(np.linspace(1, solution.width, 15), np.linspace(1, solution.height, 11))
    )
    ra, dec = np.transpose([solution.pixel_to_sky(*place) for place in zip(x, y, strict=True)])
    np.testing.assert_allclose(sky_to_pixels(solution, ra, dec), (x, y), atol=1e-6)
    ours = sky_to_pixels(solution, ra, dec)
    np.testing.assert_allclose(ours, astropy_wcs(solution).all_world2pix(ra, dec, 1), atol=1e-4)


def test_places_behind_the_sky_have_no_pixel() -> None:
    """The other side of the sky has none; a place far outside has one, without the distortion."""
    ra0, dec0 = WIDE.crval
    x, _ = sky_to_pixels(WIDE, np.array([ra0 + 180, ra0]), np.array([-dec0, dec0 - 60]))
    assert np.isnan(x[0])
    assert np.isfinite(x[1])
