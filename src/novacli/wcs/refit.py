"""A solution fitted again to its matched stars: with the distortion that they support, about the image's centre.

The engine fits the order that it is told, from the tangent point where its quad was.  Here the order is decided by
stars held out of the fit (see :mod:`novacli.wcs.distortion`), and stars that the engine's solution missed for its
errors are matched with the better one.  Works from the files in a job directory, wherever it was solved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from novacli.wcs import distortion
from novacli.wcs.distortion import POWERS, Fit, Pairs
from novacli.wcs.projection import sky_arrays_to_plane
from novacli.wcs.tansip import TanSip, Terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: With fewer matched stars than this nothing can be held out.
_LEAST_STARS = 6
_ROUNDS = 10
#: The tangent point is in the middle of the image where it is as close as this, in pixels; it must nearly be before
#: models are compared for good, for those of few parameters cannot make up for it.
_CENTRED_PX, _NEARLY_CENTRED_PX = 0.05, 1.0
#: Stars are matched again within this many times the usual residual, within limits in pixels.
_MATCH_SIGMAS, _MATCH_LEAST_PX, _MATCH_MOST_PX = 5.0, 1.0, 4.0
#: The inverse polynomials are of this many orders more than the others, which they can only approximate.
_INVERSE_ORDERS_MORE = 2
_INVERSE_GRID = 15


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """Matched stars: FITS pixels ``x``, ``y``, the reference stars' ``ra``, ``dec`` in degrees, each of shape (n,)."""

    x: Floats
    y: Floats
    ra: Floats
    dec: Floats

    def __len__(self) -> int:
        return len(self.x)

    def only(self, which: NDArray[np.bool_]) -> Matched:
        """Return some of them."""
        return Matched(*(column[which] for column in (self.x, self.y, self.ra, self.dec)))


@dataclass(frozen=True, slots=True, eq=False)
class Refit:
    """What came of it: ``tan_sip`` is None where the engine's solution is as good as any.

    ``heldout_rms_px`` is the root mean square distance of the ``matched`` stars from where the others put them.
    """

    tan_sip: TanSip | None
    model: str
    matched: Matched
    heldout_rms_px: float


def refit(engines: TanSip, matched: Matched, field: Floats | None = None, sky: Floats | None = None) -> Refit | None:
    """Fit again a solution of the engine; None where there are too few stars to judge it.

    Parameters
    ----------
    engines
        The solution.
    matched
        The stars that it matched.
    field, sky
        All stars of the image, shape (2, n), FITS pixels, and all reference stars, shape (2, m), degrees; where both
        are given, stars are matched again with each better solution.
    """
    plane, among = _Plane.of(engines), distortion.models()
    before: Fit | None = None
    for turn in range(1, _ROUNDS + 1):
        matched = plane.in_sight(matched)
        if len(matched) < _LEAST_STARS:
            return None
        pairs = plane.pairs(matched)
        own = plane.judge(engines, matched, pairs)
        candidates = [*distortion.fits(pairs, among), *([own] if own is not None else [])]
        if not candidates:
            return None
        found = distortion.choose(candidates)
        solution = plane.solution(found)
        if solution is not None and not _unfolds(solution):
            return None
        is_like_before = before is not None and before.is_like(found)
        if solution is None or turn == _ROUNDS or (is_like_before and _off_centre_px(solution) < _CENTRED_PX):
            return _result(solution, found, matched)
        if _off_centre_px(solution) < _NEARLY_CENTRED_PX and before is not None and len(before.good) >= len(found.good):
            among = distortion.promising(candidates)
        before, plane = found, plane.moved_to(solution)
        if field is not None and sky is not None:
            matched = _match(solution, field, sky, _radius_px(found))
    return None


def held_out(engines: TanSip, matched: Matched) -> Refit | None:
    """Judge a solution of the engine that is to stay; None where there are too few stars."""
    plane = _Plane.of(engines)
    fit = plane.judge(engines, matched, plane.pairs(matched)) if len(matched) >= _LEAST_STARS else None
    return None if fit is None else _result(None, fit, matched)


