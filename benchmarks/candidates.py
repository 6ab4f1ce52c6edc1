"""Candidate members of the portfolio: selection and order of stars, index files, settings of the search.

Each candidate is one line below.  ``portfolio.py`` tries each of them, alone, on every field.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from novacli.extraction.extractor import StarExtractor
from novacli.extraction.order import Ranking, StarOrder, rank_sources
from novacli.records.params import SolveParams
from novacli.strategy import attempts
from novacli.strategy.portfolio import Member
from solvehost.formats.axy import Attempt, Range

Depths = tuple[tuple[int, int], ...]
TO_50: Depths = ((1, 6), (7, 12), (13, 20), (21, 30), (31, 50))
TO_100: Depths = (*TO_50, (51, 70), (71, 100))
TO_200: Depths = tuple((n, n + 9) for n in range(1, 200, 10))
#: Windows of quad diameters, in arcmin: fine files for fields under about 5°, coarse ones for those over about 8°.
#: Debian's files up to 80 arcmin hold groups of four stars, cheap to look up, those beyond them triangles, of which
#: hundreds match any group ("index_scaling.py").
WINDOWS = {
    "fine": Range(0, 60),
    "middle": Range(60, 340),
    "coarse": Range(340, 1e5),
    "four": Range(0, 80),
    "three": Range(80, 1e5),
    "all": None,
}
#: Fields of at least this width, degrees, are not tried with the window's files, which have no quads that fit.
SERVED_DEG = {
    "fine": (0.0, 10.0),
    "middle": (2.0, 60.0),
    "coarse": (4.0, 180.0),
    "four": (0.0, 20.0),
    "three": (1.5, 180.0),
    "all": (0.0, 180.0),
}
SHIPPED_ORDERS = {order.value for order in StarOrder}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate; ``order`` is a name in ``ORDERS``, ``window`` one in ``WINDOWS``."""

    window: str
    order: str = "peak"
    binning: int = 2
    threshold_sigma: float = 4.0
    local_noise: bool = False
    code_tolerance: float | None = 0.005
    depths: Depths = field(default=TO_50, repr=False)
    coarse_first: bool = True
    parallel: bool = False
    uniformize: bool | None = None

    @property
    def name(self) -> str:
        """Return the name in reports; different members have different names."""
        depth = {TO_50: "50", TO_100: "100", TO_200: "200"}.get(self.depths, str(self.depths))
        words = [self.window, self.order, f"bin{self.binning}", f"over{self.threshold_sigma:g}", f"to{depth}"]
        words += [f"tol{self.code_tolerance or 0.01:g}", "coarse" if self.coarse_first else "fine"]
        words += ["local"] if self.local_noise else []
        words += ["parallel"] if self.parallel else []
        words += ["not-uniform"] if self.uniformize is False else []
        return " ".join(words)

    @property
    def member(self) -> Member:
        """Return the strategy's record of it; for an order of this module, :meth:`attempt` selects the stars."""
        return Member(
            label=self.name,
            order=StarOrder(self.order) if self.order in SHIPPED_ORDERS else StarOrder.PEAK,
            window=WINDOWS[self.window],
            coarse_first=self.coarse_first,
            depths=self.depths,
            code_tolerance=self.code_tolerance,
            uniformize=self.uniformize,
            parallel=self.parallel,
            binning=self.binning,
            threshold_sigma=self.threshold_sigma,
            local_noise=self.local_noise,
        )

    def attempt(self, extractor: StarExtractor) -> Attempt:
        """Return its attempt at an image, as the strategy would make it, with its own order of stars."""
        params = SolveParams(blind=True)
        settings = attempts.detection_settings_for(extractor, self.member, params)
        bare = attempts.attempt_without_stars(extractor.field, params, self.member)
        return replace(bare, stars=extractor.stars_by(settings, ORDERS[self.order]))


# --- Orders: (table, size in binned pixels) → row numbers, best star first ------------------------------------------


