"""From the sky to a scene's pixels, by the gnomonic (TAN) projection and a radial cubic distortion; and its WCS cards.

The distortion is defined from pixels to the sky, like SIP, so that the cards are exact: a pixel at a distance ``r``
from the centre shows what an undistorted lens shows at ``r (1 - k (r / corner)^2)``.

Source: Calabretta & Greisen 2002, A&A 395, 1077 (TAN); Shupe et al. 2005, ASP Conf. Ser. 347, 491 (SIP).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from novacli.demo.scene import Scene
from novacli.records.parity import Parity
from novacli.wcs.projection import directions_to_plane
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

CardValue = str | int | float
_NEWTON_STEPS = 12
#: Stars are placed up to this many times the corners' distance; light of those outside reaches into the image.
_MARGIN = 1.1


def direction(ra_deg: float, dec_deg: float) -> NDArray[np.float64]:
    """Return the unit vector, shape (3,), of a position on the sky."""
    ra, dec = math.radians(ra_deg), math.radians(dec_deg)
    return np.array([math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)])


@record
class Projection:
    """A scene's world coordinates.

    Attributes
    ----------
    crval, crpix
        The image's centre: ICRS position in degrees, and FITS pixel.
    cd
        CD matrix, degrees per pixel, row by row.
    cubic
        The distortion k divided by the square of the corners' distance, per square pixel.
    reach_px
        Distance from the centre up to which stars are placed.
    """

    crval: tuple[float, float]
    crpix: tuple[float, float]
    cd: tuple[tuple[float, float], tuple[float, float]]
    cubic: float
    reach_px: float

    @classmethod
    def of(cls, scene: Scene) -> Projection:
        """Return the projection of a scene; its reference pixel is the image's centre."""
        turn, scale = math.radians(scene.rotation_deg), math.degrees(scene.scale_rad_per_px)
        x_sign = 1.0 if scene.mirrored else -1.0
        cd = (
            (x_sign * scale * math.cos(turn), scale * math.sin(turn)),
            (-x_sign * scale * math.sin(turn), scale * math.cos(turn)),
        )
        return cls(
            crval=(scene.ra_deg, scene.dec_deg),
            crpix=((scene.width_px + 1) / 2, (scene.height_px + 1) / 2),
            cd=cd,
            cubic=scene.distortion_percent / 100 / scene.half_diagonal_px**2,
            reach_px=_MARGIN * scene.half_diagonal_px,
        )

    @property
    def parity(self) -> Parity:
        """Sign of det(CD): -1 for an unmirrored FITS image, +1 for a mirrored one."""
        (cd11, cd12), (cd21, cd22) = self.cd
        return Parity.of(cd11 * cd22 - cd12 * cd21)

    @property
    def reach_rad(self) -> float:
        """Largest angle on the sky between the centre and a star that is placed."""
        scale = math.hypot(self.cd[0][1], self.cd[1][1])
        return math.atan(math.radians(scale) * self._undistorted(self.reach_px)) + 1e-6

    def sky_to_pixel(self, directions: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return FITS pixels (x, y) of unit vectors, shape (n, 3); NaN beyond the margin around the image."""
        u, v = self._undistorted_plane(directions)
        rho = np.hypot(u, v)
        # The negation makes NaN, from directions that cannot be projected, count as beyond.
        beyond = ~(rho <= self._undistorted(self.reach_px))
        rho[beyond] = 0.0
        stretch = np.where(beyond, np.nan, _stretch(rho, self.cubic))
        return u * stretch + self.crpix[0], v * stretch + self.crpix[1]

    def _undistorted_plane(self, directions: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return pixels from the centre without distortion; NaN for directions 87 degrees or more from the centre."""
        xi, eta = directions_to_plane(directions, self.crval)
        (cd11, cd12), (cd21, cd22) = self.cd
        det = cd11 * cd22 - cd12 * cd21
        return (cd22 * xi - cd12 * eta) / det, (cd11 * eta - cd21 * xi) / det

    def _undistorted(self, r_px: float) -> float:
        return r_px * (1 - self.cubic * r_px**2)

    def cards(self) -> dict[str, CardValue]:
        """Return the WCS as FITS cards: TAN, or TAN-SIP if there is distortion."""
        suffix = "-SIP" if self.cubic else ""
        cards: dict[str, CardValue] = {
            "CTYPE1": f"RA---TAN{suffix}", "CTYPE2": f"DEC--TAN{suffix}", "CUNIT1": "deg", "CUNIT2": "deg",
            "CRVAL1": self.crval[0], "CRVAL2": self.crval[1], "CRPIX1": self.crpix[0], "CRPIX2": self.crpix[1],
            "CD1_1": self.cd[0][0], "CD1_2": self.cd[0][1], "CD2_1": self.cd[1][0], "CD2_2": self.cd[1][1],
            "RADESYS": "ICRS",
            # The standard's default would rotate a field that is centred exactly on a pole.
            "LONPOLE": 180.0,
        }  # fmt: skip
        if self.cubic:
            terms = ("A_3_0", "A_1_2", "B_2_1", "B_0_3")
            cards |= {"A_ORDER": 3, "B_ORDER": 3, **dict.fromkeys(terms, -self.cubic)}
        return cards


def _stretch(rho: NDArray[np.float64], cubic: float) -> NDArray[np.float64]:
    """Return r / rho with r (1 - cubic r^2) = rho, by Newton's method, which converges monotonically here."""
    if not cubic:
        return np.ones_like(rho)
    r = rho.copy()
    for _ in range(_NEWTON_STEPS):
        r -= (r * (1 - cubic * r**2) - rho) / (1 - 3 * cubic * r**2)
    return np.divide(r, rho, out=np.ones_like(rho), where=rho > 0)
