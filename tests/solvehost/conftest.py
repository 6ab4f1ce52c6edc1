"""Fixtures for the tests of solvehost: a drawn field.  Modules that these tests share are in this directory."""

from __future__ import annotations

import drawnfield
import pytest

from solvehost.formats import axy
from solvehost.formats.axy import Attempt, Range
from solvehost.indexes.index_set import IndexSet

pytest.register_assert_rewrite("attack_server")


@pytest.fixture(scope="session")
def drawn_attempt(real_indexes: IndexSet) -> Attempt:
    """An attempt at a drawn field, which the real engine solves quickly."""
    for file in real_indexes.files:
        if 90 <= file.middle_arcmin <= 150 and file.healpix == -1:
            scales = (Range(drawnfield.ARCSEC_PER_PIXEL * 0.9, drawnfield.ARCSEC_PER_PIXEL * 1.1),)
            stars = drawnfield.draw(file.path, parity=1)
            return Attempt(
                drawnfield.WIDTH, drawnfield.HEIGHT, stars, scales_arcsec_per_pixel=scales, depths=((1, 20),)
            )
    pytest.skip("no all-sky index file with quads of about 2 degrees (Debian: apt install astrometry-data-tycho2)")


@pytest.fixture(scope="session")
def drawn_axy(drawn_attempt: Attempt) -> bytes:
    """Its axy file."""
    return axy.to_bytes(drawn_attempt)
