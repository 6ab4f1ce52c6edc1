"""Angles on the sky."""

from __future__ import annotations

import pytest

from novacli.wcs.sphere import position_angle_deg, separation_arcsec, wrap_degrees


def test_separation_is_accurate_for_large_and_small_angles() -> None:
    """The poles are 180 degrees apart; a milliarcsecond keeps six digits."""
    assert separation_arcsec((0, 90), (123, -90)) == pytest.approx(180 * 3600)
    assert separation_arcsec((0, 0), (1e-3 / 3600, 0)) == pytest.approx(1e-3, rel=1e-6)


@pytest.mark.parametrize(("angle", "wrapped"), [(-90, 270), (720.5, 0.5), (360, 0), (-1e-15, 0)])
def test_wrap_degrees(angle: float, wrapped: float) -> None:
    """An angle a hair below 0 is 0, since 360 would be out of range."""
    assert wrap_degrees(angle) == wrapped


@pytest.mark.parametrize(("end", "angle_deg"), [((10, 21), 0), ((10.001, 20), 90), ((10, 19), 180), ((9.999, 20), 270)])
def test_position_angle_counts_from_north_through_east(end: tuple[float, float], angle_deg: float) -> None:
    assert position_angle_deg((10, 20), end) == pytest.approx(angle_deg, abs=1e-3)