def _over_grid(column: str, cells: int = 8) -> Ranking:
    """Return the best star of each cell of a grid, then the second best of each, and so on; in a round, best first."""

    def order(table: Any, size: tuple[float, float]) -> Any:
        value = table[column]
        cell = (table["x"] * cells // size[0]).astype(int) + 100 * (table["y"] * cells // size[1]).astype(int)
        rows = np.argsort(-value, kind="stable")
        seen: dict[int, int] = {}
        rounds = np.empty(len(rows), dtype=int)
        for place, row in enumerate(rows):
            rounds[place] = seen[cell[row]] = seen.get(cell[row], -1) + 1
        return rows[np.lexsort((np.arange(len(rows)), rounds))]

    return order


def _without_brightest(column: str, count: int) -> Ranking:
    return lambda table, _size: np.argsort(-table[column], kind="stable")[count:]


def _central(column: str, share: float) -> Ranking:
    """Return only stars near the centre, where a very wide or distorted image preserves the shapes of quads."""

    def order(table: Any, size: tuple[float, float]) -> Any:
        rows = np.argsort(-table[column], kind="stable")
        far = np.hypot(table["x"] - size[0] / 2, table["y"] - size[1] / 2)
        return rows[far[rows] < share * max(size) / 2]

    return order


def _shipped(order: StarOrder) -> Ranking:
    return lambda table, size: rank_sources(table, order, size)


ORDERS: dict[str, Ranking] = {order.value: _shipped(order) for order in StarOrder}
ORDERS |= {
    "grid-peak": _over_grid("peak"),
    "grid-flux": _over_grid("flux"),
    "peak-4": _without_brightest("peak", 4),
    "flux-4": _without_brightest("flux", 4),
    "central-peak": _central("peak", 0.5),
}

# --- The members -----------------------------------------------------------------------------------------------------

_FINE = Candidate("fine", coarse_first=False, code_tolerance=None, uniformize=False)
_FOUR = Candidate("four", code_tolerance=None, uniformize=False)
_MIDDLE = Candidate("middle", parallel=True)
_COARSE = Candidate("coarse", order="flux")


def _with(base: Candidate, **changes: Any) -> Candidate:
    return replace(base, **changes)


CANDIDATES: tuple[Candidate, ...] = (
    _FINE,
    _with(_FINE, code_tolerance=0.005),
    _with(_FINE, uniformize=None),
    _with(_FINE, order="flux"),
    _with(_FINE, order="mixed"),
    _with(_FINE, order="grid-peak"),
    _with(_FINE, order="starlike-peak"),
    _with(_FINE, order="peak-4"),
    _with(_FINE, binning=1),
    _with(_FINE, binning=4),
    _with(_FINE, threshold_sigma=8.0),
    _with(_FINE, coarse_first=True),
    _with(_FINE, coarse_first=True, code_tolerance=0.005),
    _with(_FINE, coarse_first=True, code_tolerance=0.005, order="mixed"),
    _FOUR,
    _with(_FOUR, parallel=True),
    _with(_FOUR, code_tolerance=0.005),
    _with(_FOUR, order="starlike-flux", code_tolerance=0.005),
    _with(_FOUR, order="starlike-flux", code_tolerance=0.005, binning=1),
    _with(_FOUR, order="mixed"),
    _with(_FOUR, order="flux"),
    _with(_FOUR, depths=TO_100),
    _with(_FOUR, uniformize=None),
    _with(_FOUR, binning=4),
    Candidate("three"),
    Candidate("three", order="starlike-peak"),
    Candidate("three", binning=8),
    Candidate("three", order="mixed"),
    Candidate("three", order="flux"),
    Candidate("three", order="peak", code_tolerance=0.007),
    _MIDDLE,
    _with(_MIDDLE, parallel=False),
    _with(_MIDDLE, parallel=False, coarse_first=False),
    _with(_MIDDLE, order="flux"),
    _with(_MIDDLE, order="mixed"),
    _with(_MIDDLE, order="starlike-peak"),
    _with(_MIDDLE, code_tolerance=None),
    _with(_MIDDLE, code_tolerance=None, parallel=False, uniformize=False),
    _with(_MIDDLE, binning=4),
    _COARSE,
    _with(_COARSE, order="mixed"),
    _with(_COARSE, order="central"),
    _with(_COARSE, order="central-peak", binning=1),
    _with(_COARSE, order="mixed", binning=1),
    _with(_COARSE, order="peak", binning=1),
    _with(_COARSE, order="peak"),
    _with(_COARSE, order="peak", code_tolerance=0.007),
    _with(_COARSE, code_tolerance=0.007),
    _with(_COARSE, code_tolerance=None),
    _with(_COARSE, order="grid-flux"),
    _with(_COARSE, order="starlike-flux"),
    _with(_COARSE, order="starlike-peak", binning=1),
    _with(_COARSE, order="starlike-flux", binning=1),
    _with(_COARSE, binning=1, threshold_sigma=8.0, local_noise=True),
    _with(_COARSE, order="starlike-flux", binning=1, threshold_sigma=8.0, local_noise=True),
    _with(_COARSE, order="flux-4"),
    _with(_COARSE, binning=4),
    _with(_COARSE, binning=1),
    _with(_COARSE, threshold_sigma=8.0),
    _with(_COARSE, parallel=True),
    Candidate("all", order="peak", coarse_first=False, binning=4),
    Candidate("all", order="peak"),
    Candidate("all", order="peak", binning=1),
    Candidate("all", order="peak", parallel=True),
    Candidate("all", order="peak", uniformize=False),
    Candidate("all", order="mixed"),
    Candidate("all", order="mixed", code_tolerance=0.007),
    Candidate("all", order="flux"),
    Candidate("all", order="grid-peak"),
    Candidate("all", order="peak", coarse_first=False),
    Candidate("all", order="flux", depths=TO_200, code_tolerance=None),
    Candidate("all", order="flux", depths=TO_200, code_tolerance=None, binning=1),
    Candidate("all", order="grid-peak", depths=TO_200, code_tolerance=None),
    Candidate("all", order="mixed", depths=TO_200, code_tolerance=None),
)


def candidate(name: str) -> Candidate:
    """Return the candidate with a name.

    Raises
    ------
    KeyError
        If there is none.
    """
    return {c.name: c for c in CANDIDATES}[name]