def _result(solution: TanSip | None, fit: Fit, matched: Matched) -> Refit:
    """Return a result; stars too far off are no match, those alone that are too far off to be fitted still are."""
    near = fit.heldout_px < (_radius_px(fit) if solution is not None else np.inf)
    return Refit(solution, fit.model.name, matched.only(near), fit.mean_px2(which=near) ** 0.5)


def _radius_px(fit: Fit) -> float:
    usual = distortion.typical_px(fit.heldout_px[fit.good])
    return min(_MATCH_MOST_PX, max(_MATCH_LEAST_PX, _MATCH_SIGMAS * usual))


@dataclass(frozen=True, slots=True)
class _Plane:
    """A tangent plane near the image's centre, in units of half its diagonal: what fits are made in.

    ``base`` is the CD matrix of square pixels that defines its axes.
    """

    crval: tuple[float, float]
    base: tuple[tuple[float, float], tuple[float, float]]
    width: int
    height: int

    @classmethod
    def of(cls, solution: TanSip) -> _Plane:
        (cd11, cd12), (cd21, cd22) = solution.cd
        sign = solution.parity
        along, across = (sign * cd11 + cd22) / 2, (cd21 - sign * cd12) / 2
        base = ((sign * along, -sign * across), (across, along))
        return cls(solution.pixel_to_sky(*solution.center_px), base, solution.width, solution.height)

    def moved_to(self, solution: TanSip) -> _Plane:
        """Return the plane that touches where a solution puts the image's centre."""
        return _Plane(solution.pixel_to_sky(*solution.center_px), self.base, self.width, self.height)

    @property
    def unit_px(self) -> float:
        return math.hypot(self.width, self.height) / 2

    @property
    def center_px(self) -> tuple[float, float]:
        return (self.width + 1) / 2, (self.height + 1) / 2

    def in_sight(self, matched: Matched) -> Matched:
        """Return those whose reference stars can be projected."""
        xi, eta = sky_arrays_to_plane(matched.ra, matched.dec, self.crval)
        return matched.only(np.isfinite(xi + eta))

    def pairs(self, matched: Matched) -> Pairs:
        """Return matched stars as fits need them."""
        u, v = ((c - middle) / self.unit_px for c, middle in zip((matched.x, matched.y), self.center_px, strict=True))
        plane = sky_arrays_to_plane(matched.ra, matched.dec, self.crval)
        target = np.asarray(np.linalg.solve(np.array(self.base) * self.unit_px, plane), np.float64)
        return Pairs(distortion.monomials(u, v), target, self.unit_px, distortion.grid(self.width, self.height))

    def judge(self, solution: TanSip, matched: Matched, pairs: Pairs) -> Fit | None:
        """Return how well the engine's solution predicts."""
        plane = sky_arrays_to_plane(matched.ra, matched.dec, solution.crval)
        off = np.linalg.solve(np.array(solution.cd), plane) - undistorted(solution, matched.x, matched.y)
        return distortion.as_if_fitted(solution.sip_order, off / self.unit_px, pairs)

    def solution(self, fit: Fit) -> TanSip | None:
        """Return a fit as a WCS, None for the engine's own.

        Its reference pixel is the image's centre, but for what the last fit moved that.
        """
        terms = fit.terms
        if terms is None:
            return None
        matrix = terms[:, 1:3]
        cd = np.array(self.base) @ matrix
        shift = np.linalg.solve(matrix, terms[:, 0]) * self.unit_px
        curved = np.linalg.solve(matrix, terms[:, 3:])
        a, b = (
            tuple(
                (p, q, float(c) / self.unit_px ** (p + q - 1))
                for (p, q), c in zip(POWERS[3:], row, strict=True)
                if c and p + q <= fit.model.order
            )
            for row in curved
        )
        x, y = self.center_px
        plain = TanSip(
            crval=self.crval,
            crpix=(x - float(shift[0]), y - float(shift[1])),
            cd=((float(cd[0, 0]), float(cd[0, 1])), (float(cd[1, 0]), float(cd[1, 1]))),
            width=self.width,
            height=self.height,
            sip_order=fit.model.order,
            a=a,
            b=b,
        )
        return _with_inverse(plain) if plain.sip_order else plain


