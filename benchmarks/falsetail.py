"""How often a false match would reach a threshold: a tail of log-odds that was seen, its slope, and what lies beyond.

False matches above a cut are taken to come at a steady rate in the engine's CPU time, their log-odds to fall
exponentially beyond it.  Pictures are what chance is asked for anew (bootstrap): trials at one are not independent.

Sources: exponential excesses are the generalised Pareto distribution (Pickands 1975, Ann. Stat. 3, 119) of shape 0;
limits of a count are Garwood's (1936, Biometrika 28, 437).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: One-sided confidence of every bound.
CONFIDENCE = 0.95
_RESAMPLED = 2000


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard at one picture: the engine's CPU seconds, and the log-odds of the false matches it named."""

    cpu_s: float
    logodds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Tail:
    """The tail above ``cut``.

    ``count`` matches in ``cpu_s`` seconds; ``slope`` is the mean excess, in e-folds; ``shape`` that of the generalised
    Pareto distribution by the excesses' moments (0: exponential; above: fatter), with the limits in which 95 % of the
    bootstrap lie; ``beyond`` expected matches a CPU second above ``threshold``, ``bound`` its upper 95 % bound.
    """

    cut: float
    threshold: float
    count: int
    cpu_s: float
    slope: float
    shape: float
    shape_limits: tuple[float, float]
    beyond: float
    bound: float


def fit(heard: Sequence[Heard], cut: float, threshold: float, seed: int = 1) -> Tail:
    """Return the tail of what was heard at some pictures; not-a-number where fewer than two matches were."""
    sums = np.array([_sums(h, cut) for h in heard]).reshape(-1, 4)
    total = sums.sum(axis=0)
    rng = np.random.Generator(np.random.PCG64(seed))
    again = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), _RESAMPLED) @ sums if len(sums) else sums
    with np.errstate(divide="ignore", invalid="ignore"):
        slope, shape, beyond = _estimates(total[None, :], threshold - cut)
        _, shapes, beyonds = _estimates(again, threshold - cut)
    return Tail(
        cut=cut,
        threshold=threshold,
        count=int(total[0]),
        cpu_s=float(total[3]),
        slope=float(slope[0]),
        shape=float(shape[0]),
        shape_limits=(_quantile(shapes, 0.025), _quantile(shapes, 0.975)),
        beyond=float(beyond[0]),
        bound=_quantile(beyonds, CONFIDENCE),
    )


def _sums(heard: Heard, cut: float) -> tuple[float, float, float, float]:
    """Return number, sum and sum of squares of the excesses above a cut, and the CPU seconds."""
    excess = [value - cut for value in heard.logodds if value >= cut]
    return len(excess), math.fsum(excess), math.fsum(e * e for e in excess), heard.cpu_s


def _estimates(sums: NDArray[np.float64], distance: float) -> tuple[NDArray[np.float64], ...]:
    """Return slope, shape and matches a CPU second ``distance`` above the cut, for rows of sums."""
    count, first, second, cpu_s = sums.T
    slope = first / count
    shape = (1 - slope**2 / (second / count - slope**2)) / 2
    return slope, shape, count / cpu_s * np.exp(-distance / slope)


def _quantile(values: NDArray[np.float64], share: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.quantile(known, share)) if len(known) else math.nan


def count_bound(count: int, confidence: float = CONFIDENCE) -> float:
    """Return the upper bound of the mean of a Poisson count of which ``count`` was seen (3.00 for none)."""
    low, high = float(count), count + 10 * math.sqrt(count + 1) + 10
    for _ in range(200):
        middle = (low + high) / 2
        if _poisson_at_most(count, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _poisson_at_most(count: int, mean: float) -> float:
    return (
        math.fsum(math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(count + 1)) if mean else 1.0
    )


def share_bound(count: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """Return the upper Clopper-Pearson bound of a share of which ``count`` in ``trials`` were seen."""
    if count >= trials:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        at_most = math.fsum(
            math.exp(
                math.lgamma(trials + 1) - math.lgamma(n + 1) - math.lgamma(trials - n + 1)
                + n * math.log(middle) + (trials - n) * math.log1p(-middle)
            )
            for n in range(count + 1)
        )  # fmt: skip
        if at_most > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def by_kind(rows: Iterable[tuple[str, Heard]]) -> Mapping[str, list[Heard]]:
    """Return what was heard at the pictures of each kind."""
    kinds: dict[str, list[Heard]] = {}
    for kind, heard in rows:
        kinds.setdefault(kind, []).append(heard)
    return kinds


def survival(heard: Iterable[Heard], levels: Sequence[float]) -> list[int]:
    """Return how many matches were heard at or above each level."""
    values = [value for h in heard for value in h.logodds]
    return [sum(value >= level for value in values) for level in levels]
