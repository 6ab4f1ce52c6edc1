"""Places in pictures, as the image is displayed."""

from __future__ import annotations

import made_results as made
import numpy as np
import pytest

from novacli.pictures.viewport import make_viewport
from novacli.solution.tables import astropy_wcs

SOLUTION = made.solution_of(made.wcs_fits())


@pytest.mark.parametrize("is_fits_like", [False, True])
def test_places_on_the_sky_are_where_astropy_has_them(is_fits_like: bool) -> None:
    """The first stored row is at the top, but at the bottom of a FITS image; (0, 0) is the corner of a pixel."""
    viewport = make_viewport(SOLUTION, width=None, longer_side=1438, is_fits_like=is_fits_like)
    assert (viewport.width, viewport.height, viewport.scale_x) == (1438, 1014, 2.0)
    sky = np.array([SOLUTION.pixel_to_sky(x, y) for x, y in ((1, 1), (719, 507), (100.25, 400))])
    x, y = astropy_wcs(SOLUTION).all_world2pix(sky, 0).T
    expected = np.stack([2 * (x + 0.5), 1014 - 2 * (y + 0.5) if is_fits_like else 2 * (y + 0.5)], axis=1)
    np.testing.assert_allclose(viewport.of_sky(sky[:, 0], sky[:, 1]), expected, atol=0.02)


@pytest.mark.parametrize("is_fits_like", [False, True])
def test_looking_up_a_place_is_the_inverse(is_fits_like: bool) -> None:
    viewport = make_viewport(SOLUTION, width=300, longer_side=0, is_fits_like=is_fits_like)
    ra, dec = viewport.to_sky(40.0, 170.0)
    np.testing.assert_allclose(viewport.of_sky(np.array([ra]), np.array([dec])), [[40, 170]], atol=1e-4)


def test_the_scale_is_that_of_the_picture() -> None:
    viewport = make_viewport(SOLUTION, width=1438, longer_side=0, is_fits_like=False)
    assert viewport.degrees_per_pixel == pytest.approx(SOLUTION.pixscale_arcsec / 3600 / 2, rel=0.02)