def undistorted(solution: TanSip, x: Floats, y: Floats) -> Floats:
    """Return undistorted pixels from CRPIX, shape (2, n), of FITS pixels."""
    u, v = x - solution.crpix[0], y - solution.crpix[1]
    return np.stack([u + _sum(solution.a, u, v), v + _sum(solution.b, u, v)])


def _sum(terms: Terms, u: Floats, v: Floats) -> Floats:
    total = np.zeros_like(u)
    for p, q, c in terms:
        total += c * u**p * v**q
    return total


def _off_centre_px(solution: TanSip) -> float:
    """Return how far the tangent point is from the middle of the image."""
    return math.dist(solution.crpix, solution.center_px)


def _unfolds(solution: TanSip) -> bool:
    """Say whether no two pixels show the same place: whether the mapping keeps its orientation all over the image."""
    u, v = _grid(solution, 9)
    step = 0.5
    du, dv = (
        undistorted(solution, u + solution.crpix[0] + sx, v + solution.crpix[1] + sy)
        - undistorted(solution, u + solution.crpix[0] - sx, v + solution.crpix[1] - sy)
        for sx, sy in ((step, 0), (0, step))
    )
    return bool((du[0] * dv[1] - du[1] * dv[0] > 0.05).all())


def _grid(solution: TanSip, points: int) -> Floats:
    """Return pixels from CRPIX all over the image, shape (2, points ** 2)."""
    u, v = (
        np.linspace(0.5, n + 0.5, points) - middle
        for n, middle in zip((solution.width, solution.height), solution.crpix, strict=True)
    )
    return np.stack([c.ravel() for c in np.meshgrid(u, v)])


def _with_inverse(solution: TanSip) -> TanSip:
    """Return a solution with the inverse polynomials, fitted all over the image."""
    u, v = _grid(solution, _INVERSE_GRID)
    to_u, to_v = undistorted(solution, u + solution.crpix[0], v + solution.crpix[1])
    unit = math.hypot(solution.width, solution.height) / 2
    order = solution.sip_order + _INVERSE_ORDERS_MORE
    powers = [(n - q, q) for n in range(order + 1) for q in range(n + 1)]
    design = np.stack([(to_u / unit) ** p * (to_v / unit) ** q for p, q in powers], axis=1)
    found, *_ = np.linalg.lstsq(design, np.stack([u - to_u, v - to_v], axis=1), rcond=None)
    ap, bp = (
        tuple((p, q, float(c) / unit ** (p + q)) for (p, q), c in zip(powers, column, strict=True))
        for column in found.T
    )
    return replace(solution, ap=ap, bp=bp)


def _match(solution: TanSip, field: Floats, sky: Floats, radius_px: float) -> Matched:
    """Return the stars of the image and the reference stars that are each other's nearest, within a radius."""
    here = undistorted(solution, field[0], field[1])
    there = np.linalg.solve(np.array(solution.cd), sky_arrays_to_plane(sky[0], sky[1], solution.crval))
    squares = (there[0][:, None] - here[0]) ** 2 + (there[1][:, None] - here[1]) ** 2
    squares = np.where(np.isfinite(squares), squares, np.inf)
    nearest = squares.argmin(axis=1)
    rows = np.arange(len(nearest))
    mutual = (squares[rows, nearest] < radius_px**2) & (squares.argmin(axis=0)[nearest] == rows)
    return Matched(*field[:, nearest[mutual]], *sky[:, rows[mutual]])
