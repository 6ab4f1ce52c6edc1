"""Pixels to stars: background, threshold, order.  The only place that adds 1 to reach FITS pixel coordinates.

Uses ``sep`` (Source Extractor as a library; Barbary 2016, JOSS 1, 58; Bertin & Arnouts 1996, A&AS 117, 393).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from novacli.errors import DataError
from novacli.extraction import centroids
from novacli.records.field import Field, Image, StarList
from solvehost.formats.star_table import MAX_STARS, Stars

if TYPE_CHECKING:
    import sep
    from numpy.typing import NDArray

#: Fewer stars than this on a binned image, and the unbinned one is worth a look.
ENOUGH_STARS = 25
#: Stars handed to the engine where nobody says otherwise: it verifies with them, and seldom reaches deeper.
DEFAULT_MAX_STARS = 200
#: Central stars lie within this fraction of the longer side's half from the centre.
_CENTRAL_SHARE = 0.5
#: A cell of the background mesh is this fraction of the image's smaller side, within the limits.
_MESH_CELLS, _MESH_MIN_PX, _MESH_MAX_PX = 24, 16, 64
_MAX_OBJECTS = 50_000
#: An image of fewer binned pixels than this on a side has no background to speak of.
_LEAST_SIDE_PX = 8
#: What stands for the noise of a perfectly flat sky, as a share of the highest peak.  A sky is flat where less than so
#: much of the picture, and fewer of the mesh's cells, differ by more.
_FLAT_NOISE, _MOST_DRAWN, _FEW_CELLS = 1e-3, 0.5, 0.1
#: A value beyond this stands for a pixel without one (-3.4e38 is common); sums over it leave float32, and sep crashes.
_ABSURD = 1e30


class Order(enum.Enum):
    """What "brightest first" means: by flux, by peak, by the mean of both ranks, or by flux among central stars alone.

    In the middle of a very wide or distorted picture, quads keep the shapes that they have on the sky.
    """

    FLUX = "flux"
    PEAK = "peak"
    MIXED = "mixed"
    CENTRAL = "central"


#: (sources, size of the picture in their pixels) → row numbers, best star first.
Ranking = Callable[["NDArray[np.void]", tuple[float, float]], "NDArray[np.intp]"]


@dataclass(frozen=True, slots=True)
class Extraction:
    """How stars are looked for: binning factor, threshold in background sigma, least area in binned pixels."""

    binning: int = 2
    threshold_sigma: float = 4.0
    min_area_px: int = 3


class Sources:
    """The stars of one field, extracted when first asked for and kept for the next attempt that wants the same."""

    def __init__(self, field: Field, max_stars: int | None = None) -> None:
        self.field = field
        self._max_stars = min(max_stars or DEFAULT_MAX_STARS, MAX_STARS)  # each takes memory while it is measured
        self._found: dict[Extraction, NDArray[np.void]] = {}

    def count(self, extraction: Extraction) -> int:
        """Return how many stars an extraction finds."""
        return len(self.field.x) if isinstance(self.field, StarList) else len(self._table(extraction))

    @property
    def most_found(self) -> int:
        """The most stars that any extraction so far has found."""
        if isinstance(self.field, StarList):
            return len(self.field.x)
        return max(map(len, self._found.values()), default=0)

    def order(self, wanted: Order) -> Order:
        """Return the order that a member gets which wants another: a star list has but one brightness."""
        return wanted if isinstance(self.field, Image) or wanted is Order.CENTRAL else Order.FLUX

    def stars(self, extraction: Extraction, order: Order) -> Stars:
        """Return the best stars, in order, as float32 FITS pixel coordinates of the unbinned image."""
        if isinstance(self.field, StarList):
            return _listed(self.field, self._max_stars, self.order(order))
        return self.chosen(extraction, lambda table, size_px: ranked(table, order, size_px))

    def chosen(self, extraction: Extraction, ranking: Ranking) -> Stars:
        """Return the stars of a picture that a ranking puts first, as :meth:`stars` does."""
        if isinstance(self.field, StarList):
            raise TypeError("a star list has no pixels to extract from")
        table = self._table(extraction)
        size_px = (self.field.width / extraction.binning, self.field.height / extraction.binning)
        best = ranking(table, size_px)[: self._max_stars]
        x, y = (_unbinned(table[name][best], extraction.binning) for name in "xy")
        x, y = centroids.measure(self.field, x, y, _window_px(table, extraction), _may_move_px(extraction))
        return _to_stars(x + 1, y + 1, table["flux"][best])

    def _table(self, extraction: Extraction) -> NDArray[np.void]:
        if isinstance(self.field, StarList):
            raise TypeError("a star list has no pixels to extract from")
        if extraction not in self._found:
            self._found[extraction] = extract(self.field, extraction)
        return self._found[extraction]


def _unbinned(position: NDArray[np.float64], binning: int) -> NDArray[np.float64]:
    """Map a coordinate of a binned image to that of the whole one, both 0-based."""
    return (position + 0.5) * binning - 0.5


def _may_move_px(extraction: Extraction) -> float:
    """Return how far a star's place can be from where binned pixels put it; what would move further is a blend."""
    return max(1.0, extraction.binning / 2)


def _window_px(table: NDArray[np.void], extraction: Extraction) -> float:
    brightest = np.argsort(-table["flux"], kind="stable")
    return centroids.window_sigma_px(table["a"][brightest], table["b"][brightest], extraction.binning)


def _to_stars(x: NDArray[np.float64], y: NDArray[np.float64], flux: NDArray[np.float64]) -> Stars:
    return Stars.from_bytes(*(np.ascontiguousarray(c, dtype=np.float32).tobytes() for c in (x, y, flux)))


