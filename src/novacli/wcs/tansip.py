"""Gnomonic (TAN) world coordinates with SIP distortion, as ``astrometry-engine`` writes them to ``wcs.fits``.

Standard library only, so that commands which show a solution start fast; ``Solution.wcs`` gives astropy's object
to those who want it.  Pixel coordinates are FITS': the centre of the first stored pixel is (1, 1), x first.

Source: Calabretta & Greisen 2002, A&A 395, 1077 (TAN); Shupe et al. 2005, ASP Conf. Ser. 347, 491 (SIP).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from novacli.errors import DataError
from solvehost.errors import DataError as HeaderError
from solvehost.formats import fitsfile
from solvehost.indexes.sphere import separation_deg

#: SIP is defined up to this order.
MAX_SIP_ORDER = 9
#: A field larger than this on a side is a damaged header, not a picture.
MAX_SIDE_PX = 10**7
_INVERSE_STEPS = 30
_INVERSE_TOLERANCE_PX = 1e-11

Header = Mapping[str, fitsfile.CardValue]
Terms = tuple[tuple[int, int, float], ...]
"""The terms (p, q, coefficient) of one SIP polynomial: coefficient · u^p · v^q."""


@dataclass(frozen=True, slots=True)
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
        Size of the image, pixels.
    sip_order
        Highest order of the SIP polynomials; 0 where there is no distortion.
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
    def parity(self) -> float:
        """Sign of det(CD): +1.0 for an unmirrored JPEG (rows from the top), -1.0 for an unmirrored FITS image."""
        return math.copysign(1.0, self.det_cd)

    @property
    def pixscale_arcsec(self) -> float:
        """Pixel scale of the TAN part, arcsec per pixel: the square root of a pixel's area at the reference point."""
        return 3600 * math.sqrt(abs(self.det_cd))

    @property
    def center_px(self) -> tuple[float, float]:
        """Pixel coordinates of the middle of the image."""
        return (self.width + 1) / 2, (self.height + 1) / 2

    def pixel_to_sky(self, x: float, y: float) -> tuple[float, float]:
        """Return (ra, dec) in degrees of a pixel position, distortion included; 0 <= ra < 360."""
        u, v = x - self.crpix[0], y - self.crpix[1]
        return self._plane_to_sky(u + _polynomial(self.a, u, v), v + _polynomial(self.b, u, v))

    def tan_pixel_to_sky(self, x: float, y: float) -> tuple[float, float]:
        """Return (ra, dec) in degrees of a pixel position by the TAN part alone."""
        return self._plane_to_sky(x - self.crpix[0], y - self.crpix[1])

    def _plane_to_sky(self, u: float, v: float) -> tuple[float, float]:
        """Deproject undistorted pixels relative to CRPIX."""
        (cd11, cd12), (cd21, cd22) = self.cd
        xi, eta = math.radians(cd11 * u + cd12 * v), math.radians(cd21 * u + cd22 * v)
        dec0 = math.radians(self.crval[1])
        away = math.cos(dec0) - eta * math.sin(dec0)
        ra = self.crval[0] + math.degrees(math.atan2(xi, away))
        dec = math.atan2(math.sin(dec0) + eta * math.cos(dec0), math.hypot(xi, away))
        return wrap_degrees(ra), math.degrees(dec)

    def sky_to_pixel(self, ra: float, dec: float) -> tuple[float, float] | None:
        """Return the pixel (x, y) of a place on the sky, distortion included; ``ra`` and ``dec`` in degrees.

        None where there is none: 90 degrees and more from the reference point, or so far outside the image that
        the distortion polynomial cannot be inverted.
        """
        plane = self._sky_to_plane(ra, dec)
        if plane is None:
            return None
        pixel = self._undo_distortion(*plane) if self.a or self.b else plane
        return None if pixel is None else (pixel[0] + self.crpix[0], pixel[1] + self.crpix[1])

    def _sky_to_plane(self, ra: float, dec: float) -> tuple[float, float] | None:
        """Project onto undistorted pixels relative to CRPIX."""
        dra, delta, dec0 = math.radians(ra - self.crval[0]), math.radians(dec), math.radians(self.crval[1])
        cosine = math.sin(dec0) * math.sin(delta) + math.cos(dec0) * math.cos(delta) * math.cos(dra)
        if cosine < 1e-9:
            return None
        xi = math.degrees(math.cos(delta) * math.sin(dra) / cosine)
        north = math.cos(dec0) * math.sin(delta) - math.sin(dec0) * math.cos(delta) * math.cos(dra)
        eta = math.degrees(north / cosine)
        (cd11, cd12), (cd21, cd22) = self.cd
        return (cd22 * xi - cd12 * eta) / self.det_cd, (cd11 * eta - cd21 * xi) / self.det_cd

    def _undo_distortion(self, target_u: float, target_v: float) -> tuple[float, float] | None:
        """Solve u + A(u, v) = target by Newton's method, from where the inverse polynomials point to."""
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
            if not det > 0 or math.hypot(u, v) > MAX_SIDE_PX:
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

        Up is as the picture is displayed: towards +y for FITS, towards the first stored row (-y) for all else.
        The TAN part alone is used.
        """
        x, y = self.center_px
        # In this projection a line of pixels is a great circle, so the step's length does not matter.
        step = 0.5 if is_fits_like else -0.5
        return position_angle_deg(self.tan_pixel_to_sky(x, y), self.tan_pixel_to_sky(x, y + step))


def wrap_degrees(angle: float) -> float:
    """Return ``angle`` in 0 <= angle < 360."""
    wrapped = angle % 360
    return 0.0 if wrapped == 360 else wrapped


def separation_arcsec(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return the angle between two places (ra, dec) in degrees; exact for small and for large ones."""
    return 3600 * separation_deg(one, other)


