"""Extrapolation of the tail of false matches' log-odds: the observed tail, its slope, the rate beyond a threshold.

The model: false matches above a cut occur at a constant rate in the engine's CPU time, and their log-odds fall
exponentially beyond it.  The bootstrap resamples images, because trials of one image are not independent.

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
#: Fewest matches from which the shape of a tail is estimated.
_ENOUGH = 10


@dataclass(frozen=True, slots=True)
class Heard:
    """The log of one image: the engine's CPU seconds, and the log-odds of the false matches that it logged."""

    cpu_s: float
    logodds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Tail:
    """The tail above ``cut``.

    ``count`` matches in ``cpu_s`` seconds; ``slope`` is the mean excess in e-folds; ``shape`` is that of the
    generalised Pareto distribution from the excesses' moments (0: exponential; larger: fatter), with the limits of 95 %
    of the bootstrap; ``beyond`` is the expected number of matches per CPU second above ``threshold``, ``bound`` its
    upper 95 % bound.
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
    """Return the tail of some images' logs; NaN if they have fewer than two matches."""
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


@dataclass(frozen=True, slots=True)
class Beyond:
    """Expected matches per CPU second that a tune-up raises above ``threshold``, and the upper 95 % bound."""

    threshold: float
    a_cpu_s: float
    bound: float


@dataclass(frozen=True, slots=True)
class Lift:
    """The effect of the tune-up on false matches: each image's log without it, and with every match tuned up.

    Matches are logged from ``named_from``; with the usual settings, those from ``tunes_from`` are tuned up.  The gain
    of a tune-up is assumed not to depend on where it begins: the tuned tail of matches from ``tunes_from`` is then that
    of matches from ``named_from``, shifted up and reduced by the fall of the log-odds in between.
    """

    pictures: Sequence[tuple[Heard, Heard]]
    named_from: float
    tunes_from: float
    raw_cut: float
    tuned_cut: float

    def beyond(self, thresholds: Sequence[float], seed: int = 2) -> list[Beyond]:
        """Return the rate of tuned matches above each threshold."""
        if not self.pictures:
            return [Beyond(threshold, math.nan, math.nan) for threshold in thresholds]
        columns = [
            _sums(heard, cut)
            for raw, tuned in self.pictures
            for heard, cut in ((raw, self.named_from), (raw, self.raw_cut), (tuned, self.tuned_cut))
        ]
        sums = np.array(columns).reshape(len(self.pictures), 12)
        rng = np.random.Generator(np.random.PCG64(seed))
        again = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), _RESAMPLED) @ sums
        found = []
        for threshold in thresholds:
            rate, rates = (self._rate(rows, threshold) for rows in (sums.sum(axis=0)[None, :], again))
            found.append(Beyond(threshold, float(rate[0]), _quantile(rates, CONFIDENCE)))
        return found

    def _rate(self, sums: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
        moved = self.tunes_from - self.named_from
        with np.errstate(divide="ignore", invalid="ignore"):
            named = sums[:, 0] / sums[:, 3]
            _, _, reach_tuning = _estimates(sums[:, 4:8], self.tunes_from - self.raw_cut)
            _, _, tuned = _estimates(sums[:, 8:], threshold - moved - self.tuned_cut)
            return np.asarray(reach_tuning / named * tuned)


def _sums(heard: Heard, cut: float) -> tuple[float, float, float, float]:
    """Return number, sum and sum of squares of the excesses above a cut, and the CPU seconds."""
    excess = [value - cut for value in heard.logodds if value >= cut]
    return len(excess), math.fsum(excess), math.fsum(e * e for e in excess), heard.cpu_s


def _estimates(sums: NDArray[np.float64], distance: float) -> tuple[NDArray[np.float64], ...]:
    """Return slope, shape and matches per CPU second ``distance`` above the cut, for rows of sums."""
    count, first, second, cpu_s = sums.T
    slope = first / count
    shape = np.where(count >= _ENOUGH, (1 - slope**2 / (second / count - slope**2)) / 2, np.nan)
    return slope, shape, count / cpu_s * np.exp(-distance / slope)


def _quantile(values: NDArray[np.float64], share: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.quantile(known, share)) if len(known) else math.nan


def count_bound(count: int, confidence: float = CONFIDENCE) -> float:
    """Return the upper bound of a Poisson mean if ``count`` was observed (3.00 for 0)."""
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
    """Return the upper Clopper-Pearson bound of a proportion if ``count`` of ``trials`` were observed."""
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
    """Return the logs of the images of each kind."""
    kinds: dict[str, list[Heard]] = {}
    for kind, heard in rows:
        kinds.setdefault(kind, []).append(heard)
    return kinds


def survival(heard: Iterable[Heard], levels: Sequence[float]) -> list[int]:
    """Return the number of logged matches at or above each level."""
    values = [value for h in heard for value in h.logodds]
    return [sum(value >= level for value in values) for level in levels]
