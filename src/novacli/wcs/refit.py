"""Fit a solution again to its matched stars, with the distortion that the stars support, about the image's centre.

The engine fits the order that it is given, about a tangent point at its quad.  Here stars that are left out of the fit
decide on the order (see :mod:`novacli.wcs.distortion`), and the better solution matches stars that the engine missed.
All inputs come from the files in a job directory, wherever the job was solved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from novacli.wcs import distortion, lensmodels
from novacli.wcs.cornererror import corner_error_px
from novacli.wcs.distortion import Fit, Pairs
from novacli.wcs.lensmodels import POWERS, Model
from novacli.wcs.projection import sky_arrays_to_plane
from novacli.wcs.tansip import TanSip, Terms
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: With fewer matched stars than this, none can be left out of a fit.
_MIN_STARS = 6
_MAX_ITERATIONS = 10
#: The tangent point is at the image's centre if it is closer than this, in pixels.  Candidates are dropped only once it
#: is nearly there, since models with few parameters cannot make up for a tangent point elsewhere.
_CENTRED_PX, _NEARLY_CENTRED_PX = 0.05, 1.0
#: Stars are matched again within this many sigmas, within limits in pixels.
_MATCH_SIGMAS, _MIN_MATCH_PX, _MAX_MATCH_PX = 5.0, 1.0, 4.0
#: A model with fewer parameters replaces the chosen one if its estimated corner error is below this fraction.
_LOWER_ORDER_FRACTION = 0.5
#: The inverse polynomials need a higher order than the forward ones, since they only approximate the inverse.
_INVERSE_EXTRA_ORDERS = 2
_INVERSE_GRID_POINTS = 15
#: A mapping folds over if the area of a pixel shrinks below this fraction of that at the reference point.
_MIN_PIXEL_AREA, _FOLD_GRID_POINTS = 0.05, 9


@record(eq=False)
class Matched:
    """Matched stars: FITS pixels ``x``, ``y``, the reference stars' ``ra``, ``dec`` in degrees, each of shape (n,)."""

    x: Floats
    y: Floats
    ra: Floats
    dec: Floats

    def __len__(self) -> int:
        return len(self.x)

    def only(self, which: NDArray[np.bool_]) -> Matched:
        """Return the stars for which ``which`` is True."""
        return Matched(*(column[which] for column in (self.x, self.y, self.ra, self.dec)))


@record(eq=False)
class Refit:
    """The outcome of a fit.

    Attributes
    ----------
    tan_sip
        The new solution; None if the engine's solution is the best.
    model
        Name of the model that was fitted.
    matched
        The stars that match the solution.
    heldout_rms_px
        Root mean square distance of these stars from where fits to the others predict them.
    corner_error_px
        Estimated error at the worst corner (see :mod:`novacli.wcs.cornererror`); None if it cannot be estimated.
    """

    tan_sip: TanSip | None
    model: str
    matched: Matched
    heldout_rms_px: float
    corner_error_px: float | None = None


def refit(
    engine_solution: TanSip, matched: Matched, field: Floats | None = None, sky: Floats | None = None
) -> Refit | None:
    """Fit a solution of the engine again.

    Parameters
    ----------
    engine_solution
        The solution.
    matched
        The stars that it matched.
    field, sky
        All stars of the image, shape (2, n), FITS pixels, and all reference stars, shape (2, m), degrees; if both are
        given, stars are matched again after each iteration.

    Returns
    -------
    Refit or None
        None if the stars are too few to compare models, or the best model maps two pixels to one position.
    """
    plane, models = _Plane.at_centre_of(engine_solution), lensmodels.models()
    previous: _Iteration | None = None
    current: _Iteration | None = None
    for _ in range(_MAX_ITERATIONS):
        current = _iterate(engine_solution, plane, models, matched)
        if current is None or current.solution is None or current.has_converged(previous):
            break
        if current.may_drop_candidates(previous):
            models = distortion.promising_models(current.candidates)
        previous, plane = current, current.plane.moved_to(current.solution)
        matched = current.matched
        if field is not None and sky is not None:
            matched = _match(current.solution, field, sky, _match_radius_px(current.chosen))
    return None if current is None else current.result(engine_solution)


