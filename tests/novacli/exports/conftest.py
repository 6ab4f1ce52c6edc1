"""FITS files of several kinds for the tests of exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made_results as made
import numpy as np
import pytest
from astropy.io import fits

from novacli.records.field import Origin

WIDTH, HEIGHT = 60, 40
SOLUTION = made.wcs_fits(WIDTH, HEIGHT, CRPIX1=31.5, CRPIX2=19.25)


def header_cards() -> list[tuple[Any, ...]]:
    """Return an old description of the sky among cards that must be kept."""
    return [
        ("OBJECT", "M 31", "a comment"),
        ("CTYPE1", "RA---TPV"), ("CTYPE2", "DEC--TPV"), ("CRVAL1", 1.0), ("CRVAL2", 2.0), ("CDELT1", 0.1),
        ("CDELT2", 0.1), ("CROTA2", 12.0), ("PV1_1", 1.0), ("PV2_1", 1.0), ("RADESYS", "ICRS"),
        ("CTYPE1A", "LINEAR"), ("CTYPE2A", "LINEAR"), ("CRPIX1A", 0.5), ("CRPIX2A", 0.5),
        ("CD1_1A", 2.0), ("CD2_2A", 2.0),
        ("HIERARCH ESO DET CHIP1 ID", "chip"), ("LONGNOTE", "words " * 30),
        ("HISTORY", "flat fielded"), ("COMMENT", "kept"), ("EXPTIME", 30.0),
    ]  # fmt: skip


def hdu_list() -> fits.HDUList:
    """Return two images and a table."""
    rng = np.random.default_rng(1)
    primary = fits.PrimaryHDU(rng.integers(0, 65535, (HEIGHT, WIDTH), dtype=np.uint16))
    for card in header_cards():
        primary.header.append(card, end=True)
    second = fits.ImageHDU(rng.normal(size=(HEIGHT, WIDTH)).astype("f4"), name="SCI")
    second.header["CTYPE1"] = "LINEAR"
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.arange(1000.0))])
    return fits.HDUList([primary, second, table])


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A FITS file of three HDUs with CHECKSUM and DATASUM."""
    path = tmp_path / "image.fits"
    hdu_list().writeto(path, checksum=True)
    return path


def origin(path: Path, hdu: int = 0, kind: str = "FITS") -> Origin:
    return Origin(str(path), str(path), kind, hdu)
