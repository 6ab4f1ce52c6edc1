"""The parts of a solution that need numpy or astropy: star tables, residuals, astropy's WCS.

``solution.py`` calls in here when they are asked for, so that showing a finished job stays light.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from novacli.errors import DataError
from novacli.fits.tables import read_table
from novacli.wcs import header as wcsheader
from novacli.wcs.sphere import separation_arcsec
from novacli.wcs.tansip import TanSip

if TYPE_CHECKING:
    from astropy.table import QTable
    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from novacli.solution.files import ResultFiles

_PLACE = [("RA", "f8"), ("DEC", "f8")]
_PAIR = ("field_x", "field_y", "index_ra", "index_dec")


def astropy_wcs(tan_sip: TanSip) -> WCS:
    """Return a solution as astropy's WCS, with the image's size."""
    from astropy.io import fits
    from astropy.wcs import WCS

    header = fits.Header.fromstring(b"".join(wcsheader.cards(tan_sip)))
    # Without these astropy warns that the header describes more axes than it has.
    header.insert(0, ("NAXIS", 2))
    header.insert(1, ("NAXIS1", tan_sip.width))
    header.insert(2, ("NAXIS2", tan_sip.height))
    return WCS(header)


def sources(files: ResultFiles) -> NDArray[np.void]:
    """Return the star list of an axy as a structured array; an empty one if there is no axy.

    Raises
    ------
    DataError
        If it is damaged.
    """
    if files.axy is None:
        return np.empty(0, [("X", "f4"), ("Y", "f4"), ("FLUX", "f4")])
    return read_table(files.axy)


def separations_arcsec(corr: bytes, tan_sip: TanSip, max_rows: int | None = None) -> list[float]:
    """Return the separation of each matched star from its reference star, mapped with the distortion.

    Parameters
    ----------
    corr
        The content of ``corr.fits``.
    tan_sip
        The solution.
    max_rows
        Maximum number of matches; None for any number.

    Raises
    ------
    DataError
        If the table of matches is damaged; the message does not name the file.
    """
    x, y, ra, dec = (column.tolist() for column in pairs(read_table(corr, max_rows)))
    return [separation_arcsec(tan_sip.pixel_to_sky(*star[:2]), star[2:]) for star in zip(x, y, ra, dec, strict=True)]


def pairs(table: NDArray[np.void]) -> list[NDArray[np.float64]]:
    """Return field_x, field_y (FITS pixels), index_ra and index_dec (degrees) of the matches."""
    names = table.dtype.names or ()
    missing = [name for name in _PAIR if name not in names or table.dtype[name].kind != "f" or table[name].ndim != 1]
    if missing:
        raise DataError(f"its table has no column {missing[0]}")
    columns = [table[name].astype(np.float64) for name in _PAIR]
    if not all(np.isfinite(column).all() and (np.abs(column) < 1e9).all() for column in columns):
        raise DataError("its table holds numbers that are not finite")
    return columns


def stars(files: ResultFiles, tan_sip: TanSip) -> NDArray[np.void]:
    """Return the reference stars of the field, one row each.

    Returns
    -------
    ndarray
        Structured: ``ra``, ``dec`` (degrees); ``x``, ``y``, the place by the WCS (FITS pixels, NaN if there is none);
        ``field_x``, ``field_y``, the image's star that is matched with it, and ``separation_arcsec`` between both (NaN
        if there is none); then the catalogue's columns as the index file has them, such as ``MAG_VT``.

    Raises
    ------
    DataError
        If a table is damaged.
    """
    reference = _reference(files)
    own = ("ra", "dec", "x", "y", "field_x", "field_y", "separation_arcsec")
    extra = [(n, reference.dtype[n]) for n in reference.dtype.names or () if n.lower() not in own]
    table = np.full(len(reference), np.nan, [(name, "f8") for name in own])
    table["ra"], table["dec"] = reference["RA"], reference["DEC"]
    matched = _matched_by_place(files, tan_sip)
    for row in table:
        place = (float(row["ra"]), float(row["dec"]))
        row["x"], row["y"] = tan_sip.sky_to_pixel(*place) or (math.nan, math.nan)
        row["field_x"], row["field_y"], row["separation_arcsec"] = matched.get(place, (math.nan,) * 3)
    return _with_columns(table, reference, extra)


#: Units of the columns of the tables that users get.
_UNITS = {
    "x": "pix", "y": "pix", "field_x": "pix", "field_y": "pix", "ra": "deg", "dec": "deg", "separation": "arcsec",
}  # fmt: skip


def with_units(table: NDArray[np.void]) -> QTable:
    """Return a structured array as astropy's table: names in lower case, places and angles as quantities."""
    from astropy.table import QTable
    from astropy.units import Quantity

    plain = {name: name.lower().removesuffix("_arcsec") for name in table.dtype.names or ()}
    return QTable(
        {new: Quantity(table[old], _UNITS[new]) if new in _UNITS else table[old] for old, new in plain.items()}
    )


def _reference(files: ResultFiles) -> NDArray[np.void]:
    """Return the table of reference stars with RA and DEC; of the matched ones alone if there is no other."""
    if files.rdls is not None:
        table = read_table(files.rdls)
    elif files.corr is not None:
        _, _, ra, dec = pairs(read_table(files.corr))
        table = np.empty(len(ra), _PLACE)
        table["RA"], table["DEC"] = ra, dec
    else:
        table = np.empty(0, _PLACE)
    for name in ("RA", "DEC"):
        if name not in (table.dtype.names or ()) or table.dtype[name].kind != "f" or table[name].ndim != 1:
            raise DataError(f"the table of reference stars has no column {name}: solve the image again")
    return table


def _matched_by_place(files: ResultFiles, tan_sip: TanSip) -> dict[tuple[float, float], tuple[float, float, float]]:
    """Return (ra, dec) → (field x, field y, separation); the engine writes the same place of a star in both tables."""
    if files.corr is None:
        return {}
    x, y, ra, dec = (column.tolist() for column in pairs(read_table(files.corr)))
    apart = separations_arcsec(files.corr, tan_sip)
    return dict(zip(zip(ra, dec, strict=True), zip(x, y, apart, strict=True), strict=True))


def _with_columns(
    table: NDArray[np.void], reference: NDArray[np.void], extra: list[tuple[str, np.dtype[np.void]]]
) -> NDArray[np.void]:
    joined = np.empty(len(table), [*table.dtype.descr, *extra])
    for name in table.dtype.names or ():
        joined[name] = table[name]
    for name, _ in extra:
        joined[name] = reference[name]
    return joined