def assess(engine_solution: TanSip, matched: Matched) -> Refit | None:
    """Assess a solution of the engine that is kept; None if the stars are too few."""
    iteration = _engine_iteration(engine_solution, matched)
    return None if iteration is None else iteration.result(engine_solution)


def engine_heldout_rms_px(engine_solution: TanSip, matched: Matched) -> float | None:
    """Return ``heldout_rms_px`` of a solution of the engine; None if the stars are too few."""
    iteration = _engine_iteration(engine_solution, matched)
    return None if iteration is None else iteration.chosen.mean_square_px2() ** 0.5


def _engine_iteration(engine_solution: TanSip, matched: Matched) -> _Iteration | None:
    plane = _Plane.at_centre_of(engine_solution)
    pairs = plane.pairs(matched)
    fit = plane.evaluate(engine_solution, matched, pairs) if len(matched) >= _MIN_STARS else None
    return None if fit is None else _Iteration(plane, pairs, (), [fit], fit, None, matched)


@record
class _Iteration:
    """One round of fitting models and choosing one; ``solution`` is None if that is the engine's own."""

    plane: _Plane
    pairs: Pairs
    models: Sequence[Model]
    candidates: Sequence[Fit]
    chosen: Fit
    solution: TanSip | None
    matched: Matched

    def has_converged(self, previous: _Iteration | None) -> bool:
        """Return True if the model and its stars are those of the previous round, and the tangent point is centred."""
        if previous is None or self.solution is None:
            return False
        return previous.chosen.is_like(self.chosen) and _off_centre_px(self.solution) < _CENTRED_PX

    def may_drop_candidates(self, previous: _Iteration | None) -> bool:
        """Return True if the tangent point is nearly centred and no more stars matched than in the previous round."""
        if previous is None or self.solution is None or _off_centre_px(self.solution) >= _NEARLY_CENTRED_PX:
            return False
        return len(previous.matched) >= len(self.matched)

    def result(self, engine_solution: TanSip) -> Refit:
        """Return the outcome.

        Stars far from a new solution are no longer matched; an engine's solution keeps its matches.
        """
        fits = self._fits_of_all_models()
        chosen, solution = self.chosen, self.solution
        if solution is not None:
            chosen, solution = self._with_lower_order(chosen, solution, fits)
        radius_px = math.inf if solution is None else _match_radius_px(chosen)
        near = chosen.loo_residuals_px < radius_px
        corners = self.plane.corners_by(solution or engine_solution)
        return Refit(
            tan_sip=solution,
            model=chosen.model.name,
            matched=self.matched.only(near),
            heldout_rms_px=chosen.mean_square_px2(which=near) ** 0.5,
            corner_error_px=corner_error_px(corners, fits, self.pairs),
        )

    def _fits_of_all_models(self) -> Sequence[Fit]:
        if len(self.models) < len(lensmodels.models()):
            return distortion.fit_all(self.pairs, lensmodels.models())
        return [fit for fit in self.candidates if fit.terms is not None]

    def _with_lower_order(self, chosen: Fit, solution: TanSip, fits: Sequence[Fit]) -> tuple[Fit, TanSip]:
        """Return a fit with fewer parameters, and its solution, if the corners are much safer with it."""

        def error_px(fit: Fit) -> float:
            return corner_error_px(fit.corners(self.pairs), fits, self.pairs) or math.inf

        smaller = [fit for fit in fits if fit.model.parameters < chosen.model.parameters]
        safest = min(smaller, key=error_px, default=chosen)
        if safest is chosen or error_px(safest) >= _LOWER_ORDER_FRACTION * error_px(chosen):
            return chosen, solution
        return safest, self.plane.solution(safest) or solution


