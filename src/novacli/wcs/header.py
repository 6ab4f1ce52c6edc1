"""FITS header cards to :class:`~novacli.wcs.tansip.TanSip` and back.

The reader accepts what ``astrometry-engine`` writes to ``wcs.fits`` (TAN and TAN-SIP with a CD matrix, IMAGEW and
IMAGEH) and refuses everything else: a header may come from another machine.

Source: Calabretta & Greisen 2002, A&A 395, 1077 (TAN); Shupe et al. 2005, ASP Conf. Ser. 347, 491 (SIP).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from novacli.errors import DataError
from novacli.wcs.tansip import TanSip, Terms
from solvehost.formats import fitsfile

#: Highest order that the SIP convention allows.
MAX_SIP_ORDER = 9
#: Longest side of an image, pixels; a header that states more is damaged.
MAX_SIDE_PX = 10**7
_MAX_SCALE_ARCSEC, _MIN_SCALE_ARCSEC = 90 * 3600, 1e-6
#: Points along each side of the image at which the distortion is checked.
_DISTORTION_POINTS = 5
_PROJECTIONS = (("RA---TAN", "DEC--TAN"), ("RA---TAN-SIP", "DEC--TAN-SIP"))

Header = Mapping[str, fitsfile.CardValue]


def read_wcs(path: Path) -> TanSip:
    """Return the solution in an engine's ``wcs.fits``.

    Raises
    ------
    DataError
        If the file cannot be read or holds no usable solution; the message names the file.
    """
    try:
        header = fitsfile.read_primary_header(path)
    except DataError as exc:  # its message names the file
        raise DataError(f"{exc}; solve the image again") from exc
    except OSError as exc:
        raise DataError(f"{path}: {exc.strerror}: the solution cannot be read; solve the image again") from exc
    try:
        return from_header(header)
    except DataError as exc:
        raise DataError(f"{path}: {exc}; solve the image again") from exc


def from_header(header: Header) -> TanSip:
    """Return the WCS that a header describes by CTYPE, CRVAL, CRPIX, CD, IMAGEW, IMAGEH and SIP cards.

    Raises
    ------
    DataError
        If a card is missing or not finite, the CD matrix is singular, the projection is neither TAN nor TAN-SIP, or
        the distortion moves a pixel by more than the image's diagonal; the message does not name the file.
    """
    kinds = tuple(str(header.get(f"CTYPE{i}", "")).strip() for i in (1, 2))
    if kinds not in _PROJECTIONS:
        raise DataError(f"its projection is {kinds[0]!r}, {kinds[1]!r} instead of RA---TAN[-SIP], DEC--TAN[-SIP]")
    crval, crpix = _pair(header, "CRVAL1", "CRVAL2"), _pair(header, "CRPIX1", "CRPIX2")
    cd = _pair(header, "CD1_1", "CD1_2"), _pair(header, "CD2_1", "CD2_2")
    if abs(crval[0]) > 360 or abs(crval[1]) > 90:
        raise DataError(f"its reference point {crval[0]:g}, {crval[1]:g} degrees is not on the sky")
    if max(map(abs, crpix)) > 100 * MAX_SIDE_PX:
        raise DataError(f"its reference pixel {crpix[0]:g}, {crpix[1]:g} is too far away")
    has_sip = kinds[0].endswith("SIP")
    polynomials = {n: _terms(header, n) if has_sip else () for n in ("A", "B", "AP", "BP")}
    wcs = TanSip(
        crval=crval,
        crpix=crpix,
        cd=cd,
        width=_side(header, "IMAGEW"),
        height=_side(header, "IMAGEH"),
        sip_order=max(_order(header, n) for n in ("A", "B")) if has_sip else 0,
        **{n.lower(): terms for n, terms in polynomials.items()},
    )
    _check_scale(wcs)
    _check_distortion(wcs)
    return wcs


def cards(solution: TanSip) -> list[bytes]:
    """Return the FITS cards of a solution, 80 bytes each, without IMAGEW and IMAGEH.

    astropy ignores polynomials of order 1, so the lowest order that is written is 2.

    The reference stars of every index series are on the ICRS, so RADESYS says so; EQUINOX does not apply to the ICRS
    and would make readers assume FK5.  Source: FITS Standard 4.0, section 8.3.
    """
    suffix = "-SIP" if solution.sip_order else ""
    (cd11, cd12), (cd21, cd22) = solution.cd
    values: dict[str, fitsfile.CardValue] = {
        "CTYPE1": f"RA---TAN{suffix}", "CTYPE2": f"DEC--TAN{suffix}", "RADESYS": "ICRS",
        "LONPOLE": 180.0, "LATPOLE": 0.0, "CRVAL1": solution.crval[0], "CRVAL2": solution.crval[1],
        "CRPIX1": solution.crpix[0], "CRPIX2": solution.crpix[1], "CUNIT1": "deg", "CUNIT2": "deg",
        "CD1_1": cd11, "CD1_2": cd12, "CD2_1": cd21, "CD2_2": cd22,
    }  # fmt: skip
    if solution.sip_order:
        # Without inverse polynomials readers invert the others; inverse polynomials of zeros would be wrong.
        inverse = (("AP", solution.ap), ("BP", solution.bp)) if solution.ap or solution.bp else ()
        for name, terms in (("A", solution.a), ("B", solution.b), *inverse):
            values[f"{name}_ORDER"] = max(2, solution.sip_order, *(p + q for p, q, _ in terms))
            values |= {f"{name}_{p}_{q}": c for p, q, c in terms}
    return [fitsfile.card(keyword, value) for keyword, value in values.items()]


def _check_scale(wcs: TanSip) -> None:
    """Raise if the CD matrix is singular or its pixel scale is absurd."""
    largest = max(abs(v) for row in wcs.cd for v in row)
    if not (math.isfinite(wcs.det_cd) and abs(wcs.det_cd) > 1e-9 * largest * largest):
        raise DataError("its CD matrix is singular")
    if not _MIN_SCALE_ARCSEC < wcs.pixscale_arcsec < _MAX_SCALE_ARCSEC:
        raise DataError(f"its pixel scale of {wcs.pixscale_arcsec:g} arcsec/pixel is impossible")


def _check_distortion(wcs: TanSip) -> None:
    """Raise if a SIP polynomial moves a point of the image, such as a corner, by more than the image's diagonal."""
    limit_px = math.hypot(wcs.width, wcs.height)
    steps = [n / (_DISTORTION_POINTS - 1) for n in range(_DISTORTION_POINTS)]
    for s, t in [(s, t) for s in steps for t in steps]:
        u, v = 0.5 + s * wcs.width - wcs.crpix[0], 0.5 + t * wcs.height - wcs.crpix[1]
        for terms in (wcs.a, wcs.b, wcs.ap, wcs.bp):
            moved_px = sum(c * u**p * v**q for p, q, c in terms)
            if not abs(moved_px) <= limit_px:
                raise DataError(
                    f"its distortion moves a pixel by {abs(moved_px):.3g} pixels, more than the image's size"
                )


