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
    circles, points = found[2:8:2], found[3:8:2]
    assert len(circles) == len(points) == len(STARS)
    for circle, point, star in zip(circles, points, STARS, strict=True):
        place = solution.tan_sip.pixel_to_sky(*star)
        assert separation_arcsec((circle.center.ra.deg, circle.center.dec.deg), place) < 1e-3
        assert separation_arcsec((point.center.ra.deg, point.center.dec.deg), place) < 1e-3


M31 = made.wcs_fits(
    *SIZE, sip=False, CRVAL1=10.6848, CRVAL2=41.2691, CRPIX1=300.5, CRPIX2=200.5,
    CD1_1=-PIXEL_DEG * 30, CD1_2=0.0, CD2_1=0.0, CD2_2=PIXEL_DEG * 30,
)  # fmt: skip


def test_a_galaxy_is_an_ellipse_of_its_size_and_direction(tmp_path: Path) -> None:
    """M 31: the ends of its axes, by the angle as regions understands it, against the position angle on the sky."""
    from novacli.catalog.field import deep_sky_in_field
    from novacli.catalog.shapes import ellipse_places

    found, solution = _regions(tmp_path, M31)
    (sky,) = (o.sky for o in deep_sky_in_field(solution.tan_sip) if o.sky.names[0] == "M 31")
    (ellipse,) = (r for r in found if r.meta.get("text", "").startswith("M 31 "))
    assert sky.position_angle_deg == 35
    major, minor = sky.major_arcmin / 60, sky.minor_arcmin / 60
    outline = np.array(solution.wcs.world_to_pixel_values(*ellipse_places(10.6847, 41.2691, major, minor, 35.0))).T
    drawn = ellipse.to_pixel(solution.wcs)
    turn = np.radians(drawn.angle.deg)
    for point in outline[::6]:
        x, y = point - np.array(drawn.center.xy)
        along, across = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
        assert (2 * along / drawn.width) ** 2 + (2 * across / drawn.height) ** 2 == pytest.approx(1, abs=0.03)


def test_objects_of_other_shapes() -> None:
    """Round, of unknown orientation (the circle around it), and of unknown size."""
    from novacli.catalog.sky_object import Kind, SkyObject
    from novacli.exports.ds9 import _object

    def region(*shape: float | None) -> str:
        return _object(SkyObject(("NGC 1",), (), Kind.NEBULA, 1.0, 2.0, None, *shape, "openngc"))

    place = "1.00000000,2.00000000"
    assert region(4.0, None, None) == f'circle({place},120.000") # color=green text={{NGC 1}}'
    assert region(4.0, 3.0, None) == f'circle({place},120.000") # color=green text={{NGC 1}} dash=1'
    assert region(4.0, 3.0, 300.0) == f'ellipse({place},120.000",90.000",30.0000) # color=green text={{NGC 1}}'
    assert region(None, None, None) == f"point({place}) # point=diamond color=green text={{NGC 1}}"


def test_without_the_catalogue_the_rest_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from novacli.errors import UnavailableError

    def lacks(*_args: object) -> None:
        raise UnavailableError("no catalogue")

    monkeypatch.setattr("novacli.catalog.field.deep_sky_in_field", lacks)
    found, _ = _regions(tmp_path, M31)
    assert len(found) == 2 + 2 * len(STARS)
