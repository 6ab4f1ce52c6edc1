"""The light of a picture while it is drawn, and what all effects on it share: textures, blurring, covering."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from novacli.demo.exposure import CLOUD_OCTAVES, cloud_texture

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Plane = NDArray[np.float32]

Color = tuple[float, float, float]
WHITE: Color = (1.0, 1.0, 1.0)


@dataclass(slots=True)
class Draft:
    """The light of a picture, which effects change in place.

    Attributes
    ----------
    light
        Electrons, shape (height, width, 3): red, green, blue.  Row 0 is the top of the picture and y = 1 of its WCS.
    clear
        Share of the sky's light that passes what stands in front of it, shape (height, width).
    sky_e, noise_e
        Sky background and its noise, electrons per pixel.
    px_per_deg
        Pixels per degree at the centre.
    rng
        The source of all random numbers of the effects.
    """

    light: Plane
    clear: Plane
    sky_e: float
    noise_e: float
    px_per_deg: float
    rng: Generator

    @property
    def height(self) -> int:
        """Number of rows."""
        return int(self.light.shape[0])

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.light.shape[1])

    def add(self, glow: Plane, color: Color = WHITE) -> None:
        """Add light of one colour; ``glow`` is in electrons and broadcasts to (height, width)."""
        self.light += glow[..., None] * np.array(color, np.float32)

    def cover(self, opacity: Plane, glow: Plane | float, color: Color = WHITE) -> None:
        """Put something in front of the sky.

        Parameters
        ----------
        opacity
            0 where the sky is visible, 1 where it is hidden; shape (height, width).
        glow
            The thing's own light, electrons.
        color
            The colour of that light.
        """
        self.light *= (1 - opacity)[..., None]
        self.clear *= 1 - opacity
        self.add(opacity * glow, color)

    def texture(self, fineness: int = 1) -> Plane:
        """Return smooth random values between 0 and 1; structures are smaller by the factor ``fineness``."""
        octaves = tuple((cells * fineness, weight) for cells, weight in CLOUD_OCTAVES)
        return cloud_texture(self.width, self.height, self.rng, octaves)

    def rows(self) -> Plane:
        """Return the row numbers, shape (height, 1)."""
        return np.arange(self.height, dtype=np.float32)[:, None]

    def columns(self) -> Plane:
        """Return the column numbers, shape (1, width)."""
        return np.arange(self.width, dtype=np.float32)[None, :]

    def distance(self, x: float, y: float) -> Plane:
        """Return the distance of each pixel from a 0-based position, pixels."""
        return np.asarray(np.hypot(self.columns() - np.float32(x), self.rows() - np.float32(y)))


Effect = Callable[[Draft], None]


def log_uniform(rng: Generator, low: float, high: float) -> float:
    """Return a random number whose logarithm is uniformly distributed."""
    return float(low * (high / low) ** rng.random())


def mask_of(image: Image.Image, blur_px: float = 0.0) -> Plane:
    """Return a drawn mask (mode L) as values between 0 and 1, with soft edges if it is blurred."""
    soft = image.filter(ImageFilter.GaussianBlur(blur_px)) if blur_px else image
    return np.asarray(soft, np.float32) / np.float32(255)


def convolved(light: Plane, kernel: Plane) -> Plane:
    """Return light, shape (height, width, 3), convolved with a kernel that is centred on its middle pixel.

    The kernel is normalised.  The image continues on its opposite side.
    """
    padded = np.zeros(light.shape[:2], np.float32)
    tall, wide = kernel.shape
    padded[:tall, :wide] = kernel / kernel.sum()
    padded = np.roll(padded, (-(tall // 2), -(wide // 2)), axis=(0, 1))
    transfer = np.fft.rfft2(padded)[..., None]
    blurred = np.fft.irfft2(np.fft.rfft2(light, axes=(0, 1)) * transfer, s=light.shape[:2], axes=(0, 1))
    return np.maximum(blurred, 0).astype(np.float32)


def disc_kernel(outer_px: float, inner_px: float = 0.0) -> Plane:
    """Return a kernel in the form of a disc or a ring: a star out of focus."""
    half = math.ceil(outer_px) + 1
    far = np.hypot(*np.mgrid[-half : half + 1, -half : half + 1])
    ring = np.clip(outer_px + 0.5 - far, 0, 1) * np.clip(far - inner_px + 0.5, 0, 1)
    return np.asarray(ring, np.float32)


def gaussian_kernel(sigma_px: float) -> Plane:
    """Return a Gaussian kernel out to three sigma."""
    half = math.ceil(3 * sigma_px)
    far2 = np.sum(np.mgrid[-half : half + 1, -half : half + 1] ** 2, axis=0)
    return np.asarray(np.exp(-0.5 * far2 / sigma_px**2), np.float32)


def path_kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> Plane:
    """Return a kernel of points on a path around (0, 0), each spread over its four nearest pixels."""
    half = math.ceil(max(np.abs(x).max(), np.abs(y).max())) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for dx in (0, 1):
        for dy in (0, 1):
            weight = np.abs(1 - dx - (x - left)) * np.abs(1 - dy - (y - top))
            np.add.at(kernel, (top + dy + half, left + dx + half), weight.astype(np.float32))
    return kernel
