"""From light to counts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from novacli.demo.exposure import Conditions, add_trail, draw_sky, expose, has_trail
from novacli.demo.scene import Camera, Scene

CLEAN = dataclasses.replace(Camera(), hot_pixel_fraction=0.0)
EVEN = Conditions(fwhm_px=2.5, gradient=0.0, gradient_angle_rad=0.0, vignetting=0.0)


def _rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_level_and_noise_are_those_of_the_camera() -> None:
    counts = expose(np.full((300, 300), 400, np.float32), CLEAN, _rng())
    assert counts.dtype == np.uint16
    assert counts.mean() == pytest.approx(300 + 400 / 0.8, abs=0.5)
    assert counts.std() == pytest.approx((400 + 36) ** 0.5 / 0.8, rel=0.02)


def test_a_full_well_clips_flat() -> None:
    counts = expose(np.full((50, 50), 1e6, np.float32), CLEAN, _rng())
    assert (counts == round(CLEAN.full_well_e / CLEAN.gain_e_per_adu + CLEAN.bias_adu)).all()


def test_converter_clips_if_the_full_well_does_not() -> None:
    deep = dataclasses.replace(CLEAN, full_well_e=1e6)
    assert (expose(np.full((9, 9), 9e5, np.float32), deep, _rng()) == 65_535).all()


def test_number_of_hot_pixels_is_the_cameras() -> None:
    camera = dataclasses.replace(Camera(), hot_pixel_fraction=1e-3, hot_pixel_e=20_000.0)
    counts = expose(np.full((500, 500), 400, np.float32), camera, _rng())
    assert np.count_nonzero(counts > 1200) == pytest.approx(250, abs=50)


def test_vignetting_darkens_the_corners_and_the_gradient_one_side() -> None:
    scene = Scene(0, 0)
    sky = draw_sky(scene, Conditions(2.5, 0.2, 0.0, 0.25), _rng())
    assert sky.transmission[0, 0] == pytest.approx(0.75, abs=0.01)
    assert sky.transmission[384, 512] == pytest.approx(1, abs=0.001)
    assert np.ptp(sky.glow[0]) > 0.25 * scene.camera.sky_e


def test_thick_clouds_hide_nearly_everything_and_thin_ones_let_stars_through() -> None:
    thick = draw_sky(Scene(0, 0, clouds=1.0), EVEN, _rng()).clouds
    thin = draw_sky(Scene(0, 0, clouds=0.3), EVEN, _rng()).clouds
    assert thick.max() < 0.005
    assert 0.3 < thin.mean() < 0.8
    assert thin.std() > 0.02


def test_clear_sky_has_full_transmission() -> None:
    assert (draw_sky(Scene(0, 0), EVEN, _rng()).clouds == 1).all()


def test_trail_is_a_straight_line_across_the_image() -> None:
    light = np.zeros((200, 300), np.float32)
    add_trail(light, 20.0, _rng(4))
    rows, columns = np.nonzero(light > light.max() / 2)
    offsets = np.column_stack([columns, rows]) - np.mean([columns, rows], axis=1)
    _, spread, _ = np.linalg.svd(offsets, full_matrices=False)
    length, thickness = spread / np.sqrt(len(rows))
    assert length > 40
    assert thickness < 2


def test_by_default_a_satellite_crosses_one_image_in_three() -> None:
    scene = Scene(0, 0)
    assert 60 < sum(has_trail(scene, _rng(seed)) for seed in range(300)) < 140
    assert has_trail(dataclasses.replace(scene, trail=True), _rng())
    assert not has_trail(dataclasses.replace(scene, trail=False), _rng())
