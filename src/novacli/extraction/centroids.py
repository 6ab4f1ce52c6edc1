"""Measure star positions to a fraction of a pixel on the unbinned image, whatever binning they were detected at.

A binned pixel blurs a star's position, and a centroid over all pixels above a threshold is drawn towards neighbours
and noise.  Here each star gets the centroid under a Gaussian window that moves with it, about as wide as the stars
themselves, above its own local background.  Only small cut-outs are read, so that a large image takes no longer than a
small one.

Source: the windowed positions of Source Extractor (Bertin & Arnouts 1996, A&AS 117, 393; its manual, XWIN_IMAGE).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from novacli.arrays.statistics import median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

    from novacli.records.field import Image

#: Limits of the window's width, as a Gaussian's sigma, in pixels.
_MIN_SIGMA_PX, _MAX_SIGMA_PX = 1.0, 5.0
#: The window's sigma over that of the stars.  A window a little narrower than the stars keeps neighbours out and loses
#: next to no precision: measured on drawn fields.
_WINDOW_PER_STAR = 0.85
#: Half the width of a cut-out, in sigmas of the window; the distance that the star may move comes on top.
_REACH_SIGMAS = 3.0
_MAX_STEPS = 12
#: A window that moves by less than this in a step has converged.
_CONVERGED_PX = 0.002
#: A window that moves by less than this in the last step is as close as the noise allows.
_NEARLY_CONVERGED_PX = 0.05
#: The window's width follows from this many of the best stars, which rise well above the noise.
_STARS_FOR_WIDTH = 60


def window_sigma_px(a: Floats, b: Floats, binning: int) -> float:
    """Return the width of the window for stars of given sizes.

    Parameters
    ----------
    a, b
        Semi-axes of the stars, sigma in binned pixels, best stars first.
    binning
        The binning factor.

    Returns
    -------
    float
        The window's sigma, in pixels of the whole image.
    """
    if not len(a):
        return _MIN_SIGMA_PX
    measured = float(median(np.sqrt(a[:_STARS_FOR_WIDTH] * b[:_STARS_FOR_WIDTH]))) * binning
    # Without the width that a binned pixel adds to a point.
    sigma_px = math.sqrt(max(0.0, measured**2 - (binning**2 - 1) / 12))
    return min(_MAX_SIGMA_PX, max(_MIN_SIGMA_PX, _WINDOW_PER_STAR * sigma_px))


def measure(image: Image, x: Floats, y: Floats, sigma_px: float, max_shift_px: float) -> tuple[Floats, Floats]:
    """Return the measured positions of stars.

    A star keeps its position if it is too near the border, if a pixel within its window is masked, if its window does
    not converge, or if it would move by more than ``max_shift_px``.  In a Bayer mosaic, sums of 2 × 2 neighbours are
    measured, each of which has all colours.

    Parameters
    ----------
    image
        The whole image.
    x, y
        Approximate positions, 0-based pixels of the whole image.
    sigma_px
        Sigma of the Gaussian window, pixels.
    max_shift_px
        The largest distance by which a star may move, pixels.

    Returns
    -------
    x, y
        Positions, 0-based pixels of the whole image, in the order of the parameters.
    """
    half = math.ceil(_REACH_SIGMAS * sigma_px + max_shift_px)
    extra = 1 if image.is_mosaic else 0
    column, row = (np.rint(np.nan_to_num(c)).astype(np.intp) for c in (x, y))
    inside = (column >= half) & (row >= half)
    inside &= (column + half + extra < image.width) & (row + half + extra < image.height)
    if not inside.any():
        return x, y
    column, row = column[inside], row[inside]
    rows = row[:, None, None] + np.arange(-half, half + 1 + extra)[None, :, None]
    columns = column[:, None, None] + np.arange(-half, half + 1 + extra)[None, None, :]
    with np.errstate(all="ignore"):
        cutout, offset = image.pixels[rows, columns].astype(np.float64), 0.0
        if extra:
            cutout = cutout[:, 1:, 1:] + cutout[:, :-1, 1:] + cutout[:, 1:, :-1] + cutout[:, :-1, :-1]
            offset = 0.5
        start_x, start_y = x[inside] - column - offset, y[inside] - row - offset
        new_x, new_y, converged = _move_windows(cutout - _background(cutout), start_x, start_y, sigma_px)
        good = converged & (np.hypot(new_x - start_x, new_y - start_y) <= max_shift_px)
    if image.mask is not None:
        good &= ~image.mask[rows, columns].any(axis=(1, 2))
    measured_x, measured_y = x.copy(), y.copy()
    which = np.flatnonzero(inside)[good]
    measured_x[which] = new_x[good] + column[good] + offset
    measured_y[which] = new_y[good] + row[good] + offset
    return measured_x, measured_y


def _background(cutouts: Floats) -> Floats:
    """Return the median of the outermost pixels of each cut-out, shape (n, 1, 1)."""
    ring = np.concatenate([cutouts[:, 0], cutouts[:, -1], cutouts[:, 1:-1, 0], cutouts[:, 1:-1, -1]], axis=1)
    return median(ring)[:, None, None]


def _move_windows(light: Floats, x: Floats, y: Floats, sigma_px: float) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Move windows until each is centred on the light under it.

    Parameters
    ----------
    light
        Cut-outs without their background, shape (n, side, side), side odd.
    x, y
        Where the windows start, pixels from the middle of their cut-outs.
    sigma_px
        Sigma of the Gaussian window, pixels.

    Returns
    -------
    x, y
        Where the windows end, pixels from the middle of their cut-outs; NaN for one that left its cut-out.
    converged
        True for each window that nearly stopped moving.
    """
    half = light.shape[1] // 2
    pixel = np.arange(-half, half + 1, dtype=np.float64)
    for _ in range(_MAX_STEPS):
        away_x, away_y = pixel - x[:, None], pixel - y[:, None]
        weight_x, weight_y = (np.exp(away**2 / (-2 * sigma_px**2)) for away in (away_x, away_y))
        by_column = np.einsum("nyx,ny->nx", light, weight_y)
        total = np.einsum("nx,nx->n", by_column, weight_x)
        by_row = np.einsum("nyx,nx->ny", light, weight_x)
        # A Gaussian under a window as wide as itself appears at half its distance.
        step_x = 2 * np.einsum("nx,nx->n", by_column, weight_x * away_x) / total
        step_y = 2 * np.einsum("ny,ny->n", by_row, weight_y * away_y) / total
        step_x, step_y = (np.where((total > 0) & (np.abs(s) < half), s, np.inf) for s in (step_x, step_y))
        lost = ~np.isfinite(step_x + step_y)
        x, y = np.where(lost, np.nan, x + step_x), np.where(lost, np.nan, y + step_y)
        if ((np.hypot(step_x, step_y) < _CONVERGED_PX) | lost).all():
            break
    return x, y, np.hypot(step_x, step_y) < _NEARLY_CONVERGED_PX
