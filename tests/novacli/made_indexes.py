"""Index files of one header, as much as a look at them needs."""

from __future__ import annotations

import math
from pathlib import Path

from solvehost.formats import fitsfile


def make_index(path: Path, low_arcmin: float, high_arcmin: float, *, healpix: int = -1, nside: int = 1) -> Path:
    """Write a file that says it holds quads of these diameters."""
    cards: list[tuple[str, fitsfile.CardValue]] = [
        ("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("INDEXID", 4119), ("HEALPIX", healpix), ("HPNSIDE", nside),
        ("SCALE_L", math.radians(low_arcmin / 60)), ("SCALE_U", math.radians(high_arcmin / 60)),
        ("NSTARS", 10), ("NQUADS", 10),
    ]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(fitsfile.end_header([fitsfile.card(key, value) for key, value in cards]))
    return path
