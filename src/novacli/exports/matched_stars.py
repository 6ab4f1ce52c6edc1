"""The table of matched stars for people and their programs: what ``ecsv`` and ``csv`` write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from novacli.exports.registry import SolvedField

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Units and descriptions of the columns, in their order; further columns are the catalogue's.
COLUMNS = {
    "field_x": ("pix", "x of the star in the image, FITS pixels"),
    "field_y": ("pix", "y of the star in the image, FITS pixels"),
    "ra": ("deg", "right ascension of the reference star, ICRS"),
    "dec": ("deg", "declination of the reference star, ICRS"),
    "x": ("pix", "x of the reference star by the solution, FITS pixels"),
    "y": ("pix", "y of the reference star by the solution, FITS pixels"),
    "separation_arcsec": ("arcsec", "distance between the star and its reference star"),
}


def matched_stars(field: SolvedField) -> NDArray[np.void]:
    """Return the stars of the image that are matched with reference stars, a row each; see :data:`COLUMNS`.

    Raises
    ------
    DataError
        If a table of the job is damaged.
    """
    import numpy as np

    from novacli.solution import tables

    stars = tables.stars(field.solution.files, field.solution.tan_sip)
    matched = stars[np.isfinite(stars["field_x"])]
    plain = [n for n in matched.dtype.names or () if matched.dtype[n].kind in "iuf" and matched[n].ndim == 1]
    names = [*COLUMNS, *(n for n in plain if n not in COLUMNS)]
    ordered: NDArray[np.void] = np.empty(len(matched), [(n, matched.dtype[n]) for n in names])
    for name in names:
        ordered[name] = matched[name]
    return ordered


def rows_as_text(table: NDArray[np.void]) -> str:
    """Return a header line with the columns' names and the rows, separated by commas; numbers keep their precision."""
    names = table.dtype.names or ()
    lines = [",".join(names), *(",".join(str(value) for value in row.tolist()) for row in table)]
    return "\n".join(lines) + "\n"
