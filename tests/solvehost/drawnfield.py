"""Synthetic star lists for tests, made from the stars of an installed index file."""

from __future__ import annotations

from pathlib import Path

import pytest

from solvehost.admin import synthetic_field
from solvehost.admin.synthetic_field import FieldGeometry, separation_arcsec
from solvehost.errors import UnavailableError
from solvehost.formats.star_table import Stars

__all__ = ["ARCSEC_PER_PIXEL", "CENTER_DEG", "HEIGHT", "WIDTH", "draw", "separation_arcsec", "sky_of", "truth"]
WIDTH, HEIGHT = 1000, 800
ARCSEC_PER_PIXEL = 28.8
CENTER_DEG = (120.0, 35.0)


def draw(index: Path, *, parity: int, count: int = 150, seed: int = 1) -> Stars:
    """Return the stars of a field 8 degrees wide; ``parity`` is the sign of det(CD).

    y points north, x east for parity +1 and west for -1.
    """
    try:
        geometry = FieldGeometry(WIDTH, HEIGHT, ARCSEC_PER_PIXEL, CENTER_DEG, parity)
        return synthetic_field.make_stars(index, "MAG_VT", geometry, count=count, seed=seed)
    except UnavailableError as exc:
        pytest.skip(f"{exc}; its stars must have MAG_VT (Debian: apt install astrometry.net astrometry-data-tycho2)")


def sky_of(header: dict[str, float], x: float, y: float) -> tuple[float, float]:
    """Return (RA, Dec) in degrees of a pixel by the TAN part of a solution."""
    return synthetic_field.pixel_to_sky(header, x, y)


def truth(x: float, y: float, parity: int) -> tuple[float, float]:
    """Return the true RA and Dec in degrees of a pixel of the synthetic field."""
    scale = ARCSEC_PER_PIXEL / 3600
    return sky_of(
        {
            "CRPIX1": (WIDTH + 1) / 2, "CRPIX2": (HEIGHT + 1) / 2, "CRVAL1": CENTER_DEG[0], "CRVAL2": CENTER_DEG[1],
            "CD1_1": parity * scale, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": scale,
        },
        x,
        y,
    )  # fmt: skip
