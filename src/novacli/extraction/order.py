"""Rank stars: the engine takes them in the order of the list, and the order decides how soon it finds a match."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from novacli.records.field import StarList

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Central stars lie within this fraction of half the longer side from the centre.
_CENTRAL_SHARE = 0.5

#: Sources whose star likeness is less do not look like stars.  It is above 0.9 for a star at ten sigmas, and below 0.7
#: for most letters and edges.
_LEAST_LIKENESS = 0.8


class StarOrder(enum.Enum):
    """What "best first" means: by flux, by peak, by the mean of both ranks, or one of these selections.

    ``CENTRAL`` is by flux among central stars alone: in the middle of a very wide or distorted image, quads keep the
    shapes that they have on the sky.  The ``STARLIKE`` orders put sources that do not look like stars behind all
    others: letters and lines of an annotated picture, the edges of trees and roofs, trails, bad columns.
    """

    FLUX = "flux"
    PEAK = "peak"
    MIXED = "mixed"
    CENTRAL = "central"
    STARLIKE_FLUX = "starlike-flux"
    STARLIKE_PEAK = "starlike-peak"


#: (sources, (width, height) of the image in their pixels) → row numbers, best star first.
Ranking = Callable[["NDArray[np.void]", tuple[float, float]], "NDArray[np.intp]"]


def rank_sources(table: NDArray[np.void], order: StarOrder, size_px: tuple[float, float]) -> NDArray[np.intp]:
    """Return row numbers of sources, best first; ``CENTRAL`` leaves the others out.

    Parameters
    ----------
    table
        Sources, as ``detect.detect_sources`` returns them.
    order
        What "best" means.
    size_px
        (width, height) of the image, in the pixels of ``table``.
    """
    by_flux = np.argsort(-table["flux"], kind="stable")
    if order is StarOrder.CENTRAL:
        return by_flux[_is_central(table["x"], table["y"], size_px)[by_flux]]
    by_peak = np.argsort(-table["peak"], kind="stable")
    if order is StarOrder.MIXED:
        return np.argsort(np.argsort(by_flux) + np.argsort(by_peak), kind="stable")
    if order in (StarOrder.STARLIKE_FLUX, StarOrder.STARLIKE_PEAK):
        return _starlike_first(by_flux if order is StarOrder.STARLIKE_FLUX else by_peak, table)
    return by_flux if order is StarOrder.FLUX else by_peak


def _starlike_first(rows: NDArray[np.intp], table: NDArray[np.void]) -> NDArray[np.intp]:
    is_starlike = table["likeness"][rows] >= _LEAST_LIKENESS
    return np.concatenate([rows[is_starlike], rows[~is_starlike]])


def rank_list(field: StarList, order: StarOrder) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return row numbers of a star list, best first, and the flux of every row.

    A list has one brightness, so that only ``CENTRAL`` differs from ``FLUX``.  A list without fluxes is in order
    already; its fluxes are then made to fall.
    """
    flux = np.arange(len(field.x), 0, -1, dtype=np.float64) if field.flux is None else field.flux
    best = np.argsort(-flux, kind="stable")
    if order is StarOrder.CENTRAL:
        best = best[_is_central(field.x, field.y, (field.width, field.height))[best]]
    return best, flux


def _is_central(x: NDArray[np.float64], y: NDArray[np.float64], size_px: tuple[float, float]) -> NDArray[np.bool_]:
    distance_px = np.hypot(x - size_px[0] / 2, y - size_px[1] / 2)
    return np.asarray(distance_px < _CENTRAL_SHARE * max(size_px) / 2, dtype=np.bool_)
