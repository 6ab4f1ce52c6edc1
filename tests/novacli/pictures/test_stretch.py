"""The automatic stretch."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from novacli.pictures.stretch import to_display

RNG = np.random.default_rng(3)


def sky(level: float, noise: float, channels: int = 1) -> NDArray[np.float32]:
    """Return a sky with a star of 40 pixels, whose middle is saturated."""
    values = RNG.normal(level, noise, (200, 300, channels)).astype(np.float32)
    y, x = np.mgrid[:200, :300]
    star = 60000 * np.exp(-((x - 150) ** 2 + (y - 100) ** 2) / 30)
    return values + star[:, :, np.newaxis].astype(np.float32)


@pytest.mark.parametrize(("level", "noise"), [(1000, 10), (200, 30), (12000, 200)])
def test_linear_data_show_the_sky_dark_and_stars_unburnt(level: float, noise: float) -> None:
    shown = to_display(sky(level, noise), None, is_stretched=True)
    assert 30 < np.median(shown) < 60
    assert shown[100, 150, 0] >= 250
    assert np.count_nonzero(shown == 255) < 80


def test_colours_of_data_without_white_are_balanced() -> None:
    values = np.concatenate([sky(1000, 20), sky(3000, 20), sky(500, 20)], axis=2)
    medians = np.median(to_display(values, None, is_stretched=True), axis=(0, 1))
    assert np.ptp(medians) <= 6


def test_pictures_stay_as_they_are_unless_they_are_dark() -> None:
    bright = RNG.uniform(0, 255, (50, 50, 3)).astype(np.float32)
    np.testing.assert_allclose(to_display(bright, 255.0, is_stretched=True), bright, atol=0.51)
    dark = RNG.uniform(0, 20, (50, 50, 3)).astype(np.float32)
    assert to_display(dark, 255.0, is_stretched=True).mean() > 2 * dark.mean()
    np.testing.assert_allclose(to_display(dark, 255.0, is_stretched=False), dark, atol=0.51)


def test_a_black_sky_of_8_bits_stays_dark() -> None:
    """Its noise is a step or two of its numbers, which a strong stretch would blow up to white."""
    values = RNG.choice([0.0, 1.0, 2.0], (100, 100, 3), p=[0.8, 0.15, 0.05]).astype(np.float32)
    values[50, 50] = 250
    shown = to_display(values, 255.0, is_stretched=True)
    assert np.median(shown) < 60
    assert np.percentile(shown, 99) < 90


def test_masked_and_constant_images_are_shown() -> None:
    assert to_display(np.full((5, 5, 1), np.nan, np.float32), None, is_stretched=True).max() == 0
    constant = np.full((5, 5, 1), 7.0, np.float32)
    constant[2, 2] = np.nan
    assert to_display(constant, None, is_stretched=True)[2, 2, 0] == 0
    assert to_display(constant, None, is_stretched=False).shape == (5, 5, 1)
