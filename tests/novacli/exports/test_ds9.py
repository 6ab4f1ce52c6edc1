"""DS9 regions, read back by the package regions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made_results as made
import numpy as np
import pytest

from novacli.wcs.sphere import separation_arcsec

from .conftest import STARS, export, solved_field

PIXEL_DEG = 2e-4
SIZE = (600, 400)


def _wcs(position_angle_deg: float, *, is_mirrored: bool) -> bytes:
    """Return a solution whose y axis has this position angle; mirrored images have east on the right."""
    turn = np.radians(position_angle_deg)
    side = 1.0 if is_mirrored else -1.0
    return made.wcs_fits(
        *SIZE, sip=False, CRVAL1=120.0, CRVAL2=50.0, CRPIX1=300.5, CRPIX2=200.5,
        CD1_1=float(side * PIXEL_DEG * np.cos(turn)), CD1_2=float(PIXEL_DEG * np.sin(turn)),
        CD2_1=float(-side * PIXEL_DEG * np.sin(turn)), CD2_2=float(PIXEL_DEG * np.cos(turn)),
    )  # fmt: skip


def _regions(folder: Path, wcs: bytes) -> tuple[Any, Any]:
    from regions import Regions

    field = solved_field(folder, wcs)
    assert export(field, "ds9", folder / "img.reg") == ()
    return Regions.read(folder / "img.reg", format="ds9"), field.solution


@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("angle", [0.0, 22.0, 117.0, 291.5])
def test_the_box_covers_the_image(angle: float, is_mirrored: bool, tmp_path: Path) -> None:
    """Its corners, by the angle as regions understands it, are those of the image within half a pixel."""
    found, solution = _regions(tmp_path, _wcs(angle, is_mirrored=is_mirrored))
    box = found[1].to_pixel(solution.wcs)
    corners = {(round(x), round(y)) for x, y in box.corners}
    wanted = [(-0.5, -0.5), (SIZE[0] - 0.5, -0.5), (-0.5, SIZE[1] - 0.5), (SIZE[0] - 0.5, SIZE[1] - 0.5)]
    apart = [min(np.hypot(x - u, y - v) for u, v in box.corners) for x, y in wanted]
    assert len(corners) == 4
    assert max(apart) < 0.5


def test_the_outline_follows_the_distortion(tmp_path: Path) -> None:
    """Every point of the polygon lies on the outer edge of the image."""
    found, solution = _regions(tmp_path, made.wcs_fits())
    x, y = found[0].to_pixel(solution.wcs).vertices.xy
    on_side = (np.abs(x + 0.5) < 1e-3) | (np.abs(x - 718.5) < 1e-3)
    on_row = (np.abs(y + 0.5) < 1e-3) | (np.abs(y - 506.5) < 1e-3)
    assert (on_side | on_row).all()
    assert len(x) == 48


def test_matched_stars_are_circled_at_their_places(tmp_path: Path) -> None:
    found, solution = _regions(tmp_path, made.wcs_fits())
    circles, points = found[2::2], found[3::2]
    assert len(circles) == len(points) == len(STARS)
    for circle, point, star in zip(circles, points, STARS, strict=True):
        place = solution.tan_sip.pixel_to_sky(*star)
        assert separation_arcsec((circle.center.ra.deg, circle.center.dec.deg), place) < 1e-3
        assert separation_arcsec((point.center.ra.deg, point.center.dec.deg), place) < 1e-3
