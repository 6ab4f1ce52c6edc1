"""The estimated error of a solution at the image's corners, where stars are few and a wrong model errs the most.

The estimate is the distance within which the worst corner lies with a probability of 90 percent, under a mixture of all
models that the stars determine.  Each model counts by how well it predicts stars that were left out of its fit, and
contributes two parts: the variance of its parameters, propagated to the corners, and its distance from the solution
there.  If stars fill the image, one model dominates and both parts are small.  If no star confirms the outer part of
the image, models that agree at the stars disagree at the corners, and the estimate is large.

Source: Hoeting et al. 1999, Statistical Science 14, 382 (Bayesian model averaging); the tails are those of the
bivariate t-distribution, since the variance of few stars is itself uncertain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from novacli.wcs.distortion import Fit, common_cutoff_px

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from novacli.wcs.distortion import Pairs

    Floats = NDArray[np.float64]

#: Probability that the error of the worst corner is larger than the estimate.
EXCEEDANCE = 0.1
#: Upper limit on the error of a model, in half diagonals: about the difference, in the corners, between an equidistant
#: fisheye lens with a diagonal of 90 degrees and the gnomonic projection.
_MAX_ERROR = 0.3
#: Leave-one-out scores of few stars are uncertain themselves, so a star counts for less than in a likelihood.
_EVIDENCE_PER_STAR = 0.5
#: Mean squares below this, in square pixels, are equally good.
_MIN_SCORE_PX2 = 1e-4
#: The errors that are tried, as fractions of the largest: a coarse step has ``_FINE_STEPS`` fine ones.
_COARSE_STEPS = _FINE_STEPS = 25


def corner_error_px(corners: Floats, candidates: Sequence[Fit], pairs: Pairs) -> float | None:
    """Estimate the error of a solution at the worst corner.

    Parameters
    ----------
    corners
        Where the solution puts the image's corners on the tangent plane, shape (2, 4), in the order of
        :func:`novacli.wcs.lensmodels.corners_of`, in the unit of ``pairs``.
    candidates
        Fits of all models that the stars determine.
    pairs
        The stars.

    Returns
    -------
    float or None
        Pixels; None if the stars determine no model, or if the solution cannot project a corner.
    """
    fits = [f for f in candidates if f.terms is not None]
    if not fits or not np.isfinite(corners).all():
        return None
    variances_px2 = np.array([_corner_square_errors_px2(f, corners, pairs) for f in fits])
    limit_px = _MAX_ERROR * pairs.px
    weights = _weights(fits)[:, None, None]
    freedom = np.array([f.degrees_of_freedom for f in fits])[:, None, None]
    scales = 2 / (freedom * np.minimum(variances_px2, limit_px**2)[:, :, None])

    def first_safe(errors_px: Floats) -> int:
        """Return the index of the first error that the worst corner exceeds rarely enough."""
        exceedance = (weights * (1 + scales * errors_px**2) ** (-freedom / 2)).sum(axis=0).max(axis=0)
        return int(np.argmax(exceedance <= EXCEEDANCE))

    errors_px = np.geomspace(1e-3, 10 * limit_px, _COARSE_STEPS * _FINE_STEPS).reshape(_COARSE_STEPS, _FINE_STEPS)
    within = errors_px[first_safe(errors_px[:, -1])]
    return float(within[first_safe(within)])


def _corner_square_errors_px2(fit: Fit, corners: Floats, pairs: Pairs) -> Floats:
    """Return the expected square distance of a solution from the truth at each corner if a model is true."""
    difference_px = (fit.corners(pairs) - corners) * pairs.px
    return np.asarray(np.maximum(fit.corner_variance_px2 + (difference_px**2).sum(axis=0), _MIN_SCORE_PX2))


def _weights(fits: Sequence[Fit]) -> Floats:
    """Return the weight of each model, in total 1, from its leave-one-out mean square."""
    cutoff_px = common_cutoff_px(fits)
    scores = np.array([max(f.mean_square_px2(cutoff_px), _MIN_SCORE_PX2) for f in fits])
    weights = (scores.min() / scores) ** (_EVIDENCE_PER_STAR * len(fits[0].inliers))
    return np.asarray(weights / weights.sum())
