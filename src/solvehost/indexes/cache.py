"""What index files were found to hold, kept so that hundreds of them need not be opened anew at every start.

A file is known by its path, size and time of change.  Whatever is wrong with the cache, it is passed over: it saves
time, and never decides what is there.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from solvehost.errors import DiskError
from solvehost.formats.axy import Range
from solvehost.formats.jobdir import write_atomic
from solvehost.indexes.index_set import IndexFile

_FORMAT = 1


class IndexCache:
    """The cache in one file; :meth:`save` writes it where something new was learned."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = _read(path)
        self._seen: dict[str, list[Any]] = {}

    def get(self, path: Path, status: os.stat_result) -> IndexFile | None:
        """Return what is known of a file that has not changed since, None where nothing is."""
        entry = self._known.get(str(path))
        if not isinstance(entry, list) or entry[:2] != [status.st_size, status.st_mtime_ns]:
            return None
        try:
            index_id, healpix, nside, low, high, stars, quads, size = entry[2:]
            found = IndexFile(
                path=path,
                index_id=int(index_id),
                healpix=int(healpix),
                nside=int(nside),
                quads_arcmin=Range(float(low), float(high)),
                stars=int(stars),
                quads=int(quads),
                size_bytes=int(size),
            )
        except (TypeError, ValueError):
            return None
        self._seen[str(path)] = entry
        return found

    def put(self, path: Path, status: os.stat_result, found: IndexFile) -> None:
        """Remember what a file was found to hold."""
        low, high = found.quads_arcmin
        self._seen[str(path)] = [
            status.st_size, status.st_mtime_ns, found.index_id, found.healpix, found.nside, low, high, found.stars,
            found.quads, found.size_bytes,
        ]  # fmt: skip

    def save(self) -> None:
        """Write what was seen, if it is not what was known; a disk that takes nothing is no reason to stop."""
        if self._seen.items() <= self._known.items():
            return
        # What other places of index files were found to hold is kept, as far as the files are still there.
        kept = {path: entry for path, entry in self._known.items() if os.path.exists(path)}  # noqa: PTH110
        text = json.dumps({"format": _FORMAT, "files": {**kept, **self._seen}}).encode()
        with contextlib.suppress(OSError, DiskError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(self._path, text, durable=False)


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    files = value.get("files") if isinstance(value, dict) and value.get("format") == _FORMAT else None
    return files if isinstance(files, dict) else {}
