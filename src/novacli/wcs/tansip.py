"""The record of a solution: gnomonic (TAN) world coordinates with SIP distortion, and what follows from them.

Standard library only, so that commands which show a solution start fast; ``Solution.wcs`` gives the same as an
astropy object.  Pixel coordinates are those of FITS: the centre of the first stored pixel is (1, 1), x first.

Source: Calabretta & Greisen 2002, A&A 395, 1077 (TAN); Shupe et al. 2005, ASP Conf. Ser. 347, 491 (SIP).
"""

from __future__ import annotations

import math

from novacli.records.parity import Parity
from novacli.wcs.projection import plane_to_sky, sky_to_plane
from novacli.wcs.sphere import position_angle_deg
from solvehost.record import record

_INVERSE_STEPS = 30
_INVERSE_TOLERANCE_PX = 1e-11
#: Newton's method gives up if it runs further than this from the reference pixel.
_INVERSE_LIMIT_PX = 10**7

Terms = tuple[tuple[int, int, float], ...]
"""The terms (p, q, coefficient) of one SIP polynomial: coefficient · u^p · v^q."""


@record
class TanSip:
    """A TAN or TAN-SIP world coordinate system and the size of the image that it describes.

    Attributes
    ----------
    crval
        Right ascension and declination of the reference point, degrees.
    crpix
        Its pixel (x, y).
    cd
        CD matrix in degrees per pixel, row by row: ((CD1_1, CD1_2), (CD2_1, CD2_2)).
    width, height
        Image size, pixels.
    sip_order
        Highest order of the SIP polynomials; 0 for no distortion.
    a, b
        SIP terms from pixels to undistorted pixels.
    ap, bp
        SIP terms of the approximate inverse.
    """

    crval: tuple[float, float]
    crpix: tuple[float, float]
    cd: tuple[tuple[float, float], tuple[float, float]]
    width: int
    height: int
    sip_order: int = 0
    a: Terms = ()
    b: Terms = ()
    ap: Terms = ()
    bp: Terms = ()

    @property
    def det_cd(self) -> float:
        """Determinant of the CD matrix, square degrees per pixel; never zero."""
        (cd11, cd12), (cd21, cd22) = self.cd
        return cd11 * cd22 - cd12 * cd21

    @property
    def parity(self) -> Parity:
        """Sign of det(CD): +1 for an unmirrored JPEG (rows from the top), -1 for an unmirrored FITS image."""
        return Parity.of(self.det_cd)

    @property
    def pixscale_arcsec(self) -> float:
        """Pixel scale of the TAN part, arcsec per pixel: the square root of a pixel's area at the reference point."""
        return 3600 * math.sqrt(abs(self.det_cd))

    @property
    def center_px(self) -> tuple[float, float]:
        """Pixel coordinates (x, y) of the centre of the image."""
        return (self.width + 1) / 2, (self.height + 1) / 2

    def pixel_to_sky(self, x: float, y: float) -> tuple[float, float]:
        """Return (ra, dec) in degrees of a pixel position, distortion included; 0 <= ra < 360."""
        u, v = x - self.crpix[0], y - self.crpix[1]
        return self._undistorted_to_sky(u + _polynomial(self.a, u, v), v + _polynomial(self.b, u, v))

    def tan_pixel_to_sky(self, x: float, y: float) -> tuple[float, float]:
        """Return (ra, dec) in degrees of a pixel position by the TAN part alone."""
        return self._undistorted_to_sky(x - self.crpix[0], y - self.crpix[1])

    def _undistorted_to_sky(self, u: float, v: float) -> tuple[float, float]:
        """Return (ra, dec) of undistorted pixels relative to CRPIX."""
        (cd11, cd12), (cd21, cd22) = self.cd
        return plane_to_sky(cd11 * u + cd12 * v, cd21 * u + cd22 * v, self.crval)

    def sky_to_pixel(self, ra: float, dec: float) -> tuple[float, float] | None:
        """Return the pixel (x, y) of a position on the sky, distortion included; ``ra`` and ``dec`` in degrees.

        Returns None if the position is 90 degrees or more from the reference point, or so far outside the image that
        the distortion polynomial cannot be inverted.
        """
        plane = sky_to_plane(ra, dec, self.crval)
        if plane is None:
            return None
        (cd11, cd12), (cd21, cd22) = self.cd
        xi, eta = plane
        u, v = (cd22 * xi - cd12 * eta) / self.det_cd, (cd11 * eta - cd21 * xi) / self.det_cd
        pixel = self._undo_distortion(u, v) if self.a or self.b else (u, v)
        return None if pixel is None else (pixel[0] + self.crpix[0], pixel[1] + self.crpix[1])

    def _undo_distortion(self, target_u: float, target_v: float) -> tuple[float, float] | None:
        """Solve u + A(u, v) = target by Newton's method, starting at the result of the inverse polynomials."""
        u = target_u + _polynomial(self.ap, target_u, target_v)
        v = target_v + _polynomial(self.bp, target_u, target_v)
        for _ in range(_INVERSE_STEPS):
            du = target_u - u - _polynomial(self.a, u, v)
            dv = target_v - v - _polynomial(self.b, u, v)
            if math.hypot(du, dv) < _INVERSE_TOLERANCE_PX * (1 + math.hypot(u, v)):
                return u, v
            a_u, a_v = _slope(self.a, u, v)
            b_u, b_v = _slope(self.b, u, v)
            det = (1 + a_u) * (1 + b_v) - a_v * b_u
            if not det > 0 or math.hypot(u, v) > _INVERSE_LIMIT_PX:
                return None
            u += ((1 + b_v) * du - a_v * dv) / det
            v += ((1 + a_u) * dv - b_u * du) / det
        return None

    def orientation_deg(self) -> float:
        """Return ``wcsinfo``'s orientation: position angle of +y at the reference point, in (-180, 180], degrees.

        Source: wcsinfo of Astrometry.net 0.93, which averages the angles of both axes.
        """
        (cd11, cd12), (cd21, cd22) = self.cd
        return -math.degrees(math.atan2(self.parity * cd21 - cd12, self.parity * cd11 + cd22))

    def up_deg_e_of_n(self, *, is_fits_like: bool) -> float:
        """Return the position angle of "up" at the image's centre, degrees east of north, 0 to 360.

        "Up" is as the image is displayed: +y for FITS, towards the first stored row (-y) for every other format.
        Only the TAN part is used.
        """
        x, y = self.center_px
        # A line of pixels is a great circle in this projection, so the length of the step does not matter.
        step = 0.5 if is_fits_like else -0.5
        return position_angle_deg(self.tan_pixel_to_sky(x, y), self.tan_pixel_to_sky(x, y + step))


def _polynomial(terms: Terms, u: float, v: float) -> float:
    return math.fsum(c * u**p * v**q for p, q, c in terms)


def _slope(terms: Terms, u: float, v: float) -> tuple[float, float]:
    """Return the partial derivatives of a polynomial by u and by v."""
    by_u = math.fsum(c * p * u ** (p - 1) * v**q for p, q, c in terms if p)
    by_v = math.fsum(c * q * u**p * v ** (q - 1) for p, q, c in terms if q)
    return by_u, by_v
