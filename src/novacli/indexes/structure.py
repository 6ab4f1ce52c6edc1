"""Check the content of an index file by its own structure: sizes that belong together, and numbers within their bounds.

It finds files that were cut, mixed up or overwritten, and flipped bytes in the lists of quads; flipped bytes in
positions of stars leave no trace in the structure, so checksums are needed beside it.

Source: the layout as the files' headers state it (quads, kdtree_*_codes, kdtree_*_stars, sweep), verified on all files
of Debian's packages.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from sys import byteorder
from typing import TYPE_CHECKING

from novacli.errors import DataError
from solvehost.formats import fitsfile
from solvehost.indexes.index_file import IndexFile, read_index
from solvehost.record import record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NATIVE_ENDIAN = {"little": "04:03:02:01", "big": "01:02:03:04"}[byteorder]
#: Numbers of a table that are checked at a time, so that a file of a gigabyte needs little memory.
_AT_ONCE = 1 << 22


@record
class _Table:
    """A table of an index file: its header, and the offset of its data in the file, bytes."""

    header: fitsfile.Header
    offset: int

    @property
    def rows(self) -> int:
        return self.header.number("NAXIS2")

    @property
    def row_bytes(self) -> int:
        return self.header.number("NAXIS1")


def check_content(path: Path) -> IndexFile:
    """Return what the header of an index file states, after a check of its content.

    Raises
    ------
    DataError
        If the file is damaged; the message does not name it.
    OSError
        If it cannot be read.
    """
    file = read_index(path)
    with path.open("rb") as stream:
        hdus = list(fitsfile.iter_hdus(stream))
        tables = {str(header.get("TTYPE1", "")): _Table(header, offset) for header, offset in hdus[1:]}
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for problem in _problems(hdus[0][0], file, tables, content):
                raise DataError(problem)
    return file


def _problems(
    header: fitsfile.Header, file: IndexFile, tables: Mapping[str, _Table], content: mmap.mmap
) -> Iterator[str]:
    """Yield what is wrong, the plainest first; later checks rest on earlier ones."""
    missing = [name for name in ("quads", "kdtree_header_codes", "kdtree_header_stars") if name not in tables]
    if missing:
        yield f"it has no table {missing[0]}"
    codes, stars = tables["kdtree_header_codes"], tables["kdtree_header_stars"]
    endian = str(codes.header.get("ENDIAN", _NATIVE_ENDIAN)).strip()
    if endian != _NATIVE_ENDIAN:
        yield "its numbers are stored in the byte order of other machines"
    dimension, quads = header.number("DIMQUADS", 4), tables["quads"]
    counts = {
        "quads": (quads.rows, file.quads),
        "codes": (codes.header.number("KDT_NDAT", 0), file.quads),
        "stars": (stars.header.number("KDT_NDAT", 0), file.stars),
        **{f"rows of {name}": (tables[name].rows, file.stars) for name in ("sweep",) if name in tables},
    }
    for name, (found, stated) in counts.items():
        if found != stated:
            yield f"it holds {found:,} {name}, but its header states {stated:,}"
    if quads.row_bytes != 4 * dimension:
        yield f"a quad takes {quads.row_bytes} bytes in it, but {dimension} stars take {4 * dimension}"
    yield from _wrong_numbers(quads, file.stars, "its quads name", "stars", content)
    for tree, count in (("codes", file.quads), ("stars", file.stars)):
        data = tables.get(f"kdtree_data_{tree}")
        if data is None or data.rows != count:
            yield f"its tree of {tree} is incomplete"
        if (order := tables.get(f"kdtree_perm_{tree}")) is not None:
            yield from _wrong_numbers(order, count, f"its tree of {tree} names", tree, content)


def _wrong_numbers(table: _Table, count: int, who: str, things: str, content: mmap.mmap) -> Iterator[str]:
    """Yield a problem if a table of 32-bit numbers, counted from 0, holds one that is not below ``count``."""
    total = table.rows * table.row_bytes // 4
    for first in range(0, total, _AT_ONCE):
        largest = int(_numbers(content, table.offset + 4 * first, min(_AT_ONCE, total - first)).max())
        if largest >= count:
            yield f"{who} number {largest:,} of {count:,} {things}: its content was changed"
            return


def _numbers(content: mmap.mmap, offset: int, count: int) -> NDArray[np.uint32]:
    import numpy as np

    return np.frombuffer(content[offset : offset + 4 * count], np.uint32)
