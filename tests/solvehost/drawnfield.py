"""A star list as a real picture of the sky would give it, made from the stars of an installed index file."""

from __future__ import annotations

import math
import random
import subprocess
from array import array
from pathlib import Path

import pytest

from solvehost.startable import Stars

WIDTH, HEIGHT = 1000, 800
ARCSEC_PER_PIXEL = 28.8
CENTER_DEG = (120.0, 35.0)
_NOISE_PX, _NOISE_MAG = 0.3, 0.15


def draw(index: Path, *, parity: int, count: int = 150, seed: int = 1) -> Stars:
    """Return the stars of a field 8 degrees wide; ``parity`` is the sign of det(CD).

    y points north, x east for parity +1 and west for -1.
    """
    noise = random.Random(seed)
    stars = []
    for ra, dec, mag in _query(index):
        xi, eta = _tangent_plane(math.radians(ra), math.radians(dec))
        x = (WIDTH + 1) / 2 + parity * xi / math.radians(ARCSEC_PER_PIXEL / 3600) + noise.gauss(0, _NOISE_PX)
        y = (HEIGHT + 1) / 2 + eta / math.radians(ARCSEC_PER_PIXEL / 3600) + noise.gauss(0, _NOISE_PX)
        if 0.5 <= x <= WIDTH + 0.5 and 0.5 <= y <= HEIGHT + 0.5:
            stars.append((mag + noise.gauss(0, _NOISE_MAG), x, y))
    columns = list(zip(*sorted(stars)[:count], strict=True))
    flux = (10 ** (0.4 * (15 - mag)) for mag in columns[0])
    return Stars(array("f", columns[1]), array("f", columns[2]), array("f", flux))


def _query(index: Path) -> list[tuple[float, ...]]:
    ra, dec = CENTER_DEG
    command = ["query-starkd", "-t", "MAG_VT", "-r", str(ra), "-d", str(dec), "-R", "7", str(index)]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("query-starkd is not installed (Debian: apt install astrometry.net)")
    except subprocess.CalledProcessError:
        pytest.skip(f"{index} has no magnitudes MAG_VT (Debian: apt install astrometry-data-tycho2)")
    rows = [line.split(",") for line in found.stdout.splitlines() if line[:1].isdigit()]
    return [tuple(float(word) for word in row) for row in rows]


def _tangent_plane(ra: float, dec: float) -> tuple[float, float]:
    ra0, dec0 = map(math.radians, CENTER_DEG)
    depth = math.sin(dec0) * math.sin(dec) + math.cos(dec0) * math.cos(dec) * math.cos(ra - ra0)
    xi = math.cos(dec) * math.sin(ra - ra0) / depth
    return xi, (math.cos(dec0) * math.sin(dec) - math.sin(dec0) * math.cos(dec) * math.cos(ra - ra0)) / depth


def sky_of(header: dict[str, float], x: float, y: float) -> tuple[float, float]:
    """Return (RA, Dec) in degrees of a pixel by the TAN part of a solution."""
    dx, dy = x - header["CRPIX1"], y - header["CRPIX2"]
    xi = math.radians(header["CD1_1"] * dx + header["CD1_2"] * dy)
    eta = math.radians(header["CD2_1"] * dx + header["CD2_2"] * dy)
    ra0, dec0 = math.radians(header["CRVAL1"]), math.radians(header["CRVAL2"])
    depth = math.cos(dec0) - eta * math.sin(dec0)
    ra = ra0 + math.atan2(xi, depth)
    dec = math.atan2((math.sin(dec0) + eta * math.cos(dec0)) * math.cos(ra - ra0), depth)
    return math.degrees(ra) % 360, math.degrees(dec)


def truth(x: float, y: float, parity: int) -> tuple[float, float]:
    """Return (RA, Dec) in degrees where a pixel of the drawn field really looks."""
    scale = ARCSEC_PER_PIXEL / 3600
    return sky_of(
        {
            "CRPIX1": (WIDTH + 1) / 2, "CRPIX2": (HEIGHT + 1) / 2, "CRVAL1": CENTER_DEG[0], "CRVAL2": CENTER_DEG[1],
            "CD1_1": parity * scale, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": scale,
        },
        x,
        y,
    )  # fmt: skip


def separation_arcsec(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Return the distance of two places on the sky."""
    ra = math.radians(a[0] - b[0])
    dec_a, dec_b = math.radians(a[1]), math.radians(b[1])
    haversine = math.sin((dec_a - dec_b) / 2) ** 2 + math.cos(dec_a) * math.cos(dec_b) * math.sin(ra / 2) ** 2
    return math.degrees(2 * math.asin(math.sqrt(haversine))) * 3600
