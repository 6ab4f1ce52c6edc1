"""A TAN-SIP solution as TPV: the same distortion in a form that readers accept beside further axes.

astropy reads SIP only in headers of two dimensions; WCSLIB applies TPV, which is part of the projection, to the two
celestial axes among any number.  The conversion is exact: SIP maps pixels to distorted pixels before the CD matrix,
TPV maps intermediate world coordinates after it, and both are polynomials of the same order.

Source: Shupe et al. 2005, ASP Conf. Ser. 347, 491 (SIP); the TPV convention in the registry of FITS conventions
(https://fits.gsfc.nasa.gov/registry/tpvwcs/tpv.html).
"""

from __future__ import annotations

from novacli.errors import UsageError
from novacli.wcs.tansip import TanSip, Terms

#: Highest order of the TPV convention.
MAX_ORDER = 7

Polynomial = dict[tuple[int, int], float]
"""Coefficients by the exponents of the two variables."""


def tpv_coefficients(solution: TanSip) -> tuple[dict[int, float], dict[int, float]]:
    """Return the coefficients PV1_m and PV2_m, by m, that distort as a solution's SIP polynomials do.

    Parameters
    ----------
    solution
        A TAN-SIP solution.

    Returns
    -------
    pv1, pv2 : dict
        Coefficients in powers of degrees; those that are zero are left out, except the linear ones, whose default in
        the convention is 1.

    Raises
    ------
    UsageError
        If the order of the polynomials is above 7, the highest of the convention.
    """
    order = max((p + q for p, q, _ in (*solution.a, *solution.b)), default=1)
    if order > MAX_ORDER:
        raise UsageError(
            f"a distortion of order {order} cannot be written as TPV, whose highest order is {MAX_ORDER}: "
            f"solve the image with --tweak-order {MAX_ORDER}, or use --wcs for the solution alone"
        )
    (cd11, cd12), (cd21, cd22) = solution.cd
    det = solution.det_cd
    # The pixel offsets u and v as polynomials of the intermediate world coordinates x and y, degrees.
    u: Polynomial = {(1, 0): cd22 / det, (0, 1): -cd12 / det}
    v: Polynomial = {(1, 0): -cd21 / det, (0, 1): cd11 / det}
    f, g = _distorted(u, v, u, solution.a), _distorted(u, v, v, solution.b)
    xi, eta = _sum((cd11, f), (cd12, g)), _sum((cd21, f), (cd22, g))
    pv1 = {_number(p, q): c for (p, q), c in xi.items() if c}
    # For the second axis the convention exchanges x and y.
    pv2 = {_number(q, p): c for (p, q), c in eta.items() if c}
    return {1: 0.0, **pv1}, {1: 0.0, **pv2}


def _number(p: int, q: int) -> int:
    """Return the number m of the coefficient of x^p y^q.

    The terms of each order follow those of the order below, by falling power of x; each odd order ends with a term in
    the radius, which SIP does not need.
    """
    order = p + q
    terms_below = order * (order + 1) // 2
    return terms_below + order // 2 + q


def _distorted(u: Polynomial, v: Polynomial, linear: Polynomial, terms: Terms) -> Polynomial:
    """Return ``linear`` plus a SIP polynomial of u and v."""
    return _sum((1.0, linear), *((c, _product(_power(u, p), _power(v, q))) for p, q, c in terms))


def _sum(*weighted: tuple[float, Polynomial]) -> Polynomial:
    total: Polynomial = {}
    for weight, polynomial in weighted:
        for exponents, c in polynomial.items():
            total[exponents] = total.get(exponents, 0.0) + weight * c
    return total


def _product(one: Polynomial, other: Polynomial) -> Polynomial:
    product: Polynomial = {}
    for (p1, q1), c1 in one.items():
        for (p2, q2), c2 in other.items():
            exponents = (p1 + p2, q1 + q2)
            product[exponents] = product.get(exponents, 0.0) + c1 * c2
    return product


def _power(polynomial: Polynomial, exponent: int) -> Polynomial:
    result: Polynomial = {(0, 0): 1.0}
    for _ in range(exponent):
        result = _product(result, polynomial)
    return result