def position_angle_deg(start: tuple[float, float], end: tuple[float, float]) -> float:
    """Return the direction from ``start`` to ``end``, both (ra, dec) in degrees, in degrees east of north, 0 to 360."""
    ra1, dec1, ra2, dec2 = (math.radians(v) for v in (*start, *end))
    east = math.sin(ra2 - ra1) * math.cos(dec2)
    # Written with sines of differences, so that nothing cancels between neighbouring pixels.
    turn = 2 * math.sin((ra2 - ra1) / 2) ** 2
    north = math.sin(dec2 - dec1) + math.sin(dec1) * math.cos(dec2) * turn
    return wrap_degrees(math.degrees(math.atan2(east, north)))


def _polynomial(terms: Terms, u: float, v: float) -> float:
    return math.fsum(c * u**p * v**q for p, q, c in terms)


def _slope(terms: Terms, u: float, v: float) -> tuple[float, float]:
    """Return the partial derivatives of a polynomial by u and by v."""
    by_u = math.fsum(c * p * u ** (p - 1) * v**q for p, q, c in terms if p)
    by_v = math.fsum(c * q * u**p * v ** (q - 1) for p, q, c in terms if q)
    return by_u, by_v


# --- Reading a header ---------------------------------------------------------------------------------------------


def read_wcs(path: Path) -> TanSip:
    """Return the solution in an engine's ``wcs.fits``.

    Raises
    ------
    DataError
        Where the file cannot be read or holds no usable solution; the message names it.
    """
    try:
        return from_header(fitsfile.read_primary_header(path))
    except HeaderError as exc:
        raise DataError(f"{exc}; solve the image again") from exc
    except OSError as exc:
        raise DataError(f"{path}: {exc.strerror}: the solution cannot be read; solve the image again") from exc
    except DataError as exc:
        raise DataError(f"{path}: {exc}; solve the image again") from exc


def from_header(header: Header) -> TanSip:
    """Return the WCS that a header describes by CTYPE, CRVAL, CRPIX, CD, IMAGEW, IMAGEH and SIP cards.

    Raises
    ------
    DataError
        Where a card is missing or not finite, the CD matrix is singular, or the projection is another; the message
        does not name the file.
    """
    kinds = tuple(str(header.get(f"CTYPE{i}", "")).strip() for i in (1, 2))
    if kinds not in (("RA---TAN", "DEC--TAN"), ("RA---TAN-SIP", "DEC--TAN-SIP")):
        raise DataError(f"its projection is {kinds[0]!r}, {kinds[1]!r} where RA---TAN[-SIP], DEC--TAN[-SIP] is needed")
    crval, crpix, row1, row2 = (_pair(header, *names) for names in _PAIRS)
    if abs(crval[0]) > 360 or abs(crval[1]) > 90:
        raise DataError(f"its reference point {crval[0]:g}, {crval[1]:g} degrees is not on the sky")
    if max(map(abs, crpix)) > 100 * MAX_SIDE_PX:
        raise DataError(f"its reference pixel {crpix[0]:g}, {crpix[1]:g} is too far away")
    has_sip = kinds[0].endswith("SIP")
    polynomials = {n: _terms(header, n) if has_sip else () for n in ("A", "B", "AP", "BP")}
    wcs = TanSip(
        crval=crval,
        crpix=crpix,
        cd=(row1, row2),
        width=_side(header, "IMAGEW"),
        height=_side(header, "IMAGEH"),
        sip_order=max(_order(header, n) for n in ("A", "B")) if has_sip else 0,
        **{n.lower(): terms for n, terms in polynomials.items()},
    )
    _check_scale(wcs)
    return wcs


_PAIRS = (("CRVAL1", "CRVAL2"), ("CRPIX1", "CRPIX2"), ("CD1_1", "CD1_2"), ("CD2_1", "CD2_2"))


def _check_scale(wcs: TanSip) -> None:
    largest = max(abs(v) for row in wcs.cd for v in row)
    if not (math.isfinite(wcs.det_cd) and abs(wcs.det_cd) > 1e-9 * largest * largest):
        raise DataError("its CD matrix is singular")
    if not 1e-6 < wcs.pixscale_arcsec < 90 * 3600:
        raise DataError(f"its pixel scale of {wcs.pixscale_arcsec:g} arcsec/pixel is not of this sky")


def _number(header: Header, keyword: str) -> float:
    value = header.get(keyword)
    if isinstance(value, (bool, str)) or value is None:
        raise DataError(f"its {keyword} is {value!r} where a number is needed")
    # No card of 70 digits is meant, and float() of a longer whole number would overflow.
    if not abs(value) < 1e60:
        raise DataError(f"its {keyword} is not a finite number")
    return float(value)


def _pair(header: Header, first: str, second: str) -> tuple[float, float]:
    return _number(header, first), _number(header, second)


def _side(header: Header, keyword: str) -> int:
    value = _number(header, keyword)
    if not (1 <= value <= MAX_SIDE_PX and value == int(value)):
        raise DataError(f"its {keyword} = {value:g} is no image size")
    return int(value)


def _order(header: Header, name: str) -> int:
    order = _number(header, f"{name}_ORDER") if f"{name}_ORDER" in header else 0.0
    if not 0 <= order <= MAX_SIP_ORDER:
        raise DataError(f"its {name}_ORDER = {order:g} is outside 0 to {MAX_SIP_ORDER}")
    return int(order)


def _terms(header: Header, name: str) -> Terms:
    order = _order(header, name)
    powers = [(p, q) for p in range(order + 1) for q in range(order + 1 - p) if f"{name}_{p}_{q}" in header]
    terms = [(p, q, _number(header, f"{name}_{p}_{q}")) for p, q in powers]
    return tuple(term for term in terms if term[2])
