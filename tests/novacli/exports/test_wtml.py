"""Collections for WorldWide Telescope, read back by its own package wwt_data_formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made_results as made
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from .conftest import export, farthest_arcsec, grid, solved_field

SIZE = (600, 400)
PIXEL_DEG = 2e-4


def _wcs(angle_deg: float, parity: int) -> bytes:
    """Return a solution with square pixels; ``parity`` is the sign of det(CD)."""
    c, s = (float(PIXEL_DEG * f(np.radians(angle_deg))) for f in (np.cos, np.sin))
    return made.wcs_fits(
        *SIZE, sip=False, CRVAL1=120.0, CRVAL2=50.0, CRPIX1=210.25, CRPIX2=97.5,
        CD1_1=parity * c, CD1_2=parity * s, CD2_1=-s, CD2_2=c,
    )  # fmt: skip


def _read(path: Path, height: int) -> tuple[WCS, Any]:
    """Return the world coordinates as WorldWide Telescope has them, rows from the top, and the place."""
    from wwt_data_formats.folder import Folder

    (place,) = Folder.from_file(str(path)).children
    header = fits.Header(list(place.foreground_image_set.wcs_headers_from_position(height).items()))
    return WCS(header), place


@pytest.mark.parametrize("is_fits_like", [True, False])
@pytest.mark.parametrize("parity", [1, -1])
@pytest.mark.parametrize("angle", [0.0, 33.0, 127.0, 250.0])
def test_every_pixel_is_at_its_place(angle: float, parity: int, is_fits_like: bool, tmp_path: Path) -> None:
    field = solved_field(
        tmp_path, _wcs(angle, parity), picture=tmp_path / "M 31 & 32.jpg", kind="JPEG", is_fits_like=is_fits_like
    )
    assert export(field, "wtml", tmp_path / "img.wtml") == ()
    wcs, place = _read(tmp_path / "img.wtml", SIZE[1])
    x, y = grid(*SIZE)
    found = wcs.wcs_pix2world(x, SIZE[1] + 1 - y if is_fits_like else y, 1)
    assert farthest_arcsec(found, field.solution.wcs.wcs_pix2world(x, y, 1)) < 1e-5
    assert place.name == "M 31 & 32"
    assert place.foreground_image_set.url == "M 31 & 32.jpg"


def test_the_loss_is_stated(tmp_path: Path) -> None:
    """Of distortion and shear, which WorldWide Telescope does not know."""
    field = solved_field(tmp_path, made.wcs_fits(), picture=tmp_path / "img.jpg", kind="JPEG", is_fits_like=False)
    (note,) = export(field, "wtml", tmp_path / "img.wtml")
    wcs, _ = _read(tmp_path / "img.wtml", 507)
    x, y = grid(719, 507)
    lost_px = farthest_arcsec(wcs.wcs_pix2world(x, y, 1), field.solution.wcs.all_pix2world(x, y, 1)) / 170.4
    assert float(note.split("up to ")[1].split(" pixels")[0]) == pytest.approx(lost_px, rel=0.05)
