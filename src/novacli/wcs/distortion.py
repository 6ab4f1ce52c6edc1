"""Which distortion a field supports: models of a lens from four parameters up, fitted to matched stars, and the one
that predicts stars best which it has not seen.

Positions are those of the image, ``u`` and ``v``, from its middle in units of its half diagonal; targets are where the
reference stars are on the tangent plane, in the same units.  Every model is a polynomial, so that SIP can carry it.

Leaving out one star and predicting it takes no second fit: the residual over one less its leverage is the same.
Source: Cook & Weisberg 1982, Residuals and Influence in Regression, section 2.2; terms of a lens whose elements are
off its axis: Brown 1966, Photogrammetric Engineering 32, 444.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

MAX_ORDER = 5
#: The monomials u^p v^q, lowest order first.
POWERS = tuple((n - q, q) for n in range(MAX_ORDER + 1) for q in range(n + 1))
#: A star further off than this many times the usual distance is matched wrongly, or blended.
_CLIP = 4.0
#: A star closer than this is right whatever the others are, in pixels.
CLIP_LEAST_PX = 0.4
_CLIP_ROUNDS = 5
#: How many numbers the stars must give for one parameter.
_NUMBERS_PER_PARAMETER = 1.5
#: A model with more parameters must predict better by this many standard errors.
SURELY = 1.0
#: To predict better by less than this is nobody's gain.
_NO_GAIN_PX = 0.01
_GRID = 9

#: A model is not looked at again if its mean square is this many times that of the best, and so much more in pixels.
_WORTH_A_LOOK, _WORTH_A_LOOK_PX = 1.7, 0.1
#: No star counts as further off than this where models of few parameters are compared with ones of many.
_CAP_PX = 10.0

Polynomial = Mapping[tuple[int, int], float]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A family of mappings from image to tangent plane.

    ``x`` and ``y``, shape (monomials, parameters), say how much of each monomial a parameter contributes; ``order`` is
    that of its distortion, 0 for none.
    """

    name: str
    order: int
    x: Floats
    y: Floats

    @property
    def parameters(self) -> int:
        """How many numbers are fitted."""
        return int(self.x.shape[1])

    @property
    def is_high_order(self) -> bool:
        """Whether it has so many parameters that it is worth a try only where the next lower order is."""
        return self.parameters > 20

    def rows(self, monomials: Floats) -> Floats:
        """Return the design matrix, shape (2, n, parameters): of the targets' x, and of their y."""
        return np.stack([monomials @ self.x, monomials @ self.y])

    def terms(self, coefficients: Floats) -> Floats:
        """Return what stands before each monomial, shape (2, monomials)."""
        return np.stack([self.x @ coefficients, self.y @ coefficients])


def _model(name: str, order: int, columns: Sequence[tuple[Polynomial, Polynomial]]) -> Model:
    x, y = (np.array([[column[i].get(power, 0.0) for column in columns] for power in POWERS]) for i in (0, 1))
    return Model(name, order, x, y)


_SIMILARITY: tuple[tuple[Polynomial, Polynomial], ...] = (
    ({(0, 0): 1}, {}), ({}, {(0, 0): 1}), ({(1, 0): 1}, {(0, 1): 1}), ({(0, 1): -1}, {(1, 0): 1}),
)  # fmt: skip
_CUBIC: tuple[tuple[Polynomial, Polynomial], ...] = (({(3, 0): 1, (1, 2): 1}, {(2, 1): 1, (0, 3): 1}),)
_QUINTIC: tuple[tuple[Polynomial, Polynomial], ...] = (
    ({(5, 0): 1, (3, 2): 2, (1, 4): 1}, {(4, 1): 1, (2, 3): 2, (0, 5): 1}),
)
#: What is left in second order where the distortion's centre is not the image's.
_DECENTRED: tuple[tuple[Polynomial, Polynomial], ...] = (
    ({(2, 0): 3, (0, 2): 1}, {(1, 1): 2}),
    ({(1, 1): 2}, {(2, 0): 1, (0, 2): 3}),
)


def _polynomial(order: int) -> tuple[tuple[Polynomial, Polynomial], ...]:
    powers = [power for power in POWERS if sum(power) <= order]
    return (*(({power: 1.0}, {}) for power in powers), *(({}, {power: 1.0}) for power in powers))