def ranked(table: NDArray[np.void], order: Order, size_px: tuple[float, float]) -> NDArray[np.intp]:
    """Return the row numbers of the sources, best first; ``size_px`` is the picture's, in the pixels of the table."""
    by_flux = np.argsort(-table["flux"], kind="stable")
    if order is Order.FLUX:
        return by_flux
    if order is Order.CENTRAL:
        return by_flux[_is_central(table["x"], table["y"], size_px)[by_flux]]
    by_peak = np.argsort(-table["peak"], kind="stable")
    if order is Order.PEAK:
        return by_peak
    return np.argsort(np.argsort(by_flux) + np.argsort(by_peak), kind="stable")


def _is_central(x: NDArray[np.float64], y: NDArray[np.float64], size_px: tuple[float, float]) -> NDArray[np.bool_]:
    far_px = np.hypot(x - size_px[0] / 2, y - size_px[1] / 2)
    return np.asarray(far_px < _CENTRAL_SHARE * max(size_px) / 2, dtype=np.bool_)


def _listed(field: StarList, max_stars: int, order: Order) -> Stars:
    """Return the stars of a list that came ready-made; without fluxes it is in order already."""
    flux = np.arange(len(field.x), 0, -1, dtype=np.float64) if field.flux is None else field.flux
    best = np.argsort(-flux, kind="stable")
    if order is Order.CENTRAL:
        best = best[_is_central(field.x, field.y, (field.width, field.height))[best]]
    best = best[:max_stars]
    return _to_stars(field.x[best], field.y[best], flux[best])


def binned(pixels: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Return the sum over ``factor`` × ``factor`` blocks, as a new array; left-over rows and columns are dropped."""
    height, width = (n - n % factor for n in pixels.shape)
    whole = pixels[:height, :width]
    if factor == 1:
        return whole.copy()
    total = whole[::factor, ::factor].copy()
    for dy in range(factor):
        for dx in range(factor):
            if dy or dx:
                total += whole[dy::factor, dx::factor]
    return total


def _binned_and_masked(image: Image, factor: int) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Return the binned image, and which of its pixels are masked: those of which half or more is.

    The others stand for what their good pixels would sum to if all were good; masked pixels of an image are 0.
    """
    data = binned(image.pixels, factor)
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


def _without_absurd(image: Image) -> Image:
    """Return the image with pixels of absurd values masked."""
    if max(-float(image.pixels.min()), float(image.pixels.max())) <= _ABSURD:
        return image
    absurd = np.abs(image.pixels) > _ABSURD
    mask = absurd if image.mask is None else absurd | image.mask
    return replace(image, pixels=np.where(absurd, np.float32(0), image.pixels), mask=mask)


def extract(image: Image, extraction: Extraction) -> NDArray[np.void]:
    """Return the sources above the background: ``x``, ``y`` (0-based), ``a``, ``b`` (axes), ``flux``, ``peak``.

    All of them are in binned pixels.

    Raises
    ------
    DataError
        Where no pixel can be used.
    """
    image = _without_absurd(image)
    if image.mask is not None and image.mask.all():
        raise DataError(f"{image.origin.name}: every pixel is blank or not a number: there is nothing to solve")
    if min(image.pixels.shape) < _LEAST_SIDE_PX * extraction.binning:
        return _nothing()
    data, mask = _binned_and_masked(image, extraction.binning)
    if mask is not None and mask.all():
        return _nothing()
    return _above_background(data, mask, extraction)


def _nothing() -> NDArray[np.void]:
    return np.zeros(0, dtype=[(name, np.float64) for name in ("x", "y", "a", "b", "flux", "peak")])


def _noise(background: sep.Background, mesh: int, data: NDArray[np.float32]) -> float:
    """Return the noise of a picture, whose background is taken off already.

    sep's is the median over those cells of its mesh that have any, and 1 where none has.  Where the sky is perfectly
    flat (a planetarium's window, stars cut out by software), that comes from a few cells full of drawing, or from
    nothing: then a share of the highest peak stands for it.
    """
    noise, flat_noise = float(background.globalrms), _FLAT_NOISE * float(data.max())
    if not 0 < flat_noise < noise or np.mean(np.abs(data[::4, ::4]) > flat_noise) > _MOST_DRAWN:
        return noise
    # A picture smaller than a cell has its middle, too.
    first_row, first_column = (min(mesh, side) // 2 for side in data.shape)
    cells = background.rms()[first_row::mesh, first_column::mesh]
    return flat_noise if np.mean(cells > flat_noise) < _FEW_CELLS else noise


def _above_background(
    data: NDArray[np.float32], mask: NDArray[np.bool_] | None, extraction: Extraction
) -> NDArray[np.void]:
    import sep

    mesh = int(np.clip(min(data.shape) // _MESH_CELLS, _MESH_MIN_PX, _MESH_MAX_PX))
    background = sep.Background(data, mask=mask, bw=mesh, bh=mesh)
    background.subfrom(data)
    noise = _noise(background, mesh, data)
    if not noise > 0:
        return _nothing()
    sigma = extraction.threshold_sigma
    sep.set_extract_pixstack(max(300_000, data.size // 20))
    for _ in range(8):
        try:
            found: NDArray[np.void] = sep.extract(
                data,
                sigma * noise,
                mask=mask,
                minarea=extraction.min_area_px,
                filter_kernel=None,
                deblend_cont=0.005,
            )
        except Exception as exc:  # sep raises bare Exception where its buffers overflow
            if "overflow" not in str(exc) and "full" not in str(exc):
                raise
        else:
            if len(found) <= _MAX_OBJECTS:
                return found
        sigma *= 2
    return _nothing()
