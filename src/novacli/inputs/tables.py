"""CSV, ECSV and whitespace-separated text → ``StarList``.

One parser for all: ``#`` starts a comment, a first line of words or a comment (as of numpy, SExtractor and Siril) names
the columns, and ``key: number`` in a comment is a header entry.  ``dialects`` first makes an ordinary table of others.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from novacli.errors import DataError
from novacli.inputs import dialects, starlist
from novacli.records.field import HeaderValue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from novacli.inputs.source import ReadOptions, Source
    from novacli.records.field import StarList

#: A text with longer lines than this on average is not a list of stars, and is not read whole.
MAX_BYTES_PER_STAR = 512
_DELIMITERS = (",", ";", "\t", "|")
_MISSING = frozenset({"", "nan", "null", "none", "--", "-", "n/a", "na", "masked", "indef"})
_ENTRY = re.compile(r"([A-Za-z][\w-]*)[\"']?\s*[:=]\s*([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?![\w.])")
#: ``#   2 X_IMAGE   Object position along x   [pixel]``
_SEXTRACTOR = re.compile(r"#\s*(\d+)\s+([A-Za-z]\w*)\b")
#: The first column's name in a list by Siril's findstar.
_SIRIL = "star#"
_BY_POSITION = ("x", "y", "flux")
_NUMBER = "number"
_WHOLE = re.compile(r"\d{1,9}")
#: Number of column names, and characters of each, in the error about a table without stars.
_MAX_NAMES, _MAX_NAME_LENGTH = 8, 20


def read(source: Source, options: ReadOptions) -> StarList:
    """Return the list of stars.

    Raises
    ------
    DataError
        The text has no columns x and y, too few stars, or is too large.
    """
    comments, lines = dialects.as_ordinary(*_split(read_text(source, options)))
    if not lines:
        raise DataError(f"{source.shown} is a text file without a line of data: give an image or a list of stars")
    delimiter = _delimiter(lines[0])
    columns, names, first = _columns(comments, lines, delimiter)
    if columns is None:
        raise DataError(f"{source.shown} is {_description(names, lines[1:2], delimiter)}")
    options.limits.check_stars(source.shown, len(lines) - first)
    header = _entries(comments)
    try:
        values = _values(lines[first:], delimiter, columns, names)
    except csv.Error as exc:
        raise DataError(f"{source.shown} is damaged: its text is not a table ({exc}); export it again") from exc
    notes = (*_unnamed(names), *_from_the_top(comments)) if first == 0 else ()
    found = starlist.FoundStars(columns, values, header, declared_size=starlist.declared_size(header), notes=notes)
    return starlist.build(found, source, options)


def read_text(source: Source, options: ReadOptions) -> str:
    """Return the text of ``source``, UTF-8 or else Latin-1; raise ``DataError`` if it is too large for a star list."""
    if source.size_bytes > options.limits.max_stars * MAX_BYTES_PER_STAR:
        options.limits.check_stars(source.shown, options.limits.max_stars + 1)
    source.file.seek(0)
    raw = source.file.read()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _split(text: str) -> tuple[list[str], list[str]]:
    """Return the comments and the lines of data, without blank lines."""
    lines = [line for line in text.splitlines() if line.strip()]
    comments = [line for line in lines if line.lstrip().startswith("#")]
    return comments, [line for line in lines if not line.lstrip().startswith("#")]


def _delimiter(line: str) -> str | None:
    """Return the delimiter of the first line of data; None for white space."""
    return next((delimiter for delimiter in _DELIMITERS if delimiter in line), None)


def _columns(
    comments: Sequence[str], lines: Sequence[str], delimiter: str | None
) -> tuple[starlist.StarColumns | None, list[str], int]:
    """Return the columns to read, the names of all columns, and the 0-based number of the first line of numbers."""
    cells = next(_cells(lines[:1], delimiter))
    if columns := starlist.pick_columns(cells):
        return columns, cells, 1
    for names in _commented_names(comments, len(cells)):
        if columns := starlist.pick_columns(names):
            return columns, names, 0
    if not all(_is_number(cell) for cell in cells):
        return None, cells, 1
    known = (_NUMBER, *_BY_POSITION) if _is_numbered(lines, delimiter) else _BY_POSITION
    names = [*known, *[""] * len(cells)][: len(cells)]
    return starlist.pick_columns(names), names, 0


def _is_numbered(lines: Sequence[str], delimiter: str | None) -> bool:
    """Return True if the first of three or more columns is a running number, which begins with 0 or 1."""
    rows = list(_cells(lines, delimiter))
    if min(map(len, rows)) < len(_BY_POSITION) or rows[0][0] not in ("0", "1"):
        return False
    start = int(rows[0][0])
    return all(_WHOLE.fullmatch(row[0]) and int(row[0]) == start + n for n, row in enumerate(rows))


def _description(names: Sequence[str], data: Sequence[str], delimiter: str | None) -> str:
    """Return what a text without columns x and y is: a table of other columns if numbers follow its first line."""
    numbers = next(_cells(data, delimiter), [])
    if len(numbers) == len(names) > 1 and sum(map(_is_number, numbers)) > 1:
        shown = ", ".join(name[:_MAX_NAME_LENGTH] for name in names[:_MAX_NAMES])
        more = ", ..." if len(names) > _MAX_NAMES else ""
        return f"a table without columns x and y: it has {shown}{more}; rename the two that hold pixels"
    return "a text file, neither an image nor a list of stars: it has no columns x and y (check it)"


def _unnamed(names: Sequence[str]) -> tuple[str, ...]:
    """Return a note if columns have no names, and are more than x, y and flux: the choice could be wrong."""
    if names[:1] == [_NUMBER]:
        taken, which = names[1:4], f"columns 2 to {min(4, len(names))}"
    elif len(names) > len(_BY_POSITION) and not any(names[len(_BY_POSITION) :]):
        taken, which = list(_BY_POSITION), "the first 3"
    else:
        return ()
    words = " and ".join((", ".join(taken[:-1]), taken[-1]))
    return (f"took {which} of {len(names)} columns without names as {words}: name them in a first line",)


def _from_the_top(comments: Sequence[str]) -> tuple[str, ...]:
    """Return a note on a list of Siril, which counts rows from the top, unlike FITS."""
    is_siril = any(line.lstrip("# ").startswith(_SIRIL) for line in comments)
    return ("Siril counts y from the top of the picture: so does the solution",) if is_siril else ()


def _commented_names(comments: Sequence[str], count: int) -> Iterator[list[str]]:
    """Yield names of ``count`` columns that comments give."""
    numbered = [match.groups() for line in comments if (match := _SEXTRACTOR.match(line.lstrip()))]
    if numbered:
        by_number = {int(number): name for number, name in numbered}
        yield [by_number.get(number, "") for number in range(1, count + 1)]
    for line in reversed(comments):
        bare = line.lstrip().lstrip("#").strip()
        names = next(_cells([bare], _delimiter(bare)), [])
        if len(names) == count:
            yield names


def _cells(lines: Sequence[str], delimiter: str | None) -> Iterator[list[str]]:
    if delimiter is not None:
        for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True):
            yield [cell.strip() for cell in row]
        return
    for line in lines:
        # csv handles quotes, split() handles runs of tabs and spaces.
        yield next(csv.reader([line.strip()], delimiter=" ", skipinitialspace=True)) if '"' in line else line.split()


def _is_number(cell: str) -> bool:
    return cell.lower() in _MISSING or not np.isnan(_number(cell))


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _point(cell: str, delimiter: str | None) -> str:
    """Return a number with a decimal point for its comma, unless commas separate cells: they may separate thousands."""
    return cell if delimiter == "," or "." in cell or cell.count(",") != 1 else cell.replace(",", ".")


def _values(
    lines: Sequence[str], delimiter: str | None, columns: starlist.StarColumns, names: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Return the columns by name; NaN for a cell that is missing or not a number."""
    wanted = [names.index(name) for name in columns.names]
    rows = [
        [_number(_point(cells[i], delimiter)) if i < len(cells) else float("nan") for i in wanted]
        for cells in _cells(lines, delimiter)
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, len(wanted))
    return {name: table[:, k].copy() for k, name in enumerate(columns.names)}


def _entries(comments: Sequence[str]) -> dict[str, HeaderValue]:
    """Return the ``key: number`` and ``key = number`` entries of comments, such as ECSV's ``meta``."""
    entries: dict[str, HeaderValue] = {}
    for line in comments:
        for key, number in _ENTRY.findall(line):
            entries.setdefault(key, int(number) if re.fullmatch(r"[-+]?\d{1,18}", number) else float(number))
    return entries