@functools.cache
def models() -> tuple[Model, ...]:
    """Return the models, those of few parameters first."""
    affine = _polynomial(1)
    return (
        _model("similarity", 0, _SIMILARITY),
        _model("radial", 3, (*_SIMILARITY, *_CUBIC)),
        _model("affine", 0, affine),
        _model("radial to the fifth", 5, (*_SIMILARITY, *_CUBIC, *_QUINTIC)),
        _model("radial, off centre", 3, (*_SIMILARITY, *_CUBIC, *_DECENTRED)),
        _model("affine and radial", 3, (*affine, *_CUBIC)),
        _model("affine and radial, off centre", 3, (*affine, *_CUBIC, *_DECENTRED)),
        *(polynomial(order) for order in range(2, MAX_ORDER + 1)),
    )


@functools.cache
def polynomial(order: int) -> Model:
    """Return the model in which every term up to an order is free, as the engine fits them."""
    return _model(f"order {order}", order if order > 1 else 0, _polynomial(order))


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Stars of the image and where their reference stars are: ``monomials`` (n, monomials), ``target`` (2, n).

    ``px`` is the unit of both in pixels; ``grid`` are the monomials of points all over the image.
    """

    monomials: Floats
    target: Floats
    px: float
    grid: Floats

    def __len__(self) -> int:
        return len(self.monomials)


def monomials(u: Floats, v: Floats) -> Floats:
    """Return u^p v^q of each point, shape (n, monomials)."""
    us, vs = ([np.ones_like(c)] for c in (u, v))
    for _ in range(MAX_ORDER):
        us.append(us[-1] * u)
        vs.append(vs[-1] * v)
    return np.stack([us[p] * vs[q] for p, q in POWERS], axis=1)


def grid(width: int, height: int) -> Floats:
    """Return the monomials of points all over an image, edges and corners among them."""
    unit = np.hypot(width, height) / 2
    u, v = np.meshgrid(*(np.linspace(-n / 2, n / 2, _GRID) / unit for n in (width, height)))
    return monomials(u.ravel(), v.ravel())


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A model with its parameters.

    Attributes
    ----------
    terms
        What stands before each monomial, shape (2, monomials); None for a solution that is the engine's own.
    good
        Which stars were fitted; the others lie too far off.
    heldout_px
        How far each star is from where a fit to the others puts it, shape (n,).
    spread_px2
        How much more uncertain the model is all over the image than at the stars: variances, both axes.
    """

    model: Model
    terms: Floats | None
    good: Flags
    heldout_px: Floats
    spread_px2: float

    def is_like(self, other: Fit) -> bool:
        """Say whether it is the same model, fitted to the same of equally many stars."""
        return self.model is other.model and np.array_equal(self.good, other.good)

    def mean_px2(self, within_px: float = math.inf, which: Flags | None = None) -> float:
        """Return the mean square of ``heldout_px`` of some stars, none counted as more than ``within_px``.

        Without end where there are none: what predicts no star is no better than anything.
        """
        off_px = self.heldout_px if which is None else self.heldout_px[which]
        if not len(off_px):
            return math.inf
        return float((np.minimum(off_px, within_px) ** 2).mean())


def fit(model: Model, pairs: Pairs) -> Fit | None:
    """Fit a model, stars that lie too far off left out; None where there are too few, or they do not determine it."""
    rows = model.rows(pairs.monomials)
    good = np.ones(len(pairs), np.bool_)
    found: Fit | None = None
    for _ in range(_CLIP_ROUNDS):
        basis = _basis(rows, good)
        if basis is None:
            return None
        q, inverse = basis
        coefficients = inverse @ (q.T @ pairs.target[:, good].ravel())
        found = _judged(model, model.terms(coefficients), pairs.target - rows @ coefficients, inverse, good, pairs)
        closer = close(found.heldout_px, good)
        if (closer == good).all():
            break
        good = closer
    return found


def close(off_px: Floats, good: Flags) -> Flags:
    """Return which stars are no further off than those that are ``good`` usually are, by a factor."""
    return np.asarray(off_px < max(CLIP_LEAST_PX, _CLIP * typical_px(off_px[good])))


def typical_px(distances: Floats) -> float:
    """Return the spread along one axis of distances in two dimensions, by their median; 0 where there are none."""
    return float(np.median(distances)) / 1.1774 if len(distances) else 0.0


def _basis(rows: Floats, good: Flags) -> tuple[Floats, Floats] | None:
    """Return an orthonormal basis of the fitted rows, and the matrix that leads there from the parameters."""
    chosen = rows[:, good].reshape(-1, rows.shape[2])
    if len(chosen) < _NUMBERS_PER_PARAMETER * rows.shape[2]:
        return None
    q, r = np.linalg.qr(chosen)
    diagonal = np.abs(np.diagonal(r))
    return (q, np.linalg.inv(r)) if diagonal.min() > 1e-7 * diagonal.max() else None


