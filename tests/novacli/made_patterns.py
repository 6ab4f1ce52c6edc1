"""A small database of star patterns, and the stars that a camera would see."""

from __future__ import annotations

import math
from array import array
from pathlib import Path
from typing import Any

import pytest

from novacli.matchers import database
from novacli.records.parity import Parity
from novacli.wcs.projection import sky_to_plane
from solvehost.formats.star_table import Stars

#: Size of the pictures, pixels.
WIDTH, HEIGHT = 1200, 900


def make_database(path: Path) -> Any:
    """Make a database for fields some 60° wide, in a tenth of a second, in place of the one that takes ten seconds."""
    tetra3rs = pytest.importorskip("tetra3rs", reason="the extra patterns is not installed")
    made = tetra3rs.SolverDatabase.generate_from_gaia(max_fov_deg=database.WIDEST_DEG, min_fov_deg=45.0)
    made.save_to_file(str(path))
    return made


def stars_seen(
    catalogue: Any, center_deg: tuple[float, float], width_deg: float, parity: Parity, turned_deg: float = 0.0
) -> Stars:
    """Return the stars of a database in a field, brightest first, as a pinhole camera shows them."""
    scale_deg = math.degrees(2 * math.tan(math.radians(width_deg / 2)) / WIDTH)
    cosine, sine = math.cos(math.radians(turned_deg)), math.sin(math.radians(turned_deg))
    seen = []
    for star in catalogue.cone_search(*center_deg, width_deg * 0.7):
        plane = sky_to_plane(star.ra_deg, star.dec_deg, center_deg)
        assert plane is not None
        xi, eta = plane[0] / scale_deg, plane[1] / scale_deg
        x, y = cosine * xi + sine * eta, cosine * eta - sine * xi
        x, y = (WIDTH + 1) / 2 + parity * x, (HEIGHT + 1) / 2 + y
        if 1 <= x <= WIDTH and 1 <= y <= HEIGHT:
            seen.append((x, y))
    flux = array("f", range(len(seen), 0, -1))
    return Stars(array("f", (x for x, _ in seen)), array("f", (y for _, y in seen)), flux)
