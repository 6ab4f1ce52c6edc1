"""Read binary tables of the engine (star lists, matches, reference stars) from bytes into numpy, and write them anew.

A table from a solve server may be damaged or hostile, so every number in its header is checked against the bytes.
Source: FITS Standard 4.0, section 7.3.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from novacli.errors import DataError
from solvehost.formats import fitsfile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FORM = re.compile(r"(\d{0,5})([LXBIJKAEDCMPQ])")
_NUMERIC = {"B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}
_FORMS = {form[-2:]: letter for letter, form in _NUMERIC.items()}
#: Names of columns that are written: plain words.
_NAME = re.compile("[A-Za-z][A-Za-z0-9_]{0,39}")
_BYTES = {"L": 1, "A": 1, "C": 8, "M": 16, "P": 8, "Q": 16}


def read_table(data: bytes, max_rows: int | None = None) -> NDArray[np.void]:
    """Return the first binary table of a FITS file as a structured array in native byte order.

    Columns that do not hold plain numbers become raw bytes.

    Parameters
    ----------
    data
        The content of the file.
    max_rows
        Maximum number of rows; None for any number.

    Raises
    ------
    DataError
        If there is no table, or if it is damaged or has more rows; the message does not name the file.
    """
    import numpy as np

    table, offset = _first_table(data)
    row, rows = table.number("NAXIS1"), table.number("NAXIS2")
    columns = _columns(table)
    if row < 1 or rows < 0 or row * rows > len(data) - offset:
        raise DataError("its table is cut short")
    if max_rows is not None and rows > max_rows:
        raise DataError(f"its table has {rows:,} rows, more than the {max_rows:,} that are possible")
    dtype = np.dtype(columns)
    if dtype.itemsize != row:
        raise DataError(f"its table has rows of {row} bytes, but columns of {dtype.itemsize}")
    return np.frombuffer(data, dtype, count=rows, offset=offset).astype(dtype.newbyteorder("="))


def _first_table(data: bytes) -> tuple[fitsfile.Header, int]:
    for header, offset in fitsfile.iter_hdus(io.BytesIO(data)):
        if header.get("XTENSION") == "BINTABLE":
            return header, offset
    raise DataError("it holds no table")


def _columns(table: fitsfile.Header) -> list[tuple[str, str] | tuple[str, str, tuple[int]]]:
    """Return the numpy fields of a table's columns; a repeated or missing name gets the column's number."""
    columns: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
    for n in range(1, min(table.number("TFIELDS"), 999) + 1):
        form = str(table.get(f"TFORM{n}", ""))
        match = _FORM.match(form)
        if match is None:
            raise DataError(f"its column {n} has the form {form!r}, which cannot be read")
        count, letter = int(match[1] or 1), match[2]
        name = str(table.get(f"TTYPE{n}", "")) or f"column{n}"
        name = f"{name}_{n}" if any(name == c[0] for c in columns) else name
        if letter in _NUMERIC:
            columns.append((name, _NUMERIC[letter]) if count == 1 else (name, _NUMERIC[letter], (count,)))
        else:
            columns.append((name, f"V{-(-count // 8) if letter == 'X' else count * _BYTES[letter]}"))
    return columns


def write_table(table: NDArray[np.void]) -> bytes:
    """Return a FITS file with a structured array as its only table.

    Only columns of single numbers whose names are plain words (letters, digits, underscores) are written.
    """
    import numpy as np

    names = [name for name in table.dtype.names or () if _NAME.fullmatch(name) and table.dtype[name].str[1:] in _FORMS]
    rows = np.zeros(len(table), [(name, table.dtype[name].newbyteorder(">")) for name in names])
    values: dict[str, fitsfile.CardValue] = {"XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2}
    values |= {"NAXIS1": rows.dtype.itemsize, "NAXIS2": len(rows), "PCOUNT": 0, "GCOUNT": 1, "TFIELDS": len(names)}
    for n, name in enumerate(names, 1):
        rows[name] = table[name]
        values |= {f"TTYPE{n}": name, f"TFORM{n}": f"1{_FORMS[table.dtype[name].str[1:]]}"}
    primary: dict[str, fitsfile.CardValue] = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True}
    headers = [fitsfile.end_header([fitsfile.card(k, v) for k, v in cards.items()]) for cards in (primary, values)]
    return b"".join(headers) + fitsfile.pad_data(rows.tobytes())
