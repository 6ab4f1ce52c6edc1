"""The limits of a scene, and the values that follow from it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from novacli.demo.scene import Scene, random_place
from novacli.errors import UsageError


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"ra_deg": 361.0}, "--ra"),
        ({"dec_deg": math.nan}, "--dec"),
        ({"width_deg": 0.0}, "--width"),
        ({"width_px": 8}, "--size"),
        ({"height_px": 50_000}, "--size"),
        ({"distortion_percent": 30.0}, "--distortion"),
        ({"clouds": 1.5}, "--clouds"),
        ({"limit_mag": 40.0}, "--limit"),
        ({"seed": -1}, "--seed"),
        ({"rotation_deg": math.inf}, "--rotate"),
        ({"width_deg": 120.0, "height_px": 4096}, "corner.*--width"),
    ],
)
def test_error_for_a_value_out_of_range_names_its_option(wrong: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        Scene(**{"ra_deg": 10.0, "dec_deg": 20.0, **wrong})


def test_narrow_fields_are_exposed_deeper_than_wide_ones() -> None:
    depths = [Scene(0, 0, width_deg=w).depth_mag for w in (1, 3, 10, 30, 60)]
    assert depths == sorted(depths, reverse=True)
    assert 14 < depths[0] < 16
    assert 6 < depths[-1] < 8


def test_given_limiting_magnitude_is_kept() -> None:
    assert Scene(0, 0, limit_mag=7.5).depth_mag == 7.5


def test_the_focal_length_agrees_with_the_pixel_scale() -> None:
    """The formula is 206.265 · pixel size (um) / focal length (mm)."""
    scene = Scene(0, 0, width_deg=5)
    assert 206.265 * scene.camera.pixel_um / scene.focal_length_mm == pytest.approx(scene.pixscale_arcsec, rel=1e-5)


def test_random_positions_depend_on_the_seed_and_are_uniform() -> None:
    places = [random_place(seed) for seed in range(400)]
    assert places[7] == random_place(7)
    assert 150 < sum(abs(dec) < 30 for _, dec in places) < 250
    assert 150 < sum(ra < 180 for ra, _ in places) < 250
