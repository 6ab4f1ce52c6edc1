"""Constellations, against astropy and without it."""

import subprocess
import sys

import pytest

from novacli.wcs import constellation
from novacli.wcs.constellation import constellation_at

# astropy precesses apparent places: aberration moves them by up to 20.5 arcsec against ours.
BORDER_DEG = 30 / 3600


@pytest.fixture
def fresh_table():
    constellation._boundaries.cache_clear()
    yield
    constellation._boundaries.cache_clear()


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
def test_well_known_places(ra_deg, dec_deg, expected):
    assert constellation_at(ra_deg, dec_deg) == expected


def test_agrees_with_astropy_except_within_arcseconds_of_a_border():
    """Two thousand random points: the same constellation, or one that a step of 30 arcsec away is in."""
    import numpy as np
    from astropy.coordinates import SkyCoord, get_constellation

    rng = np.random.default_rng(1875)
    ra = rng.uniform(0, 360, 2000)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, 2000)))
    theirs = get_constellation(SkyCoord(ra, dec, unit="deg"), short_name=True)
    ours = [constellation_at(*place)[0] for place in zip(ra.tolist(), dec.tolist(), strict=True)]
    different = np.flatnonzero(np.array(ours) != theirs)
    assert len(different) < 10
    for i in different:
        step = BORDER_DEG / max(np.cos(np.radians(dec[i])), 1e-6)
        around = [(ra[i] + dx * step, dec[i] + dy * BORDER_DEG) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        assert str(theirs[i]) in {constellation_at(x, y)[0] for x, y in around}


def test_there_are_88_constellations_and_the_table_names_each():
    assert len(constellation._NAMES) == 88
    assert {row[3] for row in constellation._boundaries()} == set(constellation._NAMES)
    assert len(set(constellation._NAMES.values())) == 88


def test_the_constant_matrix_is_the_iau_2006_precession():
    import erfa
    import numpy as np

    _, precession, _ = erfa.bp06(erfa.epb2jd(1875.0)[0], erfa.epb2jd(1875.0)[1])
    np.testing.assert_allclose(constellation._J2000_TO_B1875, precession, atol=1e-10)


@pytest.mark.parametrize("place", [(float("nan"), 0.0), (0.0, float("nan")), (float("inf"), 0.0)])
def test_a_position_that_is_not_finite_has_no_constellation(place):
    assert constellation_at(*place) is None


def test_a_hair_below_0_hours_is_0_hours_and_not_24(monkeypatch):
    """A right ascension of 24 h would lie in no constellation."""
    monkeypatch.setattr(constellation, "_J2000_TO_B1875", ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    assert constellation_at(-1e-15, 0) == ("Psc", "Pisces")


def test_without_the_table_there_is_no_answer_and_no_error(monkeypatch, fresh_table):
    monkeypatch.setattr(constellation.importlib.util, "find_spec", lambda name: None)
    assert constellation_at(83.8, -5.4) is None


@pytest.mark.parametrize("content", ["1 2 three Ori\n", "1 2 3\n", "0 24 -90 Xyz\n", "\xff\n"])
def test_a_damaged_table_gives_no_answer_and_no_error(monkeypatch, tmp_path, fresh_table, content):
    table = tmp_path / "table.dat"
    table.write_text(content, encoding="latin-1")
    monkeypatch.setattr(constellation, "_table_path", lambda: table)
    assert constellation_at(83.8, -5.4) is None


def test_astropy_is_not_imported_for_it():
    code = (
        "import sys; from novacli.wcs.constellation import constellation_at; "
        "print(constellation_at(83.8, -5.4)[0], 'astropy' in sys.modules, 'numpy' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["Ori", "False", "False"]
