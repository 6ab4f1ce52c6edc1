"""The star likeness of stars, letters, lines and edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_sky import star_picture
from numpy.typing import NDArray

from novacli.extraction.star_likeness import star_likeness

_SHAPE = (41, 41)
#: Above this, a source counts as star-like (order.py).
_LEAST = 0.8


def _likeness(picture: NDArray[np.floating], x: float, y: float) -> float:
    return float(star_likeness(picture.astype(np.float32), np.array([x]), np.array([y]))[0])


@pytest.mark.parametrize("fwhm", [1.7, 2.5, 4.0, 7.0])
@pytest.mark.parametrize(("dx", "dy"), [(0.0, 0.0), (0.5, 0.5), (-0.3, 0.4)])
def test_a_star_of_any_width_looks_like_a_star(fwhm: float, dx: float, dy: float) -> None:
    x, y = 20 + dx, 20 + dy
    peak = 60.0
    flux = peak * 2 * math.pi * (fwhm / 2.3548) ** 2
    picture = star_picture([(x, y)], _SHAPE, flux=flux, fwhm=fwhm, noise=5) - 100
    assert _likeness(picture, x, y) > _LEAST


def test_a_saturated_star_looks_like_a_star() -> None:
    picture = np.minimum(star_picture([(20, 20)], _SHAPE, flux=50_000, fwhm=4) - 100, 255)
    assert _likeness(picture, 20, 20) > _LEAST


@pytest.mark.parametrize("angle_deg", [0, 30, 45, 90])
def test_a_line_does_not_look_like_a_star(angle_deg: float) -> None:
    rows, columns = np.mgrid[: _SHAPE[0], : _SHAPE[1]] - 20.0
    across = columns * math.sin(math.radians(angle_deg)) - rows * math.cos(math.radians(angle_deg))
    assert _likeness(200 * np.exp(-(across**2) / 2), 20, 20) < _LEAST


_LETTERS = {
    "H": ("#...#", "#...#", "#####", "#...#", "#...#", "#...#"),
    "D": ("####.", "#...#", "#...#", "#...#", "#...#", "####."),
    "1": ("..#..", ".##..", "..#..", "..#..", "..#..", ".###."),
    "8": (".###.", "#...#", ".###.", "#...#", "#...#", ".###."),
}


@pytest.mark.parametrize("letter", _LETTERS)
def test_a_letter_does_not_look_like_a_star(letter: str) -> None:
    pattern = np.array([[255.0 * (c == "#") for c in row] for row in _LETTERS[letter]])
    picture = np.zeros(_SHAPE)
    picture[18 : 18 + pattern.shape[0], 18 : 18 + pattern.shape[1]] = pattern
    rows, columns = np.mgrid[: _SHAPE[0], : _SHAPE[1]]
    total = picture.sum()
    assert _likeness(picture, (picture * columns).sum() / total, (picture * rows).sum() / total) < _LEAST


def test_the_edge_of_a_bright_area_does_not_look_like_a_star() -> None:
    picture = np.zeros(_SHAPE)
    picture[:, 20:] = 300
    assert _likeness(picture, 21, 20) < _LEAST


@pytest.mark.parametrize("unit", [1e-35, 1.0, 1e30])
def test_the_likeness_does_not_depend_on_the_unit(unit: float) -> None:
    picture = (star_picture([(20, 20)], _SHAPE) - 100).astype(np.float64)
    assert _likeness(picture * unit, 20, 20) == pytest.approx(_likeness(picture, 20, 20), abs=1e-3)


def test_a_constant_image_has_likeness_zero_and_no_sources_have_none() -> None:
    picture = np.full(_SHAPE, 7, np.float32)
    assert _likeness(picture, 20, 20) == pytest.approx(0, abs=1e-6)
    assert len(star_likeness(picture, np.zeros(0), np.zeros(0))) == 0
