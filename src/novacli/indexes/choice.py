"""Choose files of a series: by scales, and by a part of the sky."""

from __future__ import annotations

import re
from collections.abc import Sequence

from novacli.errors import UsageError
from novacli.indexes.series import QUADS_ARCMIN, SeriesFile
from novacli.records.params import Position
from solvehost.indexes import healpix

#: The word for all scales of a series.
ALL = "all"
_PART = re.compile(r"(\d{1,2})(?:-(\d{1,2}))?")


def parse_scales(text: str) -> list[int] | None:
    """Return the numbers in a text such as ``7-10,12``; None for ``all``.

    Raises
    ------
    UsageError
        If the text has another form.
    """
    if text == ALL:
        return None
    numbers: list[int] = []
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        first = int(match[1]) if match else 1
        last = int(match[2] or match[1]) if match else 0
        if first > last:
            raise UsageError(f"the scales {text!r} are not understood: give them as 5,6 or 7-10, or {ALL}")
        numbers += range(first, last + 1)
    return numbers


def near(files: Sequence[SeriesFile], place: Position) -> list[SeriesFile]:
    """Return the files whose tiles may hold quads of fields in a circle on the sky; those of the whole sky do."""
    center = place.ra_deg, place.dec_deg
    return [f for f in files if f.healpix < 0 or _may_reach(f, center, place.radius_deg)]


def _may_reach(file: SeriesFile, center_deg: tuple[float, float], radius_deg: float) -> bool:
    # A quad of a field in the circle may cross the circle's edge.
    return healpix.may_overlap(file.healpix, file.nside, center_deg, radius_deg + QUADS_ARCMIN[file.scale].high / 60)
