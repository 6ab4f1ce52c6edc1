"""Least-squares fits of lens models to matched stars, and the choice of the model that the stars support.

Models are compared by leave-one-out cross-validation: by how well a fit predicts a star that was left out of it.  The
prediction needs no second fit, since the leave-one-out residual of a star is its residual divided by one minus its
leverage.  Source: Cook & Weisberg 1982, Residuals and Influence in Regression, section 2.2.

Units are those of :mod:`novacli.wcs.lensmodels`; names with ``_px`` are in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from novacli.arrays.statistics import median
from novacli.wcs.lensmodels import MAX_FREE_ORDER, Model, corners_of, free_polynomial
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

#: A star is an outlier (a wrong match, or blended) if its leave-one-out residual is more than this many times the
#: typical one …
_OUTLIER_FACTOR = 4.0
#: … but never if its residual is below this, in pixels.
MIN_OUTLIER_PX = 0.4
_REJECTION_ROUNDS = 5
#: Number of measured coordinates that a fit needs for each parameter.
_COORDINATES_PER_PARAMETER = 1.5
#: A model with more parameters must predict better by this many standard errors …
_SIGNIFICANT_SIGMAS = 1.0
#: … and by this much, in pixels.
_MIN_GAIN_PX = 0.01
#: A model stays a candidate while its mean square is below a multiple of the best one's, plus a margin in pixels.
_CANDIDATE_FACTOR, _CANDIDATE_MARGIN_PX = 1.7, 0.1
#: Leave-one-out residuals are clipped at this value to decide if a polynomial of the next order is worth a fit.
_CUTOFF_PX = 10.0
#: Median of the distance from the centre of a two-dimensional normal distribution, in units of its sigma.
_RAYLEIGH_MEDIAN = 1.1774


@record(eq=False)
class Pairs:
    """Matched stars as a fit needs them.

    Attributes
    ----------
    monomials
        Of the stars' image positions, shape (n, monomials).
    target
        Positions of the reference stars on the tangent plane, shape (2, n).
    px
        Pixels per unit of both.
    grid
        Monomials of a grid over the whole image.
    """

    monomials: Floats
    target: Floats
    px: float
    grid: Floats

    def __len__(self) -> int:
        return len(self.monomials)


@record(eq=False)
class Fit:
    """A model fitted to matched stars.

    Attributes
    ----------
    terms
        Coefficient of each monomial, shape (2, monomials); None for the engine's own solution.
    inliers
        Which stars were fitted; the others are outliers.
    loo_residuals_px
        Distance of each star from where a fit to the others predicts it, shape (n,).
    excess_variance_px2
        Variance of the mapping, averaged over the image, minus its average at the fitted stars; both axes summed.
    corner_variance_px2
        Variance of the mapping at the image's four corners; both axes summed.
    """

    model: Model
    terms: Floats | None
    inliers: Flags
    loo_residuals_px: Floats
    excess_variance_px2: float
    corner_variance_px2: Floats

    @property
    def degrees_of_freedom(self) -> int:
        """Number of measured coordinates minus number of parameters; at least 1."""
        return max(1, 2 * int(self.inliers.sum()) - self.model.parameters)

    def corners(self, pairs: Pairs) -> Floats:
        """Return where the mapping puts the image's corners, shape (2, 4); NaN for the engine's own solution."""
        corners = corners_of(pairs.grid)
        return np.full((2, len(corners)), np.nan) if self.terms is None else np.asarray(self.terms @ corners.T)

    def is_like(self, other: Fit) -> bool:
        """Return True if the other fit has the same model and the same inliers."""
        return self.model is other.model and np.array_equal(self.inliers, other.inliers)

    def mean_square_px2(self, cutoff_px: float = math.inf, which: Flags | None = None) -> float:
        """Return the mean square of leave-one-out residuals.

        Parameters
        ----------
        cutoff_px
            Larger residuals count as this value.
        which
            Stars to count; None for all.

        Returns
        -------
        float
            Square pixels; infinite if there are no stars.
        """
        residuals_px = self.loo_residuals_px if which is None else self.loo_residuals_px[which]
        if not len(residuals_px):
            return math.inf
        return float((np.minimum(residuals_px, cutoff_px) ** 2).mean())


def fit(model: Model, pairs: Pairs) -> Fit | None:
    """Fit a model, rejecting outliers; None if the stars are too few or do not determine its parameters."""
    design = model.design(pairs.monomials)
    inliers = np.ones(len(pairs), np.bool_)
    found: Fit | None = None
    for _ in range(_REJECTION_ROUNDS):
        factors = _factorize(design, inliers)
        if factors is None:
            return None
        q, r_inverse = factors
        parameters = r_inverse @ (q.T @ pairs.target[:, inliers].ravel())
        residuals = pairs.target - design @ parameters
        found = _evaluate(
            model, model.coefficients(parameters), design @ r_inverse, r_inverse, residuals, inliers, pairs
        )
        kept = find_inliers(found.loo_residuals_px, inliers)
        if (kept == inliers).all():
            break
        inliers = kept
    return found


def evaluate_engine_solution(order: int, residuals: Floats, pairs: Pairs) -> Fit | None:
    """Return the engine's solution as a fit; None if the stars do not determine a polynomial of its order.

    Parameters
    ----------
    order
        SIP order of the solution.  The engine fits every term, so its stars have the leverage of a free polynomial.
    residuals
        Of the matched stars, shape (2, n).
    pairs
        The matched stars.
    """
    model = free_polynomial(max(1, min(order, MAX_FREE_ORDER)))
    inliers = find_inliers(np.hypot(*residuals) * pairs.px, np.ones(len(pairs), np.bool_))
    design = model.design(pairs.monomials)
    factors = _factorize(design, inliers)
    if factors is None:
        return None
    return _evaluate(model, None, design @ factors[1], factors[1], residuals, inliers, pairs)


def find_inliers(residuals_px: Floats, inliers: Flags) -> Flags:
    """Return which stars lie within a factor of the typical residual of the current ``inliers``."""
    limit_px = max(MIN_OUTLIER_PX, _OUTLIER_FACTOR * sigma_px(residuals_px[inliers]))
    return np.asarray(residuals_px < limit_px)


def sigma_px(distances: Floats) -> float:
    """Return the sigma along one axis of distances in two dimensions, from their median; 0 if there are none."""
    return float(median(distances)) / _RAYLEIGH_MEDIAN if len(distances) else 0.0


def _factorize(design: Floats, inliers: Flags) -> tuple[Floats, Floats] | None:
    """Return Q and the inverse of R of the QR decomposition of the fitted rows; None if they are rank-deficient."""
    rows = design[:, inliers].reshape(-1, design.shape[2])
    if len(rows) < _COORDINATES_PER_PARAMETER * design.shape[2]:
        return None
    q, r = np.linalg.qr(rows)
    diagonal = np.abs(np.diagonal(r))
    return (q, np.linalg.inv(r)) if diagonal.min() > 1e-7 * diagonal.max() else None


def _evaluate(
    model: Model,
    terms: Floats | None,
    orthonormal_design: Floats,
    r_inverse: Floats,
    residuals: Floats,
    inliers: Flags,
    pairs: Pairs,
) -> Fit:
    """Return the fit with these residuals, shape (2, n); the covariance of its parameters is sigma² R⁻¹ R⁻ᵀ."""
    loo_residuals_px = pairs.px * leave_one_out(residuals, orthonormal_design, inliers)
    count = int(inliers.sum())
    degrees_of_freedom = max(1, 2 * count - model.parameters)
    variance_px2 = float((residuals[:, inliers] ** 2).sum()) / degrees_of_freedom * pairs.px**2
    over_image = ((model.design(pairs.grid) @ r_inverse) ** 2).sum(axis=(0, 2))
    excess = float(over_image.mean()) - model.parameters / count
    corner_variance_px2 = variance_px2 * corners_of(over_image)
    return Fit(model, terms, inliers, loo_residuals_px, variance_px2 * excess, corner_variance_px2)


def leave_one_out(residuals: Floats, orthonormal_design: Floats, inliers: Flags) -> Floats:
    """Return the distance of each star from where a fit to the other stars predicts it, shape (n,).

    Parameters
    ----------
    residuals
        Of the fit to all inliers, shape (2, n).
    orthonormal_design
        Design matrix in a basis that is orthonormal over the inliers, shape (2, n, parameters); its products are the
        leverages.
    inliers
        Which stars were fitted, shape (n,); the others have no leverage.
    """
    xx, yy, xy = (
        np.where(inliers, np.einsum("np,np->n", orthonormal_design[i], orthonormal_design[j]), 0)
        for i, j in ((0, 0), (1, 1), (0, 1))
    )
    # Multiplies by the inverse of (1 - H) for the 2 x 2 block of H that belongs to the star's two coordinates.
    det = np.maximum((1 - xx) * (1 - yy) - xy**2, 1e-9)
    x = ((1 - yy) * residuals[0] + xy * residuals[1]) / det
    y = ((1 - xx) * residuals[1] + xy * residuals[0]) / det
    return np.asarray(np.hypot(x, y))


def fit_all(pairs: Pairs, models: Sequence[Model]) -> list[Fit]:
    """Return the fits of those models that the stars determine, in the order of the models.

    A free polynomial above the third order is tried only if the next lower order predicted best so far.
    """
    found: list[Fit] = []
    scores: list[float] = []
    for model in models:
        if model.is_high_order and scores and scores[-1] > min(scores):
            break
        candidate = fit(model, pairs)
        if candidate is not None:
            found.append(candidate)
            scores.append(candidate.mean_square_px2(_CUTOFF_PX))
    return found


def choose(candidates: Sequence[Fit]) -> Fit:
    """Return the fit that predicts best; one with fewer parameters unless a larger one is significantly better."""
    cutoff_px = common_cutoff_px(candidates)
    best, *others = sorted(candidates, key=lambda f: f.model.parameters)
    for other in others:
        if is_better(other, best, cutoff_px):
            best = other
    return best


def promising_models(candidates: Sequence[Fit]) -> tuple[Model, ...]:
    """Return the models that are worth fitting again when more stars are matched."""
    cutoff_px = common_cutoff_px(candidates)
    scores = [f.mean_square_px2(cutoff_px) + f.excess_variance_px2 for f in candidates]
    limit = _CANDIDATE_FACTOR * min(scores) + _CANDIDATE_MARGIN_PX**2
    return tuple(f.model for f, score in zip(candidates, scores, strict=True) if score <= limit)


def common_cutoff_px(candidates: Sequence[Fit]) -> float:
    """Return the residual above which a star is an outlier of the best candidate; all are compared with this cutoff."""
    return max(MIN_OUTLIER_PX, _OUTLIER_FACTOR * min(sigma_px(f.loo_residuals_px[f.inliers]) for f in candidates))


def is_better(larger: Fit, smaller: Fit, cutoff_px: float) -> bool:
    """Return True if a fit predicts the stars and the rest of the image significantly better than a smaller one.

    Residuals larger than ``cutoff_px`` count as ``cutoff_px``.
    """
    gains = np.minimum(smaller.loo_residuals_px, cutoff_px) ** 2 - np.minimum(larger.loo_residuals_px, cutoff_px) ** 2
    standard_error = float(gains.std()) / len(gains) ** 0.5
    gain = float(gains.mean()) + smaller.excess_variance_px2 - larger.excess_variance_px2
    return bool(gain > _SIGNIFICANT_SIGMAS * standard_error + _MIN_GAIN_PX**2)
