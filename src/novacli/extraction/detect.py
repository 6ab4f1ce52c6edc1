"""Find sources in an image: binning, background, threshold.

Uses ``sep`` (Source Extractor as a library; Barbary 2016, JOSS 1, 58; Bertin & Arnouts 1996, A&AS 117, 393).
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING

import numpy as np

from novacli.errors import DataError
from novacli.extraction.star_likeness import star_likeness
from novacli.records.field import Image
from solvehost.record import record

if TYPE_CHECKING:
    import sep
    from numpy.typing import NDArray

#: A cell of the background mesh is this fraction of the image's smaller side, within the limits.
_MESH_CELLS, _MESH_MIN_PX, _MESH_MAX_PX = 24, 16, 64
#: The threshold is raised if the image has more local maxima above it.  A list takes 200 stars, and sep takes 0.1 to
#: 0.5 ms for each source.
_MAX_MAXIMA = 6_000
#: Local maxima are counted in bands of this many rows, of about this many pixels together; noise is measured in about
#: half as many pixels.
_BAND_ROWS, _SAMPLE_PX = 64, 2_000_000
#: Pixels are summed in bands of about this many.
_CACHED_PX = 1 << 17
#: Local noise is at least this share of the noise of the whole image.
_LEAST_LOCAL_NOISE = 0.01
#: How often the threshold is doubled if there are too many pixels above it for sep's buffers.
_MAX_THRESHOLDS = 8
#: An image with fewer binned pixels than this on a side is too small to measure a background.
_MIN_SIDE_PX = 8
#: The noise of a perfectly flat sky is taken as this share of the highest peak.
_FLAT_NOISE_SHARE = 1e-3
#: A sky counts as flat if at most these shares of the pixels, and of the mesh's cells, exceed that noise.
_MAX_BRIGHT_PIXELS, _MAX_NOISY_CELLS = 0.5, 0.1
_COLUMNS = [(name, np.float64) for name in ("x", "y", "a", "b", "flux", "peak", "likeness")]
#: The star likeness is measured for at most this many of the brightest sources, by flux and by peak.
_BRIGHTEST = 1000
#: sep's buffer holds the pixels above the threshold, up to this number or a twentieth of the image, and some more.
_MOST_BUFFERED_PX, _SPARE_PX = 300_000, 1_000
#: The size of sep's buffer belongs to the process, not to a call: each thread sets it for its own call.
_sep_buffers = threading.Lock()


@record
class DetectionSettings:
    """How sources are detected.

    Attributes
    ----------
    binning
        The binning factor.
    threshold_sigma
        The threshold in sigmas of the noise.
    min_area_px
        The least area of a source, binned pixels.
    local_noise
        True to compare each pixel with the noise around it, False with that of the whole image.
    """

    binning: int = 2
    threshold_sigma: float = 4.0
    min_area_px: int = 3
    local_noise: bool = False


def detect_sources(image: Image, settings: DetectionSettings) -> NDArray[np.void]:
    """Return the sources above the background.

    Parameters
    ----------
    image
        The image; it is not changed.
    settings
        Binning, threshold and least area.

    Returns
    -------
    ndarray
        A structured array with the columns ``x``, ``y`` (centroid, 0-based), ``a``, ``b`` (semi-axes), ``flux`` and
        ``peak``, all in binned pixels, and ``likeness`` (see :mod:`novacli.extraction.star_likeness`).

    Raises
    ------
    DataError
        Every pixel is masked.
    """
    if image.mask is not None and image.mask.all():
        raise DataError(f"{image.origin.name}: every pixel is blank or not a number: there is nothing to solve")
    if min(image.pixels.shape) < _MIN_SIDE_PX * settings.binning:
        return _no_sources()
    data, mask = _bin_image(image, settings.binning)
    if mask is not None and mask.all():
        return _no_sources()
    mesh_px = int(np.clip(min(data.shape) // _MESH_CELLS, _MESH_MIN_PX, _MESH_MAX_PX))
    noise = _subtract_background(data, mask, mesh_px, local=settings.local_noise)
    if not noise.any():
        return _no_sources()
    return _measured(_detect_above(settings, noise, data, mask), data)


def bin_pixels(pixels: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Return the sums over blocks of ``factor`` × ``factor`` pixels, as a new array.

    Rows and columns beyond the last whole block are dropped.
    """
    height, width = (n - n % factor for n in pixels.shape)
    whole = pixels[:height, :width]
    if factor == 1:
        return whole.copy()
    total = np.empty((height // factor, width // factor), np.float32)
    rows = max(1, _CACHED_PX // max(1, factor * width))  # the rows of a band are still in the processor's cache
    for first in range(0, len(total), rows):
        band, sums = whole[first * factor : (first + rows) * factor], total[first : first + rows]
        lines = functools.reduce(np.add, (band[dy::factor] for dy in range(factor)))
        np.copyto(sums, lines[:, ::factor])
        for dx in range(1, factor):
            sums += lines[:, dx::factor]
    return total


def _bin_image(image: Image, factor: int) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Return the binned image and its mask.

    A binned pixel is masked if half or more of its pixels are.  Any other is scaled up to the sum that it would have
    if all its pixels were good; masked pixels of an image are 0.
    """
    data = bin_pixels(image.pixels, factor)
    if image.mask is None or factor == 1:
        return data, image.mask
    bad = np.zeros(data.shape, dtype=np.uint16)
    height, width = (n * factor for n in data.shape)
    for dy in range(factor):
        for dx in range(factor):
            bad += image.mask[dy:height:factor, dx:width:factor]
    mask = 2 * bad >= factor * factor
    partly = (bad > 0) & ~mask
    data[partly] *= factor * factor / (factor * factor - bad[partly].astype(np.float32))
    data[mask] = 0
    return data, mask


def _no_sources() -> NDArray[np.void]:
    return np.zeros(0, dtype=_COLUMNS)


def _subtract_background(
    data: NDArray[np.float32], mask: NDArray[np.bool_] | None, mesh_px: int, *, local: bool
) -> NDArray[np.float32]:
    """Subtract the background from ``data`` in place; return its noise, one sigma, as an array of shape () or data's.

    Local noise is at least a share of that of the whole image, since a cell without any noise has no stars either.
    """
    import sep

    background = sep.Background(data, mask=mask, bw=mesh_px, bh=mesh_px)
    background.subfrom(data)
    noise = _noise(background, mesh_px, data)
    if noise == background.globalrms:
        # A cell's noise includes the slope of its sky, as beside the Moon, unless the sky was subtracted before.
        rows = slice(None) if local else _sampled_rows(data, mesh_px)
        background = sep.Background(data[rows], mask=None if mask is None else mask[rows], bw=mesh_px, bh=mesh_px)
        noise = min(noise, background.globalrms)
    if not local or noise <= 0:
        return np.asarray(noise, dtype=np.float32)
    return np.asarray(np.maximum(background.rms(), _LEAST_LOCAL_NOISE * noise), dtype=np.float32)


def _sampled_rows(data: NDArray[np.float32], mesh_px: int) -> slice | NDArray[np.intp]:
    """Return rows of whole cells of the mesh all over a large image, which show its noise as well as all rows do."""
    step = 2 * data.size // _SAMPLE_PX
    if step < 2:
        return slice(None)
    return np.flatnonzero(np.arange(data.shape[0]) // mesh_px % step == 0)


def _noise(background: sep.Background, mesh_px: int, data: NDArray[np.float32]) -> float:
    """Return the noise, one sigma, of an image whose background was subtracted.

    sep takes the median over the cells of its mesh that have any noise, and 1 if no cell has.  If the sky is perfectly
    flat (a planetarium's window, stars cut out by software), that value comes from a few cells full of drawing, or from
    nothing; then a share of the highest peak is taken instead.
    """
    noise, flat_noise = float(background.globalrms), _FLAT_NOISE_SHARE * float(data.max())
    if not 0 < flat_noise < noise or np.mean(np.abs(data[::4, ::4]) > flat_noise) > _MAX_BRIGHT_PIXELS:
        return noise
    # One pixel for each cell, its middle; an image smaller than a cell has a middle, too.
    first_row, first_column = (min(mesh_px, side) // 2 for side in data.shape)
    cells = background.rms()[first_row::mesh_px, first_column::mesh_px]
    return flat_noise if np.mean(cells > flat_noise) < _MAX_NOISY_CELLS else noise


def _detect_above(
    settings: DetectionSettings, noise: NDArray[np.float32], data: NDArray[np.float32], mask: NDArray[np.bool_] | None
) -> NDArray[np.void]:
    """Return the sources above the threshold, which is doubled as long as there are too many of them."""
    import sep

    sigma = max(settings.threshold_sigma, _threshold_for(_MAX_MAXIMA, data, noise))
    most = max(_MOST_BUFFERED_PX, data.size // 20)
    for _ in range(_MAX_THRESHOLDS):
        try:
            with _sep_buffers:
                # sep fills the whole buffer with numbers before it begins.
                sep.set_extract_pixstack(min(most, _count_above(sigma, data, noise) + _SPARE_PX))
                found: NDArray[np.void] = sep.extract(
                    data,
                    sigma if noise.ndim else sigma * float(noise),
                    err=noise if noise.ndim else None,
                    mask=mask,
                    minarea=settings.min_area_px,
                    filter_kernel=None,
                    deblend_cont=0.005,
                )
        except Exception as exc:  # sep raises bare Exception if its buffers overflow
            if "overflow" not in str(exc) and "full" not in str(exc):
                raise
        else:
            return found
        sigma *= 2
    return _no_sources()


def _count_above(sigma: float, data: NDArray[np.float32], noise: NDArray[np.float32]) -> int:
    """Return how many pixels exceed the threshold."""
    bands = [slice(row, row + _BAND_ROWS) for row in range(0, data.shape[0], _BAND_ROWS)]
    return sum(int(np.count_nonzero(data[rows] > sigma * (noise[rows] if noise.ndim else noise))) for rows in bands)


def _measured(found: NDArray[np.void], data: NDArray[np.float32]) -> NDArray[np.void]:
    """Return the columns that the orders of stars need, and the star likeness of the brightest by flux or by peak.

    The likeness of the others is 0.
    """
    table = np.zeros(len(found), dtype=_COLUMNS)
    for name in ("x", "y", "a", "b", "flux", "peak"):
        table[name] = found[name]
    is_bright = np.zeros(len(found), np.bool_)
    for name in ("flux", "peak"):
        is_bright[np.argsort(-table[name], kind="stable")[:_BRIGHTEST]] = True
    rows = np.flatnonzero(is_bright)
    table["likeness"][rows] = star_likeness(data, table["x"][rows], table["y"][rows])
    return table


def _threshold_for(count: int, data: NDArray[np.float32], noise: NDArray[np.float32]) -> float:
    """Return the threshold, in sigmas, that about ``count`` local maxima of the image exceed.

    Bands of rows all over a large image are looked at instead of all of it.
    """
    first_rows = range(0, data.shape[0], _BAND_ROWS * -(-data.size // _SAMPLE_PX))
    bands = [slice(row, row + _BAND_ROWS) for row in first_rows]
    heights = np.concatenate([_maxima(data[band], noise[band] if noise.ndim else noise) for band in bands])
    rows = sum(len(data[band]) for band in bands)
    rank = max(1, count * rows // data.shape[0])
    return float(np.partition(heights, -rank)[-rank]) if rank < len(heights) else 0.0


def _maxima(data: NDArray[np.float32], noise: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the heights, in sigmas, of the pixels that exceed their four neighbours."""
    inner = data[1:-1, 1:-1]
    is_maximum = (inner >= data[:-2, 1:-1]) & (inner >= data[2:, 1:-1])
    is_maximum &= (inner > data[1:-1, :-2]) & (inner > data[1:-1, 2:])
    return np.asarray(inner[is_maximum] / (noise[1:-1, 1:-1][is_maximum] if noise.ndim else noise))