def _iterate(engine_solution: TanSip, plane: _Plane, models: Sequence[Model], matched: Matched) -> _Iteration | None:
    """Fit the models to the matched stars; None if the stars determine none, or the chosen mapping folds over."""
    matched = plane.projectable(matched)
    if len(matched) < _MIN_STARS:
        return None
    pairs = plane.pairs(matched)
    own = plane.evaluate(engine_solution, matched, pairs)
    candidates = [*distortion.fit_all(pairs, models), *([own] if own is not None else [])]
    if not candidates:
        return None
    chosen = distortion.choose(candidates)
    solution = plane.solution(chosen)
    if solution is not None and not _is_one_to_one(solution):
        return None
    return _Iteration(plane, pairs, models, candidates, chosen, solution, matched)


def _match_radius_px(fit: Fit) -> float:
    typical_px = distortion.sigma_px(fit.loo_residuals_px[fit.inliers])
    return min(_MAX_MATCH_PX, max(_MIN_MATCH_PX, _MATCH_SIGMAS * typical_px))


@record
class _Plane:
    """The tangent plane in which fits are made; it is near the image's centre, in units of half the image's diagonal.

    ``base`` is the CD matrix of square pixels that defines its axes.
    """

    crval: tuple[float, float]
    base: tuple[tuple[float, float], tuple[float, float]]
    width: int
    height: int

    @classmethod
    def at_centre_of(cls, solution: TanSip) -> _Plane:
        (cd11, cd12), (cd21, cd22) = solution.cd
        sign = solution.parity
        along, across = (sign * cd11 + cd22) / 2, (cd21 - sign * cd12) / 2
        base = ((sign * along, -sign * across), (across, along))
        return cls(solution.pixel_to_sky(*solution.center_px), base, solution.width, solution.height)

    def moved_to(self, solution: TanSip) -> _Plane:
        """Return the plane that touches the sky where a solution puts the image's centre."""
        return _Plane(solution.pixel_to_sky(*solution.center_px), self.base, self.width, self.height)

    @property
    def unit_px(self) -> float:
        return math.hypot(self.width, self.height) / 2

    @property
    def center_px(self) -> tuple[float, float]:
        return (self.width + 1) / 2, (self.height + 1) / 2

    def project(self, ra: Floats, dec: Floats) -> Floats:
        """Return the plane coordinates of positions in degrees, shape (2, n)."""
        plane = sky_arrays_to_plane(ra, dec, self.crval)
        return np.asarray(np.linalg.solve(np.array(self.base) * self.unit_px, plane), np.float64)

    def projectable(self, matched: Matched) -> Matched:
        """Return those stars whose reference stars can be projected."""
        xi, eta = self.project(matched.ra, matched.dec)
        return matched.only(np.isfinite(xi + eta))

    def pairs(self, matched: Matched) -> Pairs:
        """Return matched stars in this plane's units."""
        u, v = ((c - middle) / self.unit_px for c, middle in zip((matched.x, matched.y), self.center_px, strict=True))
        grid = lensmodels.grid_monomials(self.width, self.height)
        return Pairs(lensmodels.monomials(u, v), self.project(matched.ra, matched.dec), self.unit_px, grid)

    def evaluate(self, solution: TanSip, matched: Matched, pairs: Pairs) -> Fit | None:
        """Return the engine's solution as a fit in this plane."""
        plane = sky_arrays_to_plane(matched.ra, matched.dec, solution.crval)
        residuals = np.linalg.solve(np.array(solution.cd), plane) - undistorted(solution, matched.x, matched.y)
        return distortion.evaluate_engine_solution(solution.sip_order, residuals / self.unit_px, pairs)

    def corners_by(self, solution: TanSip) -> Floats:
        """Return where a solution puts the image's corners, shape (2, 4); NaN where it cannot be projected."""
        pixels = [(x, y) for y in (0.5, self.height + 0.5) for x in (0.5, self.width + 0.5)]
        return self.project(*np.array([solution.pixel_to_sky(*pixel) for pixel in pixels]).T)

    def solution(self, fit: Fit) -> TanSip | None:
        """Return a fit as a WCS, None for the engine's own.

        The reference pixel is the image's centre, except for the shift that the fit itself found.
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
    """Return undistorted pixels relative to CRPIX, shape (2, n), of FITS pixels."""
    u, v = x - solution.crpix[0], y - solution.crpix[1]
    return np.stack([u + _sum(solution.a, u, v), v + _sum(solution.b, u, v)])


def _sum(terms: Terms, u: Floats, v: Floats) -> Floats:
    total = np.zeros_like(u)
    for p, q, c in terms:
        total += c * u**p * v**q
    return total


def _off_centre_px(solution: TanSip) -> float:
    """Return the distance of the tangent point from the image's centre."""
    return math.dist(solution.crpix, solution.center_px)


