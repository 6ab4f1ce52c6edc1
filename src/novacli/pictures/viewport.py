"""Where FITS pixels are in a picture.

A picture is shown as the image is displayed: y up for FITS, rows from the top for every other format.  Picture
coordinates start at the upper left corner, in picture pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from novacli.wcs.pixel_arrays import sky_to_pixels
from novacli.wcs.sphere import separation_arcsec
from novacli.wcs.tansip import TanSip
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@record
class Viewport:
    """A picture of a solved image.

    Attributes
    ----------
    solution
        The solution, with the size of the image.
    width, height
        Size of the picture, pixels.
    is_fits_like
        True if y points up when the image is displayed.
    """

    solution: TanSip
    width: int
    height: int
    is_fits_like: bool

    @property
    def scale_x(self) -> float:
        """Picture pixels per image pixel along x."""
        return self.width / self.solution.width

    @property
    def scale_y(self) -> float:
        """Picture pixels per image pixel along y."""
        return self.height / self.solution.height

    def of_pixels(self, x: Floats, y: Floats) -> Floats:
        """Return the picture coordinates of FITS pixels, shape (n, 2)."""
        down = (self.solution.height + 0.5 - y) if self.is_fits_like else y - 0.5
        return np.stack([(np.asarray(x) - 0.5) * self.scale_x, down * self.scale_y], axis=-1)

    def of_sky(self, ra: Floats, dec: Floats) -> Floats:
        """Return the picture coordinates of positions on the sky in degrees, shape (n, 2); NaN if there are none."""
        return self.of_pixels(*sky_to_pixels(self.solution, np.asarray(ra, float), np.asarray(dec, float)))

    def to_sky(self, x: float, y: float) -> tuple[float, float]:
        """Return (RA, Dec) in degrees of a place in the picture."""
        fits_y = y / self.scale_y
        fits_y = self.solution.height + 0.5 - fits_y if self.is_fits_like else fits_y + 0.5
        return self.solution.pixel_to_sky(x / self.scale_x + 0.5, fits_y)

    @property
    def centre(self) -> tuple[float, float]:
        """(RA, Dec) in degrees of the centre."""
        return self.to_sky(self.width / 2, self.height / 2)

    @property
    def degrees_per_pixel(self) -> float:
        """Degrees per picture pixel at the centre."""
        x, y = self.width / 2, self.height / 2
        step = min(self.width, self.height) / 8
        return separation_arcsec(self.to_sky(x - step, y), self.to_sky(x + step, y)) / (3600 * 2 * step)


def make_viewport(solution: TanSip, *, width: int | None, longer_side: int, is_fits_like: bool) -> Viewport:
    """Return a viewport with the shape of the image.

    Parameters
    ----------
    solution
        The solution.
    width
        Width of the picture in pixels; None to have ``longer_side`` decide.
    longer_side
        The longer side of the picture, pixels.
    is_fits_like
        True if y points up when the image is displayed.
    """
    scale = longer_side / max(solution.width, solution.height) if width is None else width / solution.width
    drawn = max(1, round(solution.width * scale)), max(1, round(solution.height * scale))
    return Viewport(solution, *drawn, is_fits_like)
