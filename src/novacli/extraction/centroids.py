"""Where stars are to a fraction of a pixel: measured again on the full pixels, however the image was binned.

A binned pixel blurs a star's place, and a centroid over all pixels above a threshold leans towards neighbours and
noise.  Here each star gets the centroid under a Gaussian window that moves with it, about as wide as the stars
themselves, over its own local background.  Only small cut-outs are looked at, so that a large image costs no more than
a small one.

Source: the windowed positions of Source Extractor (Bertin & Arnouts 1996, A&AS 117, 393; its manual, XWIN_IMAGE).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

    from novacli.records.field import Image

#: Widths of the window, as a Gaussian's sigma, in pixels.
_LEAST_SIGMA_PX, _MOST_SIGMA_PX = 1.0, 5.0
#: A window a little narrower than the stars keeps neighbours out at next to no cost: measured on drawn fields.
_WINDOW_PER_SIZE = 0.85
#: The cut-outs reach this many sigma from the star, and as many pixels more as it may move.
_REACH_SIGMAS = 3.0
_STEPS = 12
_STILL_PX = 0.002
#: One that has come so close to rest in the last step is where it belongs, as far as the noise lets anyone say.
_NEARLY_STILL_PX = 0.05
#: Stars whose sizes say how wide the window is: the best, which rise well above the noise.
_SIZED_STARS = 60


def window_sigma_px(a: Floats, b: Floats, binning: int) -> float:
    """Return how wide the window shall be by the stars' axes, sigma in binned pixels, best stars first; in pixels."""
    if not len(a):
        return _LEAST_SIGMA_PX
    size = float(np.median(np.sqrt(a[:_SIZED_STARS] * b[:_SIZED_STARS]))) * binning
    # What a binned pixel adds to the size of a point.
    own = math.sqrt(max(0.0, size**2 - (binning**2 - 1) / 12))
    return min(_MOST_SIGMA_PX, max(_LEAST_SIGMA_PX, _WINDOW_PER_SIZE * own))


def measure(image: Image, x: Floats, y: Floats, sigma_px: float, may_move_px: float) -> tuple[Floats, Floats]:
    """Return where stars are, 0-based pixels of the whole image, given about where they are.

    A star keeps its place where it is too near the border, has a masked pixel within the window, does not come to rest
    or would move further than ``may_move_px``.  In a Bayer mosaic, sums of 2 x 2 neighbours are looked at, each of
    which has all colours.
    """
    half = math.ceil(_REACH_SIGMAS * sigma_px + may_move_px)
    more = 1 if image.is_mosaic else 0
    column, row = (np.rint(np.nan_to_num(c)).astype(np.intp) for c in (x, y))
    inside = (column >= half) & (row >= half)
    inside &= (column + half + more < image.width) & (row + half + more < image.height)
    if not inside.any():
        return x, y
    column, row = column[inside], row[inside]
    rows = row[:, None, None] + np.arange(-half, half + 1 + more)[None, :, None]
    columns = column[:, None, None] + np.arange(-half, half + 1 + more)[None, None, :]
    with np.errstate(all="ignore"):
        cut, offset = image.pixels[rows, columns].astype(np.float64), 0.0
        if more:
            cut, offset = cut[:, 1:, 1:] + cut[:, :-1, 1:] + cut[:, 1:, :-1] + cut[:, :-1, :-1], 0.5
        start_x, start_y = x[inside] - column - offset, y[inside] - row - offset
        new_x, new_y, still = _settle(cut - _background(cut), start_x, start_y, sigma_px)
        good = still & (np.hypot(new_x - start_x, new_y - start_y) <= may_move_px)
    if image.mask is not None:
        good &= ~image.mask[rows, columns].any(axis=(1, 2))
    measured_x, measured_y = x.copy(), y.copy()
    which = np.flatnonzero(inside)[good]
    measured_x[which] = new_x[good] + column[good] + offset
    measured_y[which] = new_y[good] + row[good] + offset
    return measured_x, measured_y


def _background(cut: Floats) -> Floats:
    """Return the median of the outermost pixels of each cut-out, shape (n, 1, 1)."""
    ring = np.concatenate([cut[:, 0], cut[:, -1], cut[:, 1:-1, 0], cut[:, 1:-1, -1]], axis=1)
    return np.asarray(np.median(ring, axis=1))[:, None, None]


def _settle(light: Floats, x: Floats, y: Floats, sigma_px: float) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Move windows, from (x, y) from the middles of the cut-outs, until they are centred on their light.

    Returns where they are then, and which came to rest.
    """
    half = light.shape[1] // 2
    pixel = np.arange(-half, half + 1, dtype=np.float64)
    still = np.zeros(len(x), np.bool_)
    for _ in range(_STEPS):
        away_x, away_y = pixel - x[:, None], pixel - y[:, None]
        weight_x, weight_y = (np.exp(away**2 / (-2 * sigma_px**2)) for away in (away_x, away_y))
        by_column = np.einsum("nyx,ny->nx", light, weight_y)
        total = np.einsum("nx,nx->n", by_column, weight_x)
        by_row = np.einsum("nyx,nx->ny", light, weight_x)
        # A Gaussian under a window as wide as itself appears half as far off as it is.
        step_x = 2 * np.einsum("nx,nx->n", by_column, weight_x * away_x) / total
        step_y = 2 * np.einsum("ny,ny->n", by_row, weight_y * away_y) / total
        step_x, step_y = (np.where((total > 0) & (np.abs(s) < half), s, np.inf) for s in (step_x, step_y))
        lost = ~np.isfinite(step_x + step_y)
        x, y = np.where(lost, np.nan, x + step_x), np.where(lost, np.nan, y + step_y)
        still = np.hypot(step_x, step_y) < _STILL_PX
        if (still | lost).all():
            break
    return x, y, np.hypot(step_x, step_y) < _NEARLY_STILL_PX
