"""Columns of numbers → ``StarList``: finds the columns of position and brightness, and the size of the image.

Shared by the readers of FITS tables, text and JSON.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from novacli.errors import DataError, UsageError
from novacli.records.field import HeaderValue, StarList
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from novacli.inputs.source import ReadOptions, Source

#: A solution needs a quad: four stars.
MIN_STARS = 4
#: Names of the columns, best first, as ``_bare`` returns them.  Sources: upstream's xylists (X, Y, XIMAGE), SExtractor
#: (X_IMAGE, XWIN_IMAGE, XPSF_IMAGE, FLUX_AUTO, MAG_AUTO), photutils (xcentroid, x_centroid, x_fit, segment_flux), IRAF
#: (XCENTER), AstroImageJ (X(FITS)_T1, Source-Sky_T1).
_X_NAMES = (
    *("x", "ximage", "xwinimage", "xpsfimage", "xcentroid", "xcenter", "xpos", "xpix", "xpixel", "xfits", "xfit"),
    *("xcen", "xcoord", "xmean", "xpx", "xij"),
)
_FLUX_NAMES = (
    *("flux", "fluxauto", "fluxiso", "fluxaper", "fluxbest", "segmentflux", "kronflux", "fluxpsf", "fluxfit"),
    *("counts", "sourcesky"),
)
_MAG_NAMES = ("mag", "magauto", "magiso", "magaper", "magbest", "magpsf", "magnitude")
#: Any other name of a magnitude, but not that of its error (magerr, e_mag).
_OTHER_MAG = re.compile(r"(?!.*err|[ed]mag)(mag.*|.*mag)")
#: The aperture in a column's name of AstroImageJ.
_APERTURE = re.compile(r"_[tc]\d+$")
_FROM_ZERO = ("xcentroid",)
_SIZE_NAMES = (("imagew", "imageh"), ("width", "height"), ("imnaxis1", "imnaxis2"), ("naxis1", "naxis2"))
#: NAXIS1 and NAXIS2 of a FITS table are its bytes and rows, not the image's size.
_TABLE_AXES = "XTENSION"


@record
class StarColumns:
    """Names of the columns, as the file spells them; at most one of flux and magnitude."""

    x: str
    y: str
    flux: str | None = None
    mag: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns to read."""
        return tuple(name for name in (self.x, self.y, self.flux, self.mag) if name is not None)

    @property
    def note(self) -> tuple[str, ...]:
        """A warning if such columns usually count pixels from 0."""
        if _bare(self.x) not in _FROM_ZERO:
            return ()
        return (f"took {self.x}, {self.y} as FITS pixel coordinates (photutils counts from 0, FITS from 1)",)


@record
class FoundStars:
    """The content of a file: ``values`` by column name (float64, all of one length), header, and size if it has one."""

    columns: StarColumns
    values: Mapping[str, NDArray[np.float64]]
    header: Mapping[str, HeaderValue]
    declared_size: tuple[int, int] | None
    notes: tuple[str, ...] = ()


def _bare(name: str) -> str:
    """Return a column's name in lower case, letters and digits only: ``xfits`` for ``X(FITS)_T1``."""
    return re.sub(r"[^a-z0-9]", "", _APERTURE.sub("", name.strip().lower()))


def pick_columns(names: Sequence[str]) -> StarColumns | None:
    """Return the columns of position and brightness among ``names``, whatever their case; None without x and y."""
    by_bare = {_bare(name): name for name in reversed(names)}
    for x in _X_NAMES:
        y = "y" + x[1:]
        if x in by_bare and y in by_bare:
            flux = next((by_bare[f] for f in _FLUX_NAMES if f in by_bare), None)
            mags = [*(m for m in _MAG_NAMES if m in by_bare), *filter(_OTHER_MAG.fullmatch, map(_bare, names))]
            mag = next((by_bare[m] for m in mags), None)
            return StarColumns(by_bare[x], by_bare[y], flux, mag if flux is None else None)
    return None


