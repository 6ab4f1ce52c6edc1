"""Pixels of many positions on the sky at once; :class:`novacli.wcs.tansip.TanSip` does the same for one position."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from novacli.wcs.projection import sky_arrays_to_plane
from novacli.wcs.tansip import TanSip, Terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_STEPS = 20
_TOLERANCE_PX = 1e-9
#: Beyond the frame by more than this fraction of its size the polynomials of the distortion have no meaning.
_MARGIN = 0.25


def sky_to_pixels(solution: TanSip, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
    """Return the pixels of positions on the sky.

    Parameters
    ----------
    solution
        The solution; its distortion is left out more than a quarter of the image's size outside the image, where its
        polynomials have no meaning.
    ra, dec
        Right ascensions and declinations, degrees, of shape (n,).

    Returns
    -------
    tuple of arrays
        x and y (FITS pixels, the first centre is 1), shape (n,); NaN for positions 87 degrees or more from the
        reference point.
    """
    xi, eta = sky_arrays_to_plane(ra, dec, solution.crval)
    (cd11, cd12), (cd21, cd22) = solution.cd
    u = (cd22 * xi - cd12 * eta) / solution.det_cd
    v = (cd11 * eta - cd21 * xi) / solution.det_cd
    if solution.a or solution.b:
        near = _near_the_frame(solution, u, v)
        u[near], v[near] = _undo_distortion(solution, u[near], v[near])
    return u + solution.crpix[0], v + solution.crpix[1]


def distortion_px(solution: TanSip, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return how far the distortion moves FITS pixels (x, y) to their places on an undistorted image, pixels."""
    u, v = x - solution.crpix[0], y - solution.crpix[1]
    return _polynomial(solution.a, u, v)[0], _polynomial(solution.b, u, v)[0]


def _near_the_frame(solution: TanSip, u: Floats, v: Floats) -> NDArray[np.bool_]:
    """Return True for undistorted pixels, relative to CRPIX, in the image or close to it."""
    x, y = u + solution.crpix[0], v + solution.crpix[1]
    width, height = solution.width, solution.height
    return np.asarray(
        (x > -_MARGIN * width) & (x < (1 + _MARGIN) * width) & (y > -_MARGIN * height) & (y < (1 + _MARGIN) * height)
    )


def _undo_distortion(solution: TanSip, target_u: Floats, target_v: Floats) -> tuple[Floats, Floats]:
    """Solve u + A(u, v) = target by Newton's method; where it fails, the undistorted place is returned."""
    u, v = target_u.copy(), target_v.copy()
    with np.errstate(all="ignore"):
        for _ in range(_STEPS):
            a, a_u, a_v = _polynomial(solution.a, u, v)
            b, b_u, b_v = _polynomial(solution.b, u, v)
            du, dv = target_u - u - a, target_v - v - b
            if not np.any(np.hypot(du, dv) > _TOLERANCE_PX):
                break
            det = (1 + a_u) * (1 + b_v) - a_v * b_u
            u += ((1 + b_v) * du - a_v * dv) / det
            v += ((1 + a_u) * dv - b_u * du) / det
    failed = ~(np.hypot(u - target_u, v - target_v) < solution.width + solution.height)
    return np.where(failed, target_u, u), np.where(failed, target_v, v)


def _polynomial(terms: Terms, u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
    """Return a polynomial and its derivatives by u and by v."""
    value, by_u, by_v = np.zeros_like(u), np.zeros_like(u), np.zeros_like(u)
    for p, q, c in terms:
        value += c * u**p * v**q
        if p:
            by_u += c * p * u ** (p - 1) * v**q
        if q:
            by_v += c * q * u**p * v ** (q - 1)
    return value, by_u, by_v
