"""The lines of the constellations join stars."""

from __future__ import annotations

import numpy as np

from novacli.catalog.lines import constellation_lines
from novacli.catalog.stars import stars_at


def test_every_constellation_has_lines_between_stars() -> None:
    lines = constellation_lines()
    assert len({line.constellation for line in lines}) == 88
    places = np.radians([place for line in lines for place in line.places])
    stars = stars_at(2000.0)
    bright = stars.magnitude < 7.5
    ra, dec = np.radians(stars.ra_deg[bright]), np.radians(stars.dec_deg[bright])
    directions = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    corners = np.stack(
        [np.cos(places[:, 1]) * np.cos(places[:, 0]), np.cos(places[:, 1]) * np.sin(places[:, 0]), np.sin(places[:, 1])]
    )
    nearest = np.degrees(np.arccos(np.clip((corners.T @ directions).max(axis=1), -1, 1))) * 3600
    assert nearest.max() < 60