def declared_size(header: Mapping[str, HeaderValue]) -> tuple[int, int] | None:
    """Return (width, height) in pixels of the image that the stars are from; None if the header lacks it."""
    by_name = {key.lower(): value for key, value in header.items()}
    for width_key, height_key in _SIZE_NAMES:
        if width_key == "naxis1" and _TABLE_AXES in header:
            continue
        width, height = (_pixels(by_name.get(key)) for key in (width_key, height_key))
        if width and height:
            return width, height
    return None


def _pixels(value: HeaderValue | None) -> int | None:
    """Return a number of pixels, at least 1, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if 1 <= value <= 1e7 else None


def build(found: FoundStars, source: Source, options: ReadOptions, hdu: int | None = None) -> StarList:
    """Return the ``StarList``, without rows that lack a finite number; magnitudes become fluxes, best first.

    Raises
    ------
    DataError
        Too few stars are left, or too many were given.
    """
    columns = found.columns
    count = len(found.values[columns.x])
    options.limits.check_stars(source.shown, count)
    finite = np.all([np.isfinite(found.values[name]) for name in columns.names], axis=0)
    kept = {name: found.values[name][finite] for name in columns.names}
    dropped = count - len(kept[columns.x])
    if count - dropped < MIN_STARS:
        raise DataError(
            f"{source.shown} lists {count - dropped} stars with finite x and y: a solution needs at least {MIN_STARS}"
        )
    order, flux = _brightness(kept, columns)
    x, y = kept[columns.x][order], kept[columns.y][order]
    width, height, guessed, size_notes = _size(x, y, found.declared_size, options.size, source)
    drop_note = (f"dropped {dropped} of {count} rows without finite numbers",) if dropped else ()
    return StarList(
        x=x,
        y=y,
        flux=flux,
        width=width,
        height=height,
        header=found.header,
        origin=source.origin(options.word, hdu=hdu),
        size_is_guessed=guessed,
        notes=(*found.notes, *columns.note, *drop_note, *size_notes),
    )


def _brightness(
    values: Mapping[str, NDArray[np.float64]], columns: StarColumns
) -> tuple[NDArray[np.intp], NDArray[np.float64] | None]:
    """Return the order of the rows and their flux: magnitudes become fluxes relative to the brightest, best first."""
    rows = np.arange(len(values[columns.x]))
    if columns.flux is not None:
        return rows, values[columns.flux]
    if columns.mag is None:
        return rows, None
    mag = values[columns.mag]
    order = np.argsort(mag, kind="stable")
    with np.errstate(under="ignore"):
        flux = 10 ** (-0.4 * (mag[order] - mag.min()))
    return order, flux


def _size(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    declared: tuple[int, int] | None,
    given: tuple[int, int] | None,
    source: Source,
) -> tuple[int, int, bool, tuple[str, ...]]:
    """Return width, height, True if they are guessed, and notes; the user's size replaces that of the file."""
    if given is not None:
        if min(given) < 1:
            raise UsageError(f"{source.shown}: a size of {given[0]} x {given[1]} pixels is not above zero")
        notes = _outside(x, y, given)
        if declared is not None and declared != given:
            notes = (f"took the size given, not the {declared[0]} x {declared[1]} pixels in the file", *notes)
        return *given, False, notes
    if declared is not None:
        return *declared, False, _outside(x, y, declared)
    width, height = (max(1, math.ceil(float(axis.max()))) for axis in (x, y))
    if max(width, height) > 1e7:
        raise DataError(f"{source.shown} has stars at x, y up to {max(width, height):.3g} pixels: check its columns")
    remedy = "give --size WxH (size=(W, H) in Python) if you know it"
    note = f"guessed the image size {width} x {height} from the stars: {remedy}"
    return width, height, True, (note, *_outside(x, y, (width, height)))


def _outside(x: NDArray[np.float64], y: NDArray[np.float64], size: tuple[int, int]) -> tuple[str, ...]:
    """Return a note if stars lie outside the image, whose edge is half a pixel beyond the outermost pixel centres."""
    inside = (x >= 0.5) & (x <= size[0] + 0.5) & (y >= 0.5) & (y <= size[1] + 0.5)
    outside = len(x) - int(inside.sum())
    return (f"{outside} stars lie outside {size[0]} x {size[1]} pixels",) if outside else ()
