"""Index series by their published quad sizes, for places that do not tell which index files they have."""

from __future__ import annotations

from pathlib import Path

from solvehost.formats.axy import Range
from solvehost.indexes.index_file import IndexFile

#: Quad diameters of the 4100 series in arcminutes.  Source: data.astrometry.net.
_SERIES_4100_ARCMIN = {
    4107: (22, 30), 4108: (30, 42), 4109: (42, 60), 4110: (60, 85), 4111: (85, 120), 4112: (120, 170),
    4113: (170, 240), 4114: (240, 340), 4115: (340, 480), 4116: (480, 680), 4117: (680, 1000), 4118: (1000, 1400),
    4119: (1400, 2000),
}  # fmt: skip

#: The index files that most installations have; attempts are planned for them if a place does not tell its own.
LIKELY_INDEXES = tuple(
    IndexFile(Path(f"index-{number}.fits"), number, -1, 1, Range(low, high), 0, 0, 0)
    for number, (low, high) in _SERIES_4100_ARCMIN.items()
)
