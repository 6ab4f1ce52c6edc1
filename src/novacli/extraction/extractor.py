"""The star lists of one field.  The only place that adds 1 to reach FITS pixel coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from novacli.extraction import centroids
from novacli.extraction.detect import DetectionSettings, detect_sources
from novacli.extraction.order import Ranking, StarOrder, rank_list, rank_sources
from novacli.extraction.polarity import with_bright_stars
from novacli.records.field import Field, Image, StarList
from solvehost.formats.star_table import MAX_STARS, Stars

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: If a binned image shows fewer stars than this, the unbinned one may show more.
ENOUGH_STARS = 25
#: Default number of stars for the engine: it verifies with them, and its searches seldom reach deeper.
DEFAULT_MAX_STARS = 200


class StarExtractor:
    """Makes star lists of one field; sources are detected when first needed, and kept for the next list.

    Parameters
    ----------
    field
        An image, or a list of stars, which only needs to be ordered.
    max_stars
        Largest number of stars in a list; None for ``DEFAULT_MAX_STARS``.
    invert
        True if the image is a negative, False if it is not, None to find out.

    Attributes
    ----------
    field
        The field; a negative is inverted, and its notes say so.
    """

    def __init__(self, field: Field, max_stars: int | None = None, invert: bool | None = None) -> None:
        self.field = with_bright_stars(field, invert)
        self._max_stars = min(max_stars or DEFAULT_MAX_STARS, MAX_STARS)  # each takes memory while it is measured
        self._tables: dict[DetectionSettings, NDArray[np.void]] = {}

    def count(self, settings: DetectionSettings) -> int:
        """Return how many sources are detected with some settings."""
        return len(self.field.x) if isinstance(self.field, StarList) else len(self._table(settings))

    @property
    def most_found(self) -> int:
        """The largest number of sources that was detected so far."""
        if isinstance(self.field, StarList):
            return len(self.field.x)
        return max(map(len, self._tables.values()), default=0)

    def effective_order(self, order: StarOrder) -> StarOrder:
        """Return the order in which stars really come: a star list has one brightness, which replaces the peak."""
        return order if isinstance(self.field, Image) or order is StarOrder.CENTRAL else StarOrder.FLUX

    def stars(self, settings: DetectionSettings, order: StarOrder) -> Stars:
        """Return the best stars, in order, as float32 FITS pixel coordinates of the unbinned image."""
        if isinstance(self.field, StarList):
            rows, flux = rank_list(self.field, order)
            rows = rows[: self._max_stars]
            return _as_stars(self.field.x[rows], self.field.y[rows], flux[rows])
        return self.stars_by(settings, lambda table, size_px: rank_sources(table, order, size_px))

    def stars_by(self, settings: DetectionSettings, ranking: Ranking) -> Stars:
        """Return the best stars of an image by any ranking, as :meth:`stars` does."""
        if isinstance(self.field, StarList):
            raise TypeError("a star list has no pixels to detect sources in")
        table = self._table(settings)
        size_px = (self.field.width / settings.binning, self.field.height / settings.binning)
        rows = ranking(table, size_px)[: self._max_stars]
        x, y = (_unbin(table[name][rows], settings.binning) for name in "xy")
        x, y = centroids.measure(self.field, x, y, _window_px(table, settings), _max_shift_px(settings))
        return _as_stars(x + 1, y + 1, table["flux"][rows])

    def _table(self, settings: DetectionSettings) -> NDArray[np.void]:
        if isinstance(self.field, StarList):
            raise TypeError("a star list has no pixels to detect sources in")
        if settings not in self._tables:
            self._tables[settings] = detect_sources(self.field, settings)
        return self._tables[settings]


def _unbin(position: NDArray[np.float64], binning: int) -> NDArray[np.float64]:
    """Return coordinates in the whole image for those in the binned one, both 0-based."""
    return (position + 0.5) * binning - 0.5


def _max_shift_px(settings: DetectionSettings) -> float:
    """Return how far a star can be from its position in binned pixels; one that moves further is a blend."""
    return max(1.0, settings.binning / 2)


def _window_px(table: NDArray[np.void], settings: DetectionSettings) -> float:
    brightest = np.argsort(-table["flux"], kind="stable")
    return centroids.window_sigma_px(table["a"][brightest], table["b"][brightest], settings.binning)


def _as_stars(x: NDArray[np.float64], y: NDArray[np.float64], flux: NDArray[np.float64]) -> Stars:
    return Stars.from_bytes(*(np.ascontiguousarray(c, dtype=np.float32).tobytes() for c in (x, y, flux)))
