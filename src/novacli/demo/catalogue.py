"""Directions and magnitudes of real stars, read from the engine's index files.

An index file holds its stars in a kd-tree whose leaves are contiguous, so all positions form one table.  The table is
memory-mapped and searched linearly, which takes some hundredths of a second and needs no other program.

Source: the layout as the files' headers state it (KDT_NDAT, KDT_DATA, ENDIAN; tables ``kdtree_data_stars`` and
``kdtree_range_stars``), verified against ``query-starkd`` of Astrometry.net 0.93.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from novacli.errors import DataError, UnavailableError
from solvehost.formats import fitsfile
from solvehost.indexes import index_set
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

INSTALL = "install one (Debian, Ubuntu: apt install astrometry-data-tycho2; others: data.astrometry.net, series 4100)"
#: Types of stored positions by KDT_DATA; integers count steps from the lower corner of the table's range.
_STORED = {"u16": "u2", "u32": "u4", "float": "f4", "double": "f8"}
_COLUMN_TYPES = {"1E": ">f4", "E": ">f4", "1D": ">f8", "D": ">f8"}
_LITTLE_ENDIAN = "04:03:02:01"
_ROWS_AT_ONCE = 1 << 18

Hdus = Mapping[str, tuple[fitsfile.Header, int]]


@record
class Stars:
    """Stars of a catalogue: unit vectors (ICRS), float64, shape (n, 3), and magnitudes, float64, shape (n,)."""

    directions: NDArray[np.float64]
    magnitudes: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.magnitudes)


@record
class Catalogue:
    """The memory-mapped stars of one index file.

    Attributes
    ----------
    path, band
        The index file, and the name of its magnitude column (``MAG_VT``).
    points, magnitudes
        The stored positions, shape (n, 3), and magnitudes, shape (n,).
    low, step
        A stored position is the unit vector ``low + step * point``.
    """

    path: Path
    band: str
    points: NDArray[Any]
    magnitudes: NDArray[Any]
    low: NDArray[np.float64]
    step: float

    @classmethod
    def open(cls, path: Path) -> Catalogue:
        """Map the stars of an index file.

        Raises
        ------
        UnavailableError
            If it cannot be read, is damaged, or has no magnitudes.
        """
        try:
            hdus = _hdus(path)
            name = magnitude_column(hdus)
            if name is None:
                raise UnavailableError(f"{path}: this index file has no magnitudes to draw with: {INSTALL}")
            return cls(path, name, *_map(path, hdus, name))
        except DataError as exc:
            raise UnavailableError(f"{path}: this index file cannot be used: {exc}; {INSTALL}") from exc
        except OSError as exc:
            raise UnavailableError(f"{path}: {exc.strerror}: this index file cannot be read; {INSTALL}") from exc
        except (KeyError, ValueError) as exc:
            raise UnavailableError(f"{path}: no stars can be read from this index file: {INSTALL}") from exc

    def around(self, direction: NDArray[np.float64], radius_rad: float) -> Stars:
        """Return the stars within ``radius_rad`` (radians) of a unit vector, in the order of the file."""
        least = np.cos(radius_rad)
        found = [
            start + np.flatnonzero(self._directions(slice(start, start + _ROWS_AT_ONCE)) @ direction >= least)
            for start in range(0, len(self.points), _ROWS_AT_ONCE)
        ]
        rows = np.concatenate(found) if found else np.zeros(0, np.intp)
        magnitudes = np.asarray(self.magnitudes[rows], np.float64)
        usable = np.isfinite(magnitudes)
        return Stars(self._directions(rows[usable]), magnitudes[usable])

    def _directions(self, rows: slice | NDArray[np.intp]) -> NDArray[np.float64]:
        return np.asarray(self.points[rows], np.float64) * self.step + self.low


def find_index(places: Iterable[Path]) -> Path:
    """Return the deepest index file (most stars; then smallest quads) that covers the sky and has magnitudes.

    Parameters
    ----------
    places
        Directories to search, and index files.

    Raises
    ------
    UnavailableError
        If there is no such file.
    """
    found = index_set.scan(places)
    whole_sky = [f for f in found.files if f.healpix == -1]
    for file in sorted(whole_sky, key=lambda f: (-f.stars, f.quads_arcmin.low)):
        if magnitude_column(_hdus(file.path)) is not None:
            return file.path
    where = ", ".join(str(p) for p in found.searched) or "no directory was named"
    damaged = "".join(f"; {path}: {why}" for path, why in found.damaged)
    raise UnavailableError(f"no index file of the whole sky with magnitudes was found ({where}{damaged}): {INSTALL}")


def magnitude_column(hdus: Hdus) -> str | None:
    """Return the first column whose name says that it holds magnitudes (MAG_VT, j_mag, …); None if there is none."""
    return next((n for n, (header, _) in hdus.items() if "MAG" in n.upper() and _type(header) is not None), None)


def _type(header: fitsfile.Header) -> str | None:
    return _COLUMN_TYPES.get(str(header.get("TFORM1", "")).strip())


def _hdus(path: Path) -> dict[str, tuple[fitsfile.Header, int]]:
    """Return the header and the offset of the data of each one-column table, by the column's name."""
    with path.open("rb") as stream:
        return {str(h.get("TTYPE1", "")): (h, at) for h, at in fitsfile.iter_hdus(stream) if h.get("TFIELDS") == 1}


def _map(path: Path, hdus: Hdus, band: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64], float]:
    """Return points, magnitudes, low and step of a catalogue."""
    tree = hdus["kdtree_header_stars"][0]
    if tree.number("KDT_NDIM") != 3 or "kdtree_perm_stars" in hdus:
        raise ValueError("its stars are not in the order of their magnitudes")
    count, order = tree.number("KDT_NDAT"), "<" if tree["ENDIAN"] == _LITTLE_ENDIAN else ">"
    stored = np.dtype(order + _STORED[str(tree["KDT_DATA"]).strip()])
    points = _column(path, hdus, "kdtree_data_stars", stored, count * 3).reshape(count, 3)
    magnitudes = _column(path, hdus, band, np.dtype(_type(hdus[band][0])), count)
    if stored.kind == "f":
        return points, magnitudes, np.zeros(3), 1.0
    limits = _column(path, hdus, "kdtree_range_stars", np.dtype(order + "f8"), 7)
    return points, magnitudes, np.array(limits[:3], np.float64), 1 / float(limits[6])


def _column(path: Path, hdus: Hdus, name: str, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """Map the only column of a table; raise ValueError if it does not hold ``count`` numbers."""
    header, offset = hdus[name]
    if header.number("NAXIS1") * header.number("NAXIS2") != dtype.itemsize * count:
        raise ValueError(f"its table {name} and its tree differ in length")
    # A plain array over the mapping, because slicing a memmap would take longer than the search.
    return np.asarray(np.memmap(path, dtype, "r", offset, (count,)))
