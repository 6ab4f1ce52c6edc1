"""From light to counts: vignetting, sky, clouds, satellite trails, and the sensor."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from novacli.demo.scene import Camera, Scene
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

#: Fraction of images that a satellite crosses if the scene does not specify it.
TRAIL_SHARE = 1 / 3
_ADC_MAX = 65_535
#: Extinction of the thinnest and the thickest part of a full cloud cover, magnitudes.
_CLOUD_MAG = (6.0, 12.0)
#: A texture's grids: (cells on each side, weight).
CLOUD_OCTAVES = ((4, 1.0), (8, 0.5), (16, 0.3), (32, 0.15))


@record
class Conditions:
    """Observing conditions: focus, the sky's gradient (fraction of its level; direction), vignetting."""

    fwhm_px: float
    gradient: float
    gradient_angle_rad: float
    vignetting: float

    @classmethod
    def draw(cls, rng: Generator) -> Conditions:
        """Return random conditions."""
        return cls(
            fwhm_px=float(rng.uniform(2.1, 2.9)),
            gradient=float(rng.uniform(0.05, 0.25)),
            gradient_angle_rad=float(rng.uniform(0, 2 * math.pi)),
            vignetting=float(rng.uniform(0.10, 0.30)),
        )


@record
class Sky:
    """Everything between stars and sensor, as float32 arrays that broadcast to (height, width).

    Attributes
    ----------
    transmission
        Transmission of the lens, 1 at the centre.
    clouds
        Transmission of the clouds.
    glow
        Sky background, electrons.
    """

    transmission: NDArray[np.float32]
    clouds: NDArray[np.float32]
    glow: NDArray[np.float32]


def draw_sky(scene: Scene, conditions: Conditions, rng: Generator) -> Sky:
    """Return the sky of a scene; clouds dim the stars and scatter light into the image."""
    x, y = _axes(scene)
    along = x * np.float32(math.cos(conditions.gradient_angle_rad)) + y * np.float32(
        math.sin(conditions.gradient_angle_rad)
    )
    glow = np.float32(scene.camera.sky_e) * (1 + np.float32(conditions.gradient) * along)
    transmission = 1 - np.float32(conditions.vignetting) * (x**2 + y**2)
    if not scene.clouds:
        return Sky(transmission, np.ones((1, 1), np.float32), glow)
    thickness = cloud_texture(scene.width_px, scene.height_px, rng)
    low, high = _CLOUD_MAG
    extinction = np.float32(scene.clouds**2) * (low + (high - low) * thickness)
    return Sky(
        transmission, 10 ** (np.float32(-0.4) * extinction), glow * (1 + 2 * np.float32(scene.clouds) * thickness)
    )


def _axes(scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return x, shape (1, width), and y, shape (height, 1), from the centre, in units of the half diagonal."""
    x, y = (
        ((np.arange(n) - (n - 1) / 2) / scene.half_diagonal_px).astype(np.float32)
        for n in (scene.width_px, scene.height_px)
    )
    return x[None, :], y[:, None]


def cloud_texture(
    width_px: int, height_px: int, rng: Generator, octaves: tuple[tuple[int, float], ...] = CLOUD_OCTAVES
) -> NDArray[np.float32]:
    """Return smooth noise between 0 and 1: the sum of interpolated random grids of several resolutions."""
    total = np.zeros((height_px, width_px), np.float32)
    for cells, weight in octaves:
        grid = rng.random((cells + 1, cells + 1), dtype=np.float32)
        total += np.float32(weight) * (_spline(height_px, cells) @ grid @ _spline(width_px, cells).T)
    total -= total.min()
    return np.asarray(total / max(float(total.max()), 1e-6))


def _spline(pixels: int, cells: int) -> NDArray[np.float32]:
    """Return the weights, shape (pixels, cells + 1), that interpolate grid values smoothly."""
    position = np.linspace(0, cells, pixels)
    left = np.minimum(position.astype(np.intp), cells - 1)
    part = position - left
    eased = part * part * (3 - 2 * part)
    weights = np.zeros((pixels, cells + 1), np.float32)
    weights[np.arange(pixels), left] = 1 - eased
    weights[np.arange(pixels), left + 1] = eased
    return weights


def add_trail(light: NDArray[np.float32], sky_noise: float, rng: Generator) -> None:
    """Add the trail of a satellite across the whole image, in place."""
    height, width = light.shape
    x0, y0 = rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height
    angle, sigma_px = rng.uniform(0, math.pi), rng.uniform(0.9, 1.5)
    peak = sky_noise * 10 ** rng.uniform(0.6, 1.8)
    across = (np.arange(width) - x0)[None, :] * -math.sin(angle) + (np.arange(height) - y0)[:, None] * math.cos(angle)
    near = np.abs(across) < 5 * sigma_px
    light[near] += (peak * np.exp(-0.5 * (across[near] / sigma_px) ** 2)).astype(np.float32)


def has_trail(scene: Scene, rng: Generator) -> bool:
    """Return True if a satellite crosses the scene.

    A random number is drawn in any case, so the trail is the same whether the scene or chance decides on it.
    """
    crosses = bool(rng.random() < TRAIL_SHARE)
    return crosses if scene.trail is None else scene.trail


def expose(light: NDArray[np.float32], camera: Camera, rng: Generator) -> NDArray[np.uint16]:
    """Return the counts of a sensor: shot and read noise, hot pixels, full well, gain, bias.

    ``light``, in electrons, is overwritten.  Shot noise follows a normal distribution, which is close to Poisson's at
    these levels.
    """
    noise = rng.standard_normal(light.shape, dtype=np.float32)
    noise *= np.sqrt(light + np.float32(camera.read_noise_e**2))
    light += noise
    _add_hot_pixels(light, camera, rng)
    np.clip(light, None, camera.full_well_e, out=light)
    light *= np.float32(1 / camera.gain_e_per_adu)
    light += np.float32(camera.bias_adu)
    return np.clip(np.rint(light), 0, _ADC_MAX).astype(np.uint16)


def _add_hot_pixels(light: NDArray[np.float32], camera: Camera, rng: Generator) -> None:
    count = rng.poisson(light.size * camera.hot_pixel_fraction)
    places = rng.integers(0, light.size, count)
    light.reshape(-1)[places] += rng.exponential(camera.hot_pixel_e, count).astype(np.float32)
