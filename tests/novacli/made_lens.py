"""Lenses of known distortion and stars that were measured through them."""

from __future__ import annotations

import math

import numpy as np

from novacli.wcs.refit import Matched
from novacli.wcs.tansip import TanSip

WIDTH, HEIGHT = 1280, 960


def lens(ra: float, dec: float, scale_deg: float, turn_deg: float, sign: float, percent: float) -> TanSip:
    """Return a solution whose lens moves stars in the corners by a percentage of their distance from the centre."""
    c, s = math.cos(math.radians(turn_deg)) * scale_deg, math.sin(math.radians(turn_deg)) * scale_deg
    k = -percent / 100 / (math.hypot(WIDTH, HEIGHT) / 2) ** 2
    a, b = ((3, 0, k), (1, 2, k)), ((2, 1, k), (0, 3, k))
    order = 3 if percent else 0
    center = ((WIDTH + 1) / 2, (HEIGHT + 1) / 2)
    cd = ((sign * c, s), (-sign * s, c))
    return TanSip((ra, dec), center, cd, WIDTH, HEIGHT, order, *((a, b) if percent else ((), ())))


def stars_of(truth: TanSip, count: int, noise_px: float = 0.0, seed: int = 1) -> Matched:
    """Return stars at random places in the image, measured with normal scatter, and their true positions."""
    chance = np.random.default_rng(seed)
    x, y = chance.uniform(1, WIDTH, count), chance.uniform(1, HEIGHT, count)
    sky = np.array([truth.pixel_to_sky(*place) for place in zip(x.tolist(), y.tolist(), strict=True)]).reshape(-1, 2)
    shift = chance.normal(0, noise_px, (2, count)) if noise_px else np.zeros((2, count))
    return Matched(x + shift[0], y + shift[1], sky[:, 0], sky[:, 1])


def worst_px(solution: TanSip, truth: TanSip) -> float:
    """Return the largest error over a grid from edge to edge, pixels."""
    off = []
    for x in np.linspace(0.5, WIDTH + 0.5, 7).tolist():
        for y in np.linspace(0.5, HEIGHT + 0.5, 7).tolist():
            there = truth.sky_to_pixel(*solution.pixel_to_sky(x, y))
            assert there is not None
            off.append(math.hypot(there[0] - x, there[1] - y))
    return max(off)


def engine_solution_of(truth: TanSip) -> TanSip:
    """Return a solution like the engine's: about a corner, slightly rotated and stretched, without distortion."""
    (a, b), (c, d) = truth.cd
    corner = (200.0, 150.0)
    cd = ((a * 1.002, b), (c, d * 0.999))
    return TanSip(truth.pixel_to_sky(*corner), corner, cd, WIDTH, HEIGHT)
