"""Star lists of drawn images, and a check of their positions."""

from __future__ import annotations

import math

import numpy as np
from made_sky import Places, scattered
from numpy.typing import NDArray

from novacli.extraction.detect import DetectionSettings
from novacli.extraction.extractor import StarExtractor
from novacli.extraction.order import StarOrder
from novacli.inputs import from_array
from solvehost.formats.star_table import Stars

#: Odd on purpose: rows and columns are left over by every binning.
SHAPE = (211, 307)
PLACES = scattered(30, SHAPE)


def found_by(
    pixels: NDArray[np.generic], binning: int, order: StarOrder = StarOrder.FLUX, max_stars: int | None = None
) -> Stars:
    return StarExtractor(from_array(pixels), max_stars).stars(DetectionSettings(binning), order)


def assert_each_is_found(stars: Stars, places: Places, tolerance_px: float = 0.1) -> None:
    """Check FITS coordinates, which begin at (1, 1), against array positions, which begin at (0, 0)."""
    for x, y in places:
        nearest = min(math.hypot(a - (x + 1), b - (y + 1)) for a, b in zip(stars.x, stars.y, strict=True))
        assert nearest < tolerance_px, (x, y)
