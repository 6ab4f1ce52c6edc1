"""Constellations, compared with astropy's, and without importing astropy."""

import subprocess
import sys

import pytest

from novacli.wcs import constellation
from novacli.wcs.constellation import constellation_at
from novacli.wcs.roman1987 import BOUNDARIES, NAMES

# astropy precesses apparent positions, which aberration shifts by up to 20.5 arcsec.
BORDER_DEG = 30 / 3600


@pytest.mark.parametrize(
    ("ra_deg", "dec_deg", "expected"),
    [
        (187.185, 56.713, ("UMa", "Ursa Major")),
        (37.95, 89.26, ("UMi", "Ursa Minor")),
        (0.0, 90.0, ("UMi", "Ursa Minor")),
        (0.0, -90.0, ("Oct", "Octans")),
        (83.82, -5.39, ("Ori", "Orion")),
        (218.0, 31.0, ("Boo", "Boötes")),
        (279.23, 38.78, ("Lyr", "Lyra")),
        (344.41, -29.62, ("PsA", "Piscis Austrinus")),
        (236.07, 6.43, ("Ser", "Serpens")),
        (275.33, -2.90, ("Ser", "Serpens")),
        (360.0, 0.0, ("Psc", "Pisces")),
    ],
)
def test_constellations_of_known_stars_and_poles(ra_deg, dec_deg, expected):
    assert constellation_at(ra_deg, dec_deg) == expected


def test_agrees_with_astropy_except_within_arcseconds_of_a_border():
    """Five thousand random points have the constellation of astropy, or the one 30 arcsec away."""
    import numpy as np
    from astropy.coordinates import SkyCoord, get_constellation

    rng = np.random.default_rng(1875)
    ra = rng.uniform(0, 360, 5000)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, 5000)))
    theirs = get_constellation(SkyCoord(ra, dec, unit="deg"), short_name=True)
    ours = [constellation_at(*place)[0] for place in zip(ra.tolist(), dec.tolist(), strict=True)]
    different = np.flatnonzero(np.array(ours) != theirs)
    assert len(different) < 20
    for i in different:
        step = BORDER_DEG / max(np.cos(np.radians(dec[i])), 1e-6)
        around = [(ra[i] + dx * step, dec[i] + dy * BORDER_DEG) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        assert str(theirs[i]) in {constellation_at(x, y)[0] for x, y in around}


def test_the_table_holds_all_boundaries_and_all_88_constellations():
    assert len(BOUNDARIES) == 357
    assert len(NAMES) == len(set(NAMES.values())) == 88
    assert {row[3] for row in BOUNDARIES} == set(NAMES)
    declinations = [row[2] for row in BOUNDARIES]
    assert declinations == sorted(declinations, reverse=True)


def test_the_constant_matrix_is_the_iau_2006_precession():
    import erfa
    import numpy as np

    _, precession, _ = erfa.bp06(erfa.epb2jd(1875.0)[0], erfa.epb2jd(1875.0)[1])
    np.testing.assert_allclose(constellation._J2000_TO_B1875, precession, atol=1e-10)


@pytest.mark.parametrize("place", [(float("nan"), 0.0), (0.0, float("nan")), (float("inf"), 0.0)])
def test_position_that_is_not_finite_has_no_constellation(place):
    assert constellation_at(*place) is None


def test_right_ascension_just_below_0_hours_is_0_hours(monkeypatch):
    """A right ascension of 24 h would be in no constellation."""
    monkeypatch.setattr(constellation, "_J2000_TO_B1875", ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    assert constellation_at(-1e-15, 0) == ("Psc", "Pisces")


def test_neither_astropy_nor_numpy_is_imported():
    code = (
        "import sys; from novacli.wcs.constellation import constellation_at; "
        "print(constellation_at(83.8, -5.4)[0], 'astropy' in sys.modules, 'numpy' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["Ori", "False", "False"]
