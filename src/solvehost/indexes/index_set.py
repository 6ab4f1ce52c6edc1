"""The index files of a machine: those in its directories that load, and those that do not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from solvehost.errors import DataError
from solvehost.formats.axy import Range
from solvehost.indexes.cache import IndexCache
from solvehost.indexes.index_file import IndexFile, read_index
from solvehost.record import record


@record
class IndexSet:
    """The index files that were found.

    ``files`` load; ``damaged`` holds (path, reason) of those that do not; ``searched`` are the places that were read.
    """

    files: tuple[IndexFile, ...]
    damaged: tuple[tuple[Path, str], ...] = ()
    searched: tuple[Path, ...] = ()

    @property
    def damaged_names(self) -> tuple[str, ...]:
        """The names of the files that do not load, as manifests list them."""
        return tuple(path.name for path, _ in self.damaged)

    @property
    def quads_arcmin(self) -> Range | None:
        """The range of quad diameters that all files cover together, None if there is no file."""
        if not self.files:
            return None
        return Range(min(f.quads_arcmin.low for f in self.files), max(f.quads_arcmin.high for f in self.files))


def scan(places: Iterable[Path], cache: IndexCache | None = None) -> IndexSet:
    """Read the headers of index files.

    In a directory, FITS files that are not index files are ignored.  A file that the caller names and that is not an
    index file is reported as damaged, and so is a directory that cannot be read.

    Parameters
    ----------
    places
        Index files, and directories that hold some.
    cache
        Spares reading the files that have not changed since it was written.

    Returns
    -------
    IndexSet
        Its paths are absolute, because the engine runs in another directory.
    """
    searched = tuple(place.absolute() for place in places)
    good: dict[Path, IndexFile] = {}
    bad: dict[Path, str] = {}
    for place in searched:
        try:
            is_named = not place.is_dir()
            paths = [place] if is_named else sorted(p for p in place.iterdir() if _is_candidate(p.name))
        except OSError as exc:
            bad[place] = exc.strerror or str(exc)
            continue
        for path in paths:
            try:
                good.setdefault(path.resolve(), _read_or_recall(path, cache))
            except (DataError, KeyError, ValueError, TypeError) as exc:
                if is_named or path.name.startswith("index-"):
                    bad[path] = str(exc) if isinstance(exc, DataError) else "its header cannot be understood"
            except OSError as exc:
                bad[path] = exc.strerror or str(exc)
    if cache is not None:
        cache.save()
    files = tuple(sorted(good.values(), key=lambda f: (f.middle_arcmin, f.path.name)))
    return IndexSet(files, tuple(bad.items()), searched)


def _is_candidate(name: str) -> bool:
    return name.endswith((".fits", ".fit")) and not name.startswith(".")


def _read_or_recall(path: Path, cache: IndexCache | None) -> IndexFile:
    if cache is None:
        return read_index(path)
    status = path.stat()
    known = cache.get(path, status)
    if known is None:
        known = read_index(path)
        cache.put(path, status, known)
    return known
