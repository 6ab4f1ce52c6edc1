"""Tables of programs with a form of their own → an ordinary table, whose first line names the columns.

IRAF (``.coo``, ``.mag``, ``.als``): ``#N`` lines name the columns, and ``\\`` at the end of a line continues a record.
DAOPHOT II (``.coo``, ``.ap``, ``.als``): a header of three lines begins with NL, NX, NY.  AstroImageJ with several
apertures: a row is an image, and each star has columns of its own, such as ``X(FITS)_T1`` and ``X(FITS)_C2``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: (comments, lines of data) of a text.
Table = tuple[list[str], list[str]]

_IRAF_NAMES = "#N"
_DAOPHOT_HEADER = ("NL", "NX", "NY")
#: A record of DAOPHOT's aperture photometry has a second line, with the errors.
_DAOPHOT_TWO_LINES = "2"
_APERTURE = re.compile(r"(.*)_([TC]\d+)")
_AIJ_X = re.compile(r"X\((?:FITS|IJ)\)_([TC]\d+)")


def as_ordinary(comments: Sequence[str], lines: Sequence[str]) -> Table:
    """Return a table with names in its first line, without comments among them; an ordinary table stays as it is.

    Parameters
    ----------
    comments
        The lines that begin with ``#``.
    lines
        The other lines, blank ones left out.
    """
    for convert in (_from_iraf, _from_daophot, _from_astroimagej):
        if (table := convert(comments, lines)) is not None:
            return table
    return list(comments), list(lines)


def _from_iraf(comments: Sequence[str], lines: Sequence[str]) -> Table | None:
    names = [line[len(_IRAF_NAMES) :] for line in comments if line.startswith(_IRAF_NAMES)]
    if not names:
        return None
    records: list[str] = []
    is_continued = False
    for line in lines:
        text = line.rstrip()
        bare = text.rstrip("\\*") if text.endswith("\\") else text
        if is_continued:
            records[-1] += " " + bare
        else:
            records.append(bare)
        is_continued = bare != text
    header = " ".join(name.replace("\\", " ") for name in names)
    return [], [" ".join(header.split()), *records]


def _from_daophot(comments: Sequence[str], lines: Sequence[str]) -> Table | None:
    names, values = (line.split() for line in lines[:2]) if len(lines) > 2 else ([], [])
    if tuple(names[:3]) != _DAOPHOT_HEADER or len(values) < 3:
        return None
    step = 2 if values[0] == _DAOPHOT_TWO_LINES else 1
    size = f"# width: {values[1]}, height: {values[2]}"
    return [*comments, size], ["id x y mag", *lines[2::step]]


def _from_astroimagej(comments: Sequence[str], lines: Sequence[str]) -> Table | None:
    """Return the stars of the first image, one a row; None if there is only one aperture."""
    if len(lines) < 2:
        return None
    names, cells = (re.split(r"[\t,]", line) for line in lines[:2])
    if len({match[1] for name in names if (match := _AIJ_X.fullmatch(name.strip()))}) < 2:
        return None
    stars: dict[str, dict[str, str]] = {}
    for name, cell in zip(names, cells, strict=False):
        if (match := _APERTURE.fullmatch(name.strip())) is not None:
            stars.setdefault(match[2], {})[match[1]] = cell.strip()
    columns = list(dict.fromkeys(key for star in stars.values() for key in star))
    rows = ["\t".join(star.get(key, "") for key in columns) for star in stars.values()]
    return list(comments), ["\t".join(columns), *rows]
