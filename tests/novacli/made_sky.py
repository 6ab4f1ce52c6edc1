"""Skies with known answers: pictures with stars at known pixels, drawn fields, and what a solution must come to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fitsio
import numpy as np
from numpy.typing import NDArray

Places = Sequence[tuple[float, float]]


def star_picture(
    places: Places, shape: tuple[int, int], *, flux: float = 4000.0, fwhm: float = 3.0, noise: float = 3.0
) -> NDArray[np.float32]:
    """Return a picture with stars at ``places``, (x, y) in 0-based array coordinates, over a noisy sky.

    Each star is 3 % fainter than the one before it.
    """
    picture = np.random.default_rng(1).normal(100, noise, shape)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    sigma = fwhm / 2.3548
    for number, (x, y) in enumerate(places):
        shape_of_star = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)) / (2 * math.pi * sigma**2)
        picture += flux * 0.97**number * shape_of_star
    return picture.astype(np.float32)


def scattered(count: int, shape: tuple[int, int], *, margin: float = 12.0, apart: float = 12.0) -> Places:
    """Return places within ``shape`` at least ``apart`` pixels from each other; always the same ones."""
    chance = np.random.default_rng(2)
    places: list[tuple[float, float]] = []
    while len(places) < count:
        x, y = chance.uniform(margin, shape[1] - margin), chance.uniform(margin, shape[0] - margin)
        if all(math.hypot(x - a, y - b) >= apart for a, b in places):
            places.append((x, y))
    return places


@dataclass(frozen=True, slots=True)
class DrawnField:
    """A drawn field: its pixels as FITS has them (row 0 is the bottom), and what a solution must come to."""

    pixels: NDArray[np.uint16]
    ra_deg: float
    dec_deg: float
    width_deg: float
    pixscale_arcsec: float

    def write_fits(self, path: Path, **cards: Any) -> Path:
        """Write it as FITS, unmirrored, with these cards and no others."""
        fitsio.write(str(path), self.pixels, header=cards or None, clobber=True)
        return path

    def write_jpeg(self, path: Path) -> Path:
        """Write it as a JPEG that looks the same: its first row is the top."""
        from PIL import Image

        Image.fromarray(stretched(self.pixels[::-1])).save(path, quality=95)
        return path

    def assert_found(self, calibration: Mapping[str, float], parity: int) -> None:
        """Hold a calibration to the truth: centre within 1 % of the width, scale within 1 %, parity."""
        distance = distance_deg(calibration["ra"], calibration["dec"], self.ra_deg, self.dec_deg)
        assert distance < 0.01 * self.width_deg
        assert math.isclose(calibration["pixscale"], self.pixscale_arcsec, rel_tol=0.01)
        assert calibration["parity"] == parity


def stretched(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return pixels in 8 bits, as a picture for people has them."""
    low, high = np.percentile(pixels, (30, 99.95))
    return (np.clip((pixels - low) / (high - low), 0, 1) ** 0.7 * 255).astype(np.uint8)


def distance_deg(ra: float, dec: float, other_ra: float, other_dec: float) -> float:
    """Return how far two places on the sky are apart."""
    ra, dec, other_ra, other_dec = map(math.radians, (ra, dec, other_ra, other_dec))
    half = math.sin((dec - other_dec) / 2) ** 2
    half += math.cos(dec) * math.cos(other_dec) * math.sin((ra - other_ra) / 2) ** 2
    return math.degrees(2 * math.asin(math.sqrt(half)))
