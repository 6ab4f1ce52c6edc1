"""The gnomonic projection: arrays, unit vectors and single positions agree with astropy and with each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from novacli.wcs.projection import directions_to_plane, plane_to_sky, sky_arrays_to_plane, sky_to_plane
from novacli.wcs.sphere import separation_arcsec

positions = st.tuples(st.floats(0, 360), st.floats(-90, 90))


@pytest.mark.parametrize("crval", [(0.0, 90.0), (150.0, 40.0), (359.9, -89.0), (83.8, 0.0)])
def test_all_forms_agree_with_astropy(crval: tuple[float, float]) -> None:
    """Around each reference point, out to 60 degrees, plane coordinates differ by less than 1e-9 degrees."""
    reference = WCS(naxis=2)
    reference.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    reference.wcs.crval, reference.wcs.crpix, reference.wcs.cdelt = crval, (0, 0), (1, 1)
    reference.wcs.lonpole = 180
    plane = np.random.default_rng(1).uniform(-70, 70, (2, 50))
    ra, dec = reference.wcs_pix2world(plane.T, 0).T
    plane = reference.wcs_world2pix(np.stack([ra, dec], 1), 0).T
    a, d = np.radians(ra), np.radians(dec)
    directions = np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=1)
    assert sky_arrays_to_plane(ra, dec, crval) == pytest.approx(plane + 1, abs=1e-9)
    assert directions_to_plane(directions, crval) == pytest.approx(plane + 1, abs=1e-9)
    for n in range(len(ra)):
        assert sky_to_plane(float(ra[n]), float(dec[n]), crval) == pytest.approx(plane[:, n] + 1, abs=1e-9)


@given(positions, st.floats(-50, 50), st.floats(-50, 50))
def test_round_trip(crval: tuple[float, float], xi: float, eta: float) -> None:
    sky = plane_to_sky(xi, eta, crval)
    back = sky_to_plane(*sky, crval)
    assert back is not None
    assert math.dist(back, (xi, eta)) < 1e-9
    assert separation_arcsec(sky, plane_to_sky(*back, crval)) < 1e-6


def test_positions_far_from_the_reference_point_are_not_projected() -> None:
    """One position gives None from 90 degrees on; arrays have NaN from 87 degrees on."""
    assert sky_to_plane(90.0, 0.0, (0.0, 0.0)) is None
    assert sky_to_plane(89.9, 0.0, (0.0, 0.0)) is not None
    xi, eta = sky_arrays_to_plane(np.array([86.0, 88.0]), np.array([0.0, 0.0]), (0.0, 0.0))
    assert np.isfinite(xi).tolist() == np.isfinite(eta).tolist() == [True, False]
