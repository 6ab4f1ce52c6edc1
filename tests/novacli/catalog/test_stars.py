"""Stars with their names and proper motions."""

from __future__ import annotations

import numpy as np
import pytest

from novacli.catalog.sky_object import SkyObject
from novacli.catalog.stars import names_by_hip, star_object, stars_at
from novacli.text.angles import separation_deg


def star(hip: int, year: float = 2000.0) -> SkyObject:
    stars = stars_at(year)
    return star_object(stars, int(np.flatnonzero(stars.hip == hip)[0]))


def test_names_letters_and_numbers() -> None:
    vega = star(91262)
    assert (vega.label, vega.names) == ("Vega", ("α Lyr", "3 Lyr", "HD 172167", "HIP 91262"))
    assert vega.magnitude == pytest.approx(0.03, abs=0.02)
    assert star(104214).label == "61 Cyg"
    assert star(22449).names[0] == "π³ Ori"
    assert star(22957).names[0] == "ο² Ori"


def test_positions_at_j2000_and_proper_motion() -> None:
    """Vega at J2000: SIMBAD has 279.23473, +38.78369.  61 Cyg moves by 5.30 arcsec in a year."""
    assert separation_deg(star(91262).ra_deg, star(91262).dec_deg, 279.23473479, 38.78368896) * 3600 < 0.02
    before, after = star(104214), star(104214, 2026.0)
    moved = separation_deg(before.ra_deg, before.dec_deg, after.ra_deg, after.dec_deg) * 3600
    assert moved == pytest.approx(26 * 5.297, abs=0.2)


def test_no_name_is_given_twice() -> None:
    names = [name for (name, _) in names_by_hip().values() if name]
    assert len(names) == len(set(names)) > 400
