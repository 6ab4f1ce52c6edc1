"""What the input readers return: an image, or a list of stars.

``inputs/`` makes them; ``hints.py`` reads their headers, ``sources.py`` their pixels.  Numpy is needed to fill
one, not to import this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from solvehost.record import record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HeaderValue = str | int | float | bool


@record
class Origin:
    """The origin of a field.

    ``name`` is what the user typed (a path, ``-`` or a URL), ``path`` the local file if there is one that stays,
    ``format`` a short word such as ``FITS``, ``JPEG`` or ``text``, ``hdu`` the 0-based FITS HDU that was read.
    """

    name: str
    path: str | None
    format: str
    hdu: int | None = None


@record
class Image:
    """A monochrome image, ready for source extraction.

    Attributes
    ----------
    pixels
        float32, shape (height, width), C-contiguous, indexed ``[y, x]``.  Row 0 is y = 1 of the WCS: the first
        stored row, whatever the format and whatever EXIF says.
    mask
        bool, same shape, True where a pixel must not be used (NaN, BLANK, beyond 1e30); None if all are good.
    header
        FITS keywords as they stand, EXIF tags as ``EXIF FocalLength`` and so on.
    origin
        Its origin.
    is_fits_like
        True if y points up when the image is displayed (FITS; not XISF); decides what "up" means.
    is_mosaic
        True for a raw Bayer mosaic, which must be binned by an even factor before source extraction.
    notes
        One-line remarks for the user ("combined 3 colour planes").
    """

    pixels: NDArray[np.float32]
    mask: NDArray[np.bool_] | None
    header: Mapping[str, HeaderValue]
    origin: Origin
    is_fits_like: bool
    is_mosaic: bool = False
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Number of columns, in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Number of rows, in pixels."""
        return int(self.pixels.shape[0])


@record
class StarList:
    """A list of stars that was extracted by another program.

    ``x`` and ``y`` are float64 FITS pixel coordinates (the centre of the first pixel is 1, 1), ``flux`` float64 or
    None if the list is already ordered, brightest first.  ``size_is_guessed`` where width and height were taken
    from the stars' extent, which ``notes`` then say.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64] | None
    width: int
    height: int
    header: Mapping[str, HeaderValue]
    origin: Origin
    size_is_guessed: bool = False
    is_fits_like: bool = True
    notes: tuple[str, ...] = ()


Field = Image | StarList
