"""The light of stars on pixels: a Moffat profile that becomes larger and elongated towards the corners.

Source: Moffat 1969, A&A 3, 455; the wings of the profile follow a power law, like those of real stars.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from solvehost.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

BETA = 2.8
_HALF_SIDES_PX = (5, 10, 20, 40, 80)
_PIXELS_AT_ONCE = 1 << 21


@record
class Psf:
    """A point-spread function.

    Attributes
    ----------
    fwhm_px
        Full width at half maximum at the centre, pixels.
    center_px
        FITS pixel of the optical axis.
    half_diagonal_px
        Distance from the centre to the corners, pixels.
    radial_growth, tangential_growth
        Relative growth of the profile's radius in the corners: along the line to the centre, and perpendicular to it.
    """

    fwhm_px: float
    center_px: tuple[float, float]
    half_diagonal_px: float
    radial_growth: float = 0.30
    tangential_growth: float = 0.12

    @property
    def alpha_px(self) -> float:
        """The Moffat profile's radius at the centre."""
        return self.fwhm_px / (2 * math.sqrt(2 ** (1 / BETA) - 1))

    @property
    def peak(self) -> float:
        """Fraction of a star's light in the pixel that it is centred on, at the image's centre."""
        return (BETA - 1) / (math.pi * self.alpha_px**2)

    @property
    def noise_pixels(self) -> float:
        """Equivalent number of noise pixels of an optimal measurement: one over the integral of the squared profile."""
        return math.pi * self.alpha_px**2 * (2 * BETA - 1) / (BETA - 1) ** 2


def add_stars(
    light: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    flux: NDArray[np.float64],
    psf: Psf,
    sky_noise: float,
) -> None:
    """Add stars to an image, in place.

    Parameters
    ----------
    light
        The image, electrons, shape (height, width).
    x, y
        FITS pixels, shape (n,).
    flux
        Electrons, shape (n,).
    psf
        The point-spread function.
    sky_noise
        Background noise of a pixel, electrons.  Stars far below it are spread over a few pixels; the stamps of brighter
        stars extend to where their wings are a tenth of it.
    """
    reach = psf.alpha_px * (np.maximum(flux, 0) * psf.peak / (0.1 * sky_noise)) ** (1 / (2 * BETA))
    dim = flux * psf.peak < 0.5 * sky_noise
    _add_dim(light, x[dim] - 1, y[dim] - 1, flux[dim])
    inner = 0
    for half in _HALF_SIDES_PX:
        last = half == _HALF_SIDES_PX[-1]
        chosen = np.flatnonzero(~dim & (reach > inner) & ((reach <= half) | last))
        at_once = max(1, _PIXELS_AT_ONCE // (2 * half + 1) ** 2)
        for start in range(0, len(chosen), at_once):
            some = chosen[start : start + at_once]
            _add_stamps(light, x[some] - 1, y[some] - 1, flux[some], psf, half)
        inner = half


def _add_stamps(
    light: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    flux: NDArray[np.float64],
    psf: Psf,
    half: int,
) -> None:
    """Add square stamps with sides of 2 ``half`` + 1 pixels around 0-based positions."""
    offsets = np.arange(-half, half + 1)
    columns = np.rint(x).astype(np.intp)[:, None] + offsets
    rows = np.rint(y).astype(np.intp)[:, None] + offsets
    dx, dy = (columns - x[:, None])[:, None, :], (rows - y[:, None])[:, :, None]
    cos, sin, along, across = (v[:, None, None] for v in _shape(x, y, psf))
    radial, tangential = (dx * cos + dy * sin) / along, (dy * cos - dx * sin) / across
    stamps = (1 + radial**2 + tangential**2) ** -BETA * (flux[:, None, None] * (BETA - 1) / (np.pi * along * across))
    height, width = light.shape
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    flat = rows[:, :, None] * width + columns[:, None, :]
    np.add.at(light.reshape(-1), flat[inside], stamps[inside].astype(np.float32))


def _shape(x: NDArray[np.float64], y: NDArray[np.float64], psf: Psf) -> tuple[NDArray[np.float64], ...]:
    """Return the direction from the centre (cos, sin) and the profile's radii along and across that direction."""
    u, v = x + 1 - psf.center_px[0], y + 1 - psf.center_px[1]
    r = np.hypot(u, v)
    cos, sin = (np.divide(c, r, out=np.full_like(r, np.sqrt(0.5)), where=r > 0) for c in (u, v))
    edge = (r / psf.half_diagonal_px) ** 2
    return cos, sin, psf.alpha_px * (1 + psf.radial_growth * edge), psf.alpha_px * (1 + psf.tangential_growth * edge)


def _add_dim(
    light: NDArray[np.float32], x: NDArray[np.float64], y: NDArray[np.float64], flux: NDArray[np.float64]
) -> None:
    """Add the light of stars too faint to see: each to its nearest pixel, then smoothed over its neighbours."""
    height, width = light.shape
    columns, rows = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    if not inside.any():
        return
    flat = rows[inside] * width + columns[inside]
    glow = np.bincount(flat, flux[inside], height * width).reshape(height, width).astype(np.float32)
    for _ in range(2):
        glow = _smoothed(_smoothed(glow).T).T
    light += glow


def _smoothed(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an image smoothed along its rows with the weights 1/4, 1/2, 1/4; light is lost at the edges."""
    out = picture * np.float32(0.5)
    out[:, 1:] += picture[:, :-1] * np.float32(0.25)
    out[:, :-1] += picture[:, 1:] * np.float32(0.25)
    return out
