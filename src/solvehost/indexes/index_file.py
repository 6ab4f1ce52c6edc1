"""One index file of the engine, as its header describes it.

An index file holds quads (groups of stars) whose diameters lie within its range of scales; it can solve a field that
its quads fit into.  Source of the header cards: the index files themselves (SCALE_L and SCALE_U are in radians).
"""

from __future__ import annotations

import math
import os
from pathlib import Path

from solvehost.errors import DataError
from solvehost.formats import fitsfile
from solvehost.formats.axy import Range
from solvehost.record import record

_MAGIC_BYTES = 512
_ARCMIN_PER_RADIAN = math.degrees(1) * 60


@record
class IndexFile:
    """One index file that loads.

    ``quads_arcmin`` is the range of its quads' diameters.  ``healpix`` is the number of its tile of the sky, -1 if it
    covers the whole sky; ``nside`` is the HEALPix resolution of its tiles.
    """

    path: Path
    index_id: int
    healpix: int
    nside: int
    quads_arcmin: Range
    stars: int
    quads: int
    size_bytes: int

    @property
    def middle_arcmin(self) -> float:
        """The geometric mean of the bounds of its quads' diameters."""
        return math.sqrt(self.quads_arcmin.low * self.quads_arcmin.high)


def read_index(path: Path) -> IndexFile:
    """Return what the header of an index file states, after a check that the file is complete.

    Raises
    ------
    DataError
        If it is not an index file, or is cut short; the message does not name the file.
    """
    if not path.is_file():
        raise DataError("it is missing, or is not a regular file")
    with path.open("rb") as stream:
        _check_kind(stream.read(_MAGIC_BYTES))
        hdus = list(fitsfile.iter_hdus(stream))
        size = os.fstat(stream.fileno()).st_size
    if not hdus:
        raise DataError("the file is empty")
    first = hdus[0][0]
    if "INDEXID" not in first:
        raise DataError("it is not an index file (its header has no INDEXID)")
    low, high = (float(first[k]) * _ARCMIN_PER_RADIAN for k in ("SCALE_L", "SCALE_U"))
    if not 0 < low <= high < math.inf:
        raise DataError("its range of scales is invalid (SCALE_L, SCALE_U)")
    if "\n" in str(path):
        raise DataError("its path contains a line break, which the engine's configuration cannot hold")
    return IndexFile(
        path=path,
        index_id=first.number("INDEXID"),
        healpix=first.number("HEALPIX", -1),
        nside=first.number("HPNSIDE", 0),
        quads_arcmin=Range(low, high),
        stars=first.number("NSTARS", 0),
        quads=first.number("NQUADS", 0),
        size_bytes=size,
    )


def _check_kind(start: bytes) -> None:
    """Raise if the first bytes of a file are not those of FITS; a download may have brought a web page instead."""
    if start.lstrip().startswith(b"<"):
        raise DataError("it is a web page in place of an index file")
    if start and not start.startswith(b"SIMPLE"):
        raise DataError("it is not a FITS file")
