"""Named stars are where real pictures show them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import novacli
from novacli.catalog.field import stars_in_field
from novacli.solution import tables

#: Pictures of 10 to 70 degrees, mirrored and not, one of them at a pole.
PICTURES = ("apod4.jpg", "cedar_pleiades.jpg", "granasat_cassiopeia.jpg", "ppa_s_42mm.jpg", "tetra3_a.tiff")


@pytest.mark.corpus
@pytest.mark.engine
@pytest.mark.parametrize("name", PICTURES)
def test_named_stars_are_within_a_pixel_of_sources(name: str) -> None:
    beside = Path(__file__).parents[4] / "shared" / "data"
    picture = Path(os.environ.get("NOVA_TEST_CORPUS", beside)) / name
    if not picture.is_file():
        pytest.skip(f"{picture} is absent")
    solution = novacli.solve(picture).solution
    assert solution is not None
    sources = tables.sources(solution.files)
    # Those with a name, a Bayer letter or a Flamsteed number.
    stars = [star for star in stars_in_field(solution.tan_sip, 2015.0) if star.sky.names[0] != star.sky.names[-1]]
    distances = [np.hypot(sources["X"] - star.x, sources["Y"] - star.y).min() for star in stars]
    assert len(distances) >= 3
    assert np.median(distances) < 1.0
