"""Measure how much sources look like stars: round, with a peak in the middle that falls off on all sides.

Letters, lines, trails, and the edges of trees and roofs do not look like that, however bright.  The pixels of a
source are compared with round Gaussians of several widths, as in matched filtering (Stetson 1987, PASP 99, 191).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Half the width of a cut-out; one that is larger holds neighbours as well.
_HALF_PX = 4
#: Widths of the Gaussians, sigma, from sharp stars to saturated ones.
_SIGMAS_PX = (0.7, 1.0, 1.5, 2.2, 3.3)
#: Added to the length of a vector, so that a constant cut-out has correlation 0 with everything.
_TINY = 1e-30


def star_likeness(data: NDArray[np.float32], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how well sources correlate with round stars.

    Parameters
    ----------
    data
        The image without its background, indexed [y, x].
    x, y
        Centroids, 0-based pixels.

    Returns
    -------
    ndarray
        For each source, the highest correlation coefficient, at most 1, of its pixels with a Gaussian at its centroid.
    """
    reach = np.arange(-_HALF_PX, _HALF_PX + 1)
    column, row = (np.rint(c).astype(np.intp) for c in (x, y))
    rows = np.clip(row[:, None, None] + reach[None, :, None], 0, data.shape[0] - 1)
    columns = np.clip(column[:, None, None] + reach[None, None, :], 0, data.shape[1] - 1)
    light = _standardized(data[rows, columns])
    away_x, away_y = reach - (x - column)[:, None], reach - (y - row)[:, None]
    best = np.full(len(x), -1.0)
    for sigma_px in _SIGMAS_PX:
        by_x, by_y = (np.exp(away**2 / (-2 * sigma_px**2)) for away in (away_x, away_y))
        star = _standardized(by_y[:, :, None] * by_x[:, None, :])
        np.maximum(best, np.einsum("nyx,nyx->n", light, star), out=best)
    return best


def _standardized(cutouts: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return cut-outs, shape (n, side, side), with mean 0 and sum of squares 1 each."""
    # Scaled first, so that no square leaves the range of float32.
    scale = np.abs(cutouts).max(axis=(1, 2), keepdims=True, initial=0.0) + _TINY
    relative = (cutouts / scale).astype(np.float32)
    relative -= relative.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt(np.einsum("nyx,nyx->n", relative, relative)) + np.float32(_TINY)
    return np.asarray(relative / length[:, None, None])