def _is_one_to_one(solution: TanSip) -> bool:
    """Return True if no two pixels have the same position: if the mapping keeps its orientation all over the image."""
    u, v = _grid(solution, _FOLD_GRID_POINTS)
    step = 0.5
    du, dv = (
        undistorted(solution, u + solution.crpix[0] + sx, v + solution.crpix[1] + sy)
        - undistorted(solution, u + solution.crpix[0] - sx, v + solution.crpix[1] - sy)
        for sx, sy in ((step, 0), (0, step))
    )
    return bool((du[0] * dv[1] - du[1] * dv[0] > _MIN_PIXEL_AREA).all())


def _grid(solution: TanSip, points: int) -> Floats:
    """Return a grid of pixels over the whole image, relative to CRPIX, shape (2, points ** 2)."""
    u, v = (
        np.linspace(0.5, n + 0.5, points) - middle
        for n, middle in zip((solution.width, solution.height), solution.crpix, strict=True)
    )
    return np.stack([c.ravel() for c in np.meshgrid(u, v)])


def _with_inverse(solution: TanSip) -> TanSip:
    """Return a solution with inverse polynomials, which are fitted over the whole image."""
    u, v = _grid(solution, _INVERSE_GRID_POINTS)
    to_u, to_v = undistorted(solution, u + solution.crpix[0], v + solution.crpix[1])
    unit = math.hypot(solution.width, solution.height) / 2
    order = solution.sip_order + _INVERSE_EXTRA_ORDERS
    powers = [(n - q, q) for n in range(order + 1) for q in range(n + 1)]
    design = np.stack([(to_u / unit) ** p * (to_v / unit) ** q for p, q in powers], axis=1)
    found, *_ = np.linalg.lstsq(design, np.stack([u - to_u, v - to_v], axis=1), rcond=None)
    ap, bp = (
        tuple((p, q, float(c) / unit ** (p + q)) for (p, q), c in zip(powers, column, strict=True))
        for column in found.T
    )
    return replace(solution, ap=ap, bp=bp)


def _match(solution: TanSip, field: Floats, sky: Floats, radius_px: float) -> Matched:
    """Return the pairs of an image star and a reference star that are each other's nearest within a radius."""
    here = undistorted(solution, field[0], field[1])
    there = np.linalg.solve(np.array(solution.cd), sky_arrays_to_plane(sky[0], sky[1], solution.crval))
    squares = (there[0][:, None] - here[0]) ** 2 + (there[1][:, None] - here[1]) ** 2
    squares = np.where(np.isfinite(squares), squares, np.inf)
    nearest = squares.argmin(axis=1)
    rows = np.arange(len(nearest))
    mutual = (squares[rows, nearest] < radius_px**2) & (squares.argmin(axis=0)[nearest] == rows)
    return Matched(*field[:, nearest[mutual]], *sky[:, rows[mutual]])