def _judged(model: Model, terms: Floats | None, off: Floats, inverse: Floats, good: Flags, pairs: Pairs) -> Fit:
    """Return a fit whose residuals are ``off``, shape (2, n)."""
    lever = model.rows(pairs.monomials) @ inverse
    count = int(good.sum())
    variance = float((off[:, good] ** 2).sum()) / max(1, 2 * count - model.parameters) * pairs.px**2
    everywhere = float(((model.rows(pairs.grid) @ inverse) ** 2).sum()) / len(pairs.grid)
    here = model.parameters / count
    return Fit(model, terms, good, pairs.px * left_out(off, lever, good), variance * (everywhere - here))


def as_if_fitted(order: int, off: Floats, pairs: Pairs) -> Fit | None:
    """Return the engine's own solution as a fit: ``off``, shape (2, n), are its residuals.

    It fits every term up to ``order``, so that the leverage of its stars is that of the polynomial.
    """
    model = polynomial(max(1, min(order, MAX_ORDER)))
    distances = np.hypot(*off) * pairs.px
    good = close(distances, np.ones(len(pairs), np.bool_))
    basis = _basis(model.rows(pairs.monomials), good)
    return None if basis is None else _judged(model, None, off, basis[1], good, pairs)


def left_out(off: Floats, lever: Floats, good: Flags) -> Floats:
    """Return how far each star is off when it is left out of the fit, shape (n,).

    ``off``, shape (2, n), are residuals; ``lever``, shape (2, n, parameters), is the design matrix in a basis that is
    orthonormal over the ``good`` stars, which were fitted.
    """
    hxx, hyy, hxy = (np.where(good, np.einsum("np,np->n", lever[i], lever[j]), 0) for i, j in ((0, 0), (1, 1), (0, 1)))
    # The inverse of one less a star's own block of the projection, both coordinates at once.
    det = np.maximum((1 - hxx) * (1 - hyy) - hxy**2, 1e-9)
    x = ((1 - hyy) * off[0] + hxy * off[1]) / det
    y = ((1 - hxx) * off[1] + hxy * off[0]) / det
    return np.asarray(np.hypot(x, y))


def fits(pairs: Pairs, among: Sequence[Model]) -> list[Fit]:
    """Return the fits of those models that the stars determine, in their order.

    Full polynomials above the third order are tried only where the one before was worth it.
    """
    found: list[Fit] = []
    scores: list[float] = []
    for model in among:
        if model.is_high_order and scores and scores[-1] > min(scores):
            break
        one = fit(model, pairs)
        if one is not None:
            found.append(one)
            scores.append(one.mean_px2(_CAP_PX))
    return found


def choose(candidates: Sequence[Fit]) -> Fit:
    """Return the fit that predicts best; one of fewer parameters unless the other is better beyond noise."""
    within_px = _within_px(candidates)
    best, *others = sorted(candidates, key=lambda f: f.model.parameters)
    for other in others:
        if is_better(other, best, within_px):
            best = other
    return best


def promising(candidates: Sequence[Fit]) -> tuple[Model, ...]:
    """Return the models that are worth another look once more stars are matched."""
    within_px = _within_px(candidates)
    scores = [f.mean_px2(within_px) + f.spread_px2 for f in candidates]
    worth = _WORTH_A_LOOK * min(scores) + _WORTH_A_LOOK_PX**2
    return tuple(f.model for f, s in zip(candidates, scores, strict=True) if s <= worth)


def _within_px(candidates: Sequence[Fit]) -> float:
    return max(CLIP_LEAST_PX, _CLIP * min(typical_px(f.heldout_px[f.good]) for f in candidates))


def is_better(one: Fit, other: Fit, within_px: float) -> bool:
    """Say whether a fit predicts stars, and what lies between them, better than a simpler one beyond noise.

    A star that is off by more than ``within_px`` counts as if it were off by so much.
    """
    gain = np.minimum(other.heldout_px, within_px) ** 2 - np.minimum(one.heldout_px, within_px) ** 2
    noise = float(gain.std()) / len(gain) ** 0.5
    return bool(float(gain.mean()) + other.spread_px2 - one.spread_px2 > SURELY * noise + _NO_GAIN_PX**2)