def _number(header: Header, keyword: str) -> float:
    value = header.get(keyword)
    if isinstance(value, (bool, str)) or value is None:
        raise DataError(f"its {keyword} is {value!r}, not a number")
    # A card can hold 70 digits, and float() of a longer integer would overflow.
    if not abs(value) < 1e60:
        raise DataError(f"its {keyword} is not a finite number")
    return float(value)


def _pair(header: Header, first: str, second: str) -> tuple[float, float]:
    return _number(header, first), _number(header, second)


def _side(header: Header, keyword: str) -> int:
    value = _number(header, keyword)
    if not (1 <= value <= MAX_SIDE_PX and value == int(value)):
        raise DataError(f"its {keyword} = {value:g} cannot be the side of an image")
    return int(value)


def _order(header: Header, name: str) -> int:
    order = _number(header, f"{name}_ORDER") if f"{name}_ORDER" in header else 0.0
    if not 0 <= order <= MAX_SIP_ORDER:
        raise DataError(f"its {name}_ORDER = {order:g} is outside 0 to {MAX_SIP_ORDER}")
    return int(order)


def _terms(header: Header, name: str) -> Terms:
    """Return the terms of one SIP polynomial that are not zero."""
    order = _order(header, name)
    powers = [(p, q) for p in range(order + 1) for q in range(order + 1 - p) if f"{name}_{p}_{q}" in header]
    terms = [(p, q, _number(header, f"{name}_{p}_{q}")) for p, q in powers]
    return tuple(term for term in terms if term[2])
