"""A cache of index files' headers, so that hundreds of files need not be opened at every start.

An entry is valid while the file's path, size and modification time stay the same.  A cache that is damaged or cannot
be written is ignored: it saves time, and never decides which files there are.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from solvehost.errors import OutputError
from solvehost.formats.atomic import write_atomic
from solvehost.formats.axy import Range
from solvehost.indexes.index_file import IndexFile

_FORMAT = 1


class IndexCache:
    """The cache in one file; :meth:`save` writes it if something was added."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = _read(path)
        self._seen: dict[str, list[Any]] = {}

    def get(self, path: Path, status: os.stat_result) -> IndexFile | None:
        """Return the entry of a file, None if there is none or the file has changed since."""
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
        """Add the entry of a file; ``status`` is its size and time as they were before it was read."""
        low, high = found.quads_arcmin
        self._seen[str(path)] = [
            status.st_size, status.st_mtime_ns, found.index_id, found.healpix, found.nside, low, high, found.stars,
            found.quads, found.size_bytes,
        ]  # fmt: skip

    def save(self) -> None:
        """Write the cache if it has new entries; an error on disk is ignored."""
        if self._seen.items() <= self._known.items():
            return
        # Entries of places that were not scanned this time stay, if their files still exist.
        kept = {path: entry for path, entry in self._known.items() if os.path.exists(path)}  # noqa: PTH110
        text = json.dumps({"format": _FORMAT, "files": {**kept, **self._seen}}).encode()
        with contextlib.suppress(OSError, OutputError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(self._path, text, durable=False)


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    files = value.get("files") if isinstance(value, dict) and value.get("format") == _FORMAT else None
    return files if isinstance(files, dict) else {}
