"""Models of a lens: families of polynomial mappings from the image to the tangent plane, from four parameters up.

Image positions ``u``, ``v`` are relative to the image's centre, in units of its half diagonal; positions on the tangent
plane are in the same unit.  Every model is a polynomial, so that SIP can represent it.

Source of the decentring terms (a lens with elements off its axis): Brown 1966, Photogrammetric Engineering 32, 444.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from solvehost.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Highest order of any model, and of those in which every term is free.
MAX_ORDER, MAX_FREE_ORDER = 7, 5
#: The exponents (p, q) of the monomials u^p v^q, lowest order first.
POWERS = tuple((n - q, q) for n in range(MAX_ORDER + 1) for q in range(n + 1))
_ROW = {power: row for row, power in enumerate(POWERS)}
_GRID_POINTS = 9

Polynomial = Mapping[tuple[int, int], float]


@record(eq=False)
class Model:
    """A family of mappings from image to tangent plane, linear in its parameters.

    Attributes
    ----------
    name
        As the HISTORY card of a solution states it.
    order
        Order of the distortion; 0 for none.
    contributions
        Of each parameter to each monomial's coefficient, first for x and then for y on the plane; shape
        (2, monomials, parameters).
    """

    name: str
    order: int
    contributions: Floats

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return int(self.contributions.shape[2])

    @property
    def is_high_order(self) -> bool:
        """True for a model that is tried only if the next lower order did well."""
        return self.parameters > 20

    def design(self, monomials: Floats) -> Floats:
        """Return the design matrix of points, shape (2, n, parameters): first for x, then for y."""
        return np.asarray(monomials @ self.contributions)

    def coefficients(self, parameters: Floats) -> Floats:
        """Return the coefficient of each monomial, shape (2, monomials)."""
        return np.asarray(self.contributions @ parameters)


def _model(name: str, order: int, columns: Sequence[tuple[Polynomial, Polynomial]]) -> Model:
    contributions = np.zeros((2, len(POWERS), len(columns)))
    for n, column in enumerate(columns):
        for axis, polynomial in enumerate(column):
            for power, factor in polynomial.items():
                contributions[axis, _ROW[power], n] = factor
    return Model(name, order, contributions)


_SIMILARITY: tuple[tuple[Polynomial, Polynomial], ...] = (
    ({(0, 0): 1}, {}), ({}, {(0, 0): 1}), ({(1, 0): 1}, {(0, 1): 1}), ({(0, 1): -1}, {(1, 0): 1}),
)  # fmt: skip
_CUBIC: tuple[tuple[Polynomial, Polynomial], ...] = (({(3, 0): 1, (1, 2): 1}, {(2, 1): 1, (0, 3): 1}),)
_QUINTIC: tuple[tuple[Polynomial, Polynomial], ...] = (
    ({(5, 0): 1, (3, 2): 2, (1, 4): 1}, {(4, 1): 1, (2, 3): 2, (0, 5): 1}),
)
_SEPTIC: tuple[tuple[Polynomial, Polynomial], ...] = (
    ({(7, 0): 1, (5, 2): 3, (3, 4): 3, (1, 6): 1}, {(6, 1): 1, (4, 3): 3, (2, 5): 3, (0, 7): 1}),
)
#: The second-order terms that appear if the centre of the distortion is not that of the image.
_DECENTRED: tuple[tuple[Polynomial, Polynomial], ...] = (
    ({(2, 0): 3, (0, 2): 1}, {(1, 1): 2}),
    ({(1, 1): 2}, {(2, 0): 1, (0, 2): 3}),
)


def _free_terms(order: int) -> tuple[tuple[Polynomial, Polynomial], ...]:
    powers = [power for power in POWERS if sum(power) <= order]
    return (*(({power: 1.0}, {}) for power in powers), *(({}, {power: 1.0}) for power in powers))


@functools.cache
def models() -> tuple[Model, ...]:
    """Return all models, roughly from few to many parameters."""
    affine = _free_terms(1)
    return (
        _model("similarity", 0, _SIMILARITY),
        _model("radial", 3, (*_SIMILARITY, *_CUBIC)),
        _model("affine", 0, affine),
        _model("radial to the fifth", 5, (*_SIMILARITY, *_CUBIC, *_QUINTIC)),
        _model("radial to the seventh", 7, (*_SIMILARITY, *_CUBIC, *_QUINTIC, *_SEPTIC)),
        _model("radial, off centre", 3, (*_SIMILARITY, *_CUBIC, *_DECENTRED)),
        _model("affine and radial", 3, (*affine, *_CUBIC)),
        _model("affine and radial, off centre", 3, (*affine, *_CUBIC, *_DECENTRED)),
        *(free_polynomial(order) for order in range(2, MAX_FREE_ORDER + 1)),
    )


@functools.cache
def free_polynomial(order: int) -> Model:
    """Return the model in which every term up to an order is free, as in the engine's fits."""
    return _model(f"order {order}", order if order > 1 else 0, _free_terms(order))


def monomials(u: Floats, v: Floats) -> Floats:
    """Return u^p v^q of each point for all ``POWERS``, shape (n, monomials)."""
    us, vs = ([np.ones_like(c)] for c in (u, v))
    for _ in range(MAX_ORDER):
        us.append(us[-1] * u)
        vs.append(vs[-1] * v)
    return np.stack([us[p] * vs[q] for p, q in POWERS], axis=1)


@functools.lru_cache(maxsize=8)
def grid_monomials(width: int, height: int) -> Floats:
    """Return the monomials of a grid of points that covers an image up to its edges; the sides are in pixels."""
    unit = np.hypot(width, height) / 2
    u, v = np.meshgrid(*(np.linspace(-n / 2, n / 2, _GRID_POINTS) / unit for n in (width, height)))
    return monomials(u.ravel(), v.ravel())


def corners_of(grid: Floats) -> Floats:
    """Return what belongs to the image's four corners, of values at the points of a grid, shape (points, …)."""
    return grid[[0, _GRID_POINTS - 1, -_GRID_POINTS, -1]]
