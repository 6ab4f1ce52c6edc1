"""Read the engine's comments in ``wcs.fits``: the match that solved the image, and the name of its index file.

:mod:`solvehost.formats.match_comments` reads the numbers.  The index file is identified by the names in the list of
index files that the engine had loaded.  That list may come from a solve server: its paths are never opened, and no text
in it is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from novacli.text.printable import printable_line
from solvehost.formats import match_comments
from solvehost.record import record

if TYPE_CHECKING:
    from solvehost.indexes.index_file import IndexFile

#: The engine breaks comments at this length, and indents the lines that follow by this.
_LINE = 60
_INDENT = "  "
_UNKNOWN = "unknown"
#: A number in a file's name; at most nine digits, since a server may send any name.
_NUMBER = re.compile("[0-9]{1,9}")


@record
class QuadMatch:
    """The match that solved the image; None for what the engine did not report.

    ``index`` is a name for people: that of the index file if ``is_index_named``, otherwise one made from its number.
    """

    index: str
    is_index_named: bool
    index_id: int | None
    index_healpix: int | None
    logodds: float | None
    matched: int


def read(comments: Iterable[str], known: Sequence[IndexFile] = ()) -> QuadMatch:
    """Return the match that the COMMENT texts of ``wcs.fits`` describe.

    Parameters
    ----------
    comments
        The texts.
    known
        Index files whose headers are known; they identify files whose names do not state a number.
    """
    texts = [_clean(text) for text in comments]
    index_id = match_comments.whole(texts, match_comments.INDEX_ID)
    healpix = match_comments.whole(texts, match_comments.INDEX_HEALPIX)
    name = _index_name({path.name for path in _listed(texts)}, index_id, healpix, known)
    return QuadMatch(
        index=name or _name_by_number(index_id, healpix),
        is_index_named=bool(name),
        index_id=index_id,
        index_healpix=healpix,
        logodds=match_comments.number(texts, match_comments.LOG_ODDS),
        matched=match_comments.whole(texts, match_comments.MATCHED) or 0,
    )


def _clean(text: str) -> str:
    """Return a card's text as UTF-8, safe to print."""
    return printable_line(text.encode("latin-1", "replace").decode("utf-8", "replace"))


def _listed(texts: list[str]) -> Iterator[Path]:
    """Yield the index files that the engine had loaded; a long path takes several lines."""
    path: str | None = None
    full = False
    for text in texts:
        if path is not None and text.startswith(_INDENT):
            path += ("" if full or not path else " ") + text.removeprefix(_INDENT)
            full = len(text) >= _LINE
            continue
        if path:
            yield Path(path)
        path, full = ("", False) if text.startswith("Index(") else (None, False)
    if path:
        yield Path(path)


def _index_name(listed: set[str], index_id: int | None, healpix: int | None, known: Sequence[IndexFile]) -> str | None:
    """Return the name of the listed index file with this number: by the names, then by the headers of known files."""
    if len(listed) == 1:
        return next(iter(listed))
    if index_id is None:
        return None
    named = [name for name in sorted(listed) if _is_named(name, index_id, healpix)]
    if len(named) == 1:
        return named[0]
    return next((file.path.name for file in known if _is_file(file, listed, index_id, healpix)), None)


def _name_by_number(index_id: int | None, healpix: int | None) -> str:
    if index_id is None:
        return _UNKNOWN
    return f"index {index_id}" if healpix in (None, -1) else f"index {index_id}-{healpix:02d}"


def _is_named(name: str, index_id: int, healpix: int | None) -> bool:
    """Return True if a name has this number: index-4205-12.fits, index-219.fits, index-tycho2-07.fits (4107)."""
    tycho = re.fullmatch(r"index-tycho2-(\d\d)\b.*", name)
    if tycho:
        return 4100 + int(tycho[1]) == index_id
    numbers = [int(n) for n in _NUMBER.findall(name)]
    wanted = [index_id] if healpix in (None, -1) else [index_id, healpix]
    return numbers[: len(wanted)] == wanted


def _is_file(file: IndexFile, listed: set[str], index_id: int, healpix: int | None) -> bool:
    return file.path.name in listed and file.index_id == index_id and healpix in (None, file.healpix)
