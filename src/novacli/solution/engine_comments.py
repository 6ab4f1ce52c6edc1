"""Read the engine's comments in ``wcs.fits``: the match that solved the image, and the name of its index file.

:mod:`solvehost.formats.match_comments` reads the numbers.  Index files are told by their
paths in the list of what was loaded; of a solve server these are a stranger's words, and never an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from novacli.errors import NovaError
from novacli.text.printable import printable_line
from solvehost.formats import fitsfile, match_comments
from solvehost.record import record

#: The engine breaks comments at this length, and indents the lines that follow by this.
_LINE = 60
_INDENT = "  "
#: Maximum number of index files that are opened to find the one with a number, if the names do not tell.
_MAX_OPENED = 200
_UNKNOWN = "unknown"
#: A number in a file's name; at most nine digits, since a server may send any name.
_NUMBER = re.compile("[0-9]{1,9}")


@record
class QuadMatch:
    """The match that solved the image; None for what the engine did not report.  ``index`` is a name for people."""

    index: str
    index_id: int | None
    logodds: float | None
    matched: int


def read(comments: Iterable[str]) -> QuadMatch:
    """Return the match that the COMMENT texts of ``wcs.fits`` describe."""
    texts = [_clean(text) for text in comments]
    index_id = match_comments.whole(texts, match_comments.INDEX_ID)
    healpix = match_comments.whole(texts, match_comments.INDEX_HEALPIX)
    return QuadMatch(
        index=_index_name(list(_listed(texts)), index_id, healpix),
        index_id=index_id,
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


def _index_name(listed: list[Path], index_id: int | None, healpix: int | None) -> str:
    """Return the name of the index file with this number: by the names, then by the headers of local files."""
    names = sorted({path.name for path in listed})
    if len(names) == 1:
        return names[0]
    if index_id is None:
        return _UNKNOWN
    named = [name for name in names if _is_named(name, index_id, healpix)]
    if len(named) == 1:
        return named[0]
    opened = (path.name for path in islice(listed, _MAX_OPENED) if _is_index(path, index_id, healpix))
    return next(opened, f"index {index_id}" if healpix in (None, -1) else f"index {index_id}-{healpix:02d}")


def _is_named(name: str, index_id: int, healpix: int | None) -> bool:
    """Return True if a name has this number: index-4205-12.fits, index-219.fits, index-tycho2-07.fits (4107)."""
    tycho = re.fullmatch(r"index-tycho2-(\d\d)\b.*", name)
    if tycho:
        return 4100 + int(tycho[1]) == index_id
    numbers = [int(n) for n in _NUMBER.findall(name)]
    wanted = [index_id] if healpix in (None, -1) else [index_id, healpix]
    return numbers[: len(wanted)] == wanted


def _is_index(path: Path, index_id: int, healpix: int | None) -> bool:
    try:
        if not path.is_file():
            return False
        header = fitsfile.read_primary_header(path)
    except (OSError, ValueError, NovaError):
        return False
    return header.get("INDEXID") == index_id and (healpix is None or header.get("HEALPIX", -1) == healpix)
