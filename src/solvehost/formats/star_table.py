"""The star table of an axy: a FITS binary table X, Y, FLUX, written for the engine and read from outside.

Columns of the tables that the engine writes are read here as well.  Source: FITS Standard 4.0, section 7.3.
"""

from __future__ import annotations

import math
import os
import re
import sys
from array import array
from pathlib import Path
from typing import Any

from solvehost.errors import DataError
from solvehost.formats import fitsfile
from solvehost.record import record

#: More stars than this do not help the engine; a longer table is cut.
MAX_STARS = 10_000
MAX_TABLE_BYTES = 16 * 2**20


@record
class Stars:
    """Stars as float32 columns, best first; x and y are FITS pixel coordinates (the first pixel's centre is 1, 1)."""

    x: array[float]
    y: array[float]
    flux: array[float]

    def __len__(self) -> int:
        return len(self.x)

    @classmethod
    def empty(cls) -> Stars:
        """Return a table of no stars."""
        return cls(array("f"), array("f"), array("f"))

    @classmethod
    def from_bytes(cls, x: bytes, y: bytes, flux: bytes) -> Stars:
        """Build the table from native-endian float32 buffers of equal length."""
        columns = (array("f", x), array("f", y), array("f", flux))
        if len({len(c) for c in columns}) != 1:
            raise ValueError("columns differ in length")
        return cls(*columns)


_COLUMNS = ("X", "Y", "FLUX")


def table_bytes(stars: Stars) -> bytes:
    """Return the binary-table extension (header and data) that holds ``stars``."""
    cards: list[tuple[str, fitsfile.CardValue]] = [
        ("XTENSION", "BINTABLE"), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", 12), ("NAXIS2", len(stars)),
        ("PCOUNT", 0), ("GCOUNT", 1), ("TFIELDS", 3),
    ]  # fmt: skip
    for n, name in enumerate(_COLUMNS, 1):
        cards += [(f"TTYPE{n}", name), (f"TFORM{n}", "E")]
    rows = array("f", bytes(12 * len(stars)))
    rows[0::3], rows[1::3], rows[2::3] = stars.x, stars.y, stars.flux
    if sys.byteorder == "little":
        rows.byteswap()
    return fitsfile.end_header([fitsfile.card(k, v) for k, v in cards]) + fitsfile.pad_data(rows.tobytes())


def read_columns(path: Path, names: tuple[str, ...]) -> list[array[float]]:
    """Return columns, as float32, of the table in the first extension of the file at ``path``.

    Raises
    ------
    DataError
        If there is no such table or numeric column, or the file is cut short.
    """
    with path.open("rb") as stream:
        stream.seek(fitsfile.data_size(fitsfile.read_header(stream)), os.SEEK_CUR)
        table = fitsfile.read_header(stream)
        body = stream.read(MAX_TABLE_BYTES)
    row, rows = table.number("NAXIS1"), table.number("NAXIS2")
    if row < 1 or rows < 0 or row * rows > len(body):
        raise DataError(f"{path.name}: its table is cut short")
    layout = _column_layout(table, row)
    return [_column(layout, name, body, row, rows) for name in names]


#: TFORM letter → (array typecode, bytes); SourceExtractor's lists come with D, I and J columns.
_NUMERIC_FORMS = {"E": ("f", 4), "D": ("d", 8), "I": ("h", 2), "J": ("i", 4)}


def parse_table(table: fitsfile.Header, body: bytes, names: tuple[str, str]) -> Stars:
    """Return the stars of a table: the rows with finite coordinates, at most MAX_STARS.

    Parameters
    ----------
    table, body
        The table's header, and the bytes that follow it.
    names
        Names of the columns with the coordinates.

    Raises
    ------
    DataError
        If the table is cut short, states a wrong size, or lacks a column.
    """
    if table.get("XTENSION") != "BINTABLE":
        raise DataError("the axy has no star table in its first extension")
    row, rows = table.number("NAXIS1"), table.number("NAXIS2")
    if row < 1 or rows < 1:
        raise DataError(f"the star table has {rows} rows of {row} bytes: there are no stars to solve")
    if row * rows > len(body):
        raise DataError("the star table is cut short")
    rows = min(rows, MAX_STARS)
    columns = _column_layout(table, row)
    x = _column(columns, names[0], body, row, rows)
    y = _column(columns, names[1], body, row, rows)
    flux = _column(columns, "FLUX", body, row, rows) if "FLUX" in columns else array("f", bytes(4 * rows))
    keep = [i for i in range(rows) if math.isfinite(x[i]) and math.isfinite(y[i])]
    if not keep:
        raise DataError("the star table has no finite coordinates")
    return Stars(*(array("f", (c[i] if math.isfinite(c[i]) else 0.0 for i in keep)) for c in (x, y, flux)))


def _column_layout(table: fitsfile.Header, row: int) -> dict[str, tuple[str, int, int]]:
    """Return name → (array typecode, bytes, offset in the row) of the scalar, unscaled numeric columns."""
    layout: dict[str, tuple[str, int, int]] = {}
    offset = 0
    for n in range(1, table.number("TFIELDS") + 1):
        form = _FORM.match(str(table.get(f"TFORM{n}", "")))
        if form is None or n > 999:
            raise DataError(
                f"the star table's column {n} has the form {table.get(f'TFORM{n}')!r}, which cannot be read"
            )
        count, letter = int(form[1] or 1), form[2]
        is_scaled = table.get(f"TSCAL{n}", 1) != 1 or table.get(f"TZERO{n}", 0) != 0
        if letter in _NUMERIC_FORMS and count == 1 and not is_scaled:
            layout.setdefault(str(table.get(f"TTYPE{n}", "")).upper(), (*_NUMERIC_FORMS[letter], offset))
        offset += count * _FORM_BYTES[letter] if letter != "X" else -(-count // 8)
    if offset > row:
        raise DataError("the star table's columns are wider than its rows")
    return layout


_FORM_BYTES = {"L": 1, "X": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16, "P": 8, "Q": 16}
#: Repeat count and letter; what may follow (the longest array of P and Q, the strings in A) takes no bytes in the row.
_FORM = re.compile(f"([0-9]*)([{''.join(_FORM_BYTES)}])")


def _column(columns: dict[str, tuple[str, int, int]], name: str, body: bytes, row: int, rows: int) -> array[float]:
    if name.upper() not in columns:
        raise DataError(f"the star table has no numeric column {name[:20]!r}")
    typecode, width, offset = columns[name.upper()]
    if width == row:
        data = body[: row * rows]
    else:
        data = b"".join(body[i * row + offset : i * row + offset + width] for i in range(rows))
    column: array[Any] = array(typecode, data)
    if sys.byteorder == "little":
        column.byteswap()
    if typecode == "f":
        return column
    return array("f", (v if abs(v) < 1e30 else math.nan for v in column))
