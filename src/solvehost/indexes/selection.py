"""Which index files can match a field: those of a fitting scale whose part of the sky is searched."""

from __future__ import annotations

import math
from collections.abc import Sequence

from solvehost.formats.axy import Attempt, Range
from solvehost.indexes import healpix
from solvehost.indexes.index_file import IndexFile

#: The engine tries quads from this fraction of the image's smaller side to this fraction of its diagonal.
QUAD_FRACTION = Range(0.1, 1.0)
#: Widths of fields that the engine considers by default, in degrees.
FIELD_WIDTH_DEG = Range(0.1, 180.0)


def quad_range_arcmin(width: int, height: int, scale_arcsec: Range | None, fraction: Range = QUAD_FRACTION) -> Range:
    """Return the diameters of the quads that fit into a field, in arcminutes.

    Parameters
    ----------
    width, height
        Size of the image in pixels.
    scale_arcsec
        Range of pixel scales in arcsec/pixel; None for any that the engine considers.
    fraction
        Smallest and largest quad, as fractions of the image's smaller side and of its diagonal.
    """
    low, high = scale_arcsec or Range(*(w * 3600 / width for w in FIELD_WIDTH_DEG))
    return Range(fraction.low * min(width, height) * low / 60, fraction.high * math.hypot(width, height) * high / 60)


def overlaps(a: Range, b: Range) -> bool:
    """Return True if two ranges share a point."""
    return a.low <= b.high and b.low <= a.high


def select(attempt: Attempt, files: Sequence[IndexFile]) -> tuple[IndexFile, ...]:
    """Return the index files that an attempt uses, in the order that it asks for.

    A file is used if its quads fit the field at the attempt's scales, the middle of its range lies in the attempt's
    own window (so windows that touch share no file), and its part of the sky overlaps the attempt's.
    """
    scales = attempt.scales_arcsec_per_pixel
    span = Range(min(s.low for s in scales), max(s.high for s in scales)) if scales else None
    fitting = quad_range_arcmin(attempt.width, attempt.height, span, attempt.quad_fraction or QUAD_FRACTION)
    window = attempt.schedule.quads_arcmin
    chosen = [
        f
        for f in files
        if overlaps(f.quads_arcmin, fitting)
        and (window is None or window.low <= f.middle_arcmin < window.high)
        and _is_near(f, attempt)
    ]
    return tuple(sorted(chosen, key=lambda f: f.middle_arcmin, reverse=attempt.schedule.coarse_first))


def _is_near(file: IndexFile, attempt: Attempt) -> bool:
    """Return True if a file's tile overlaps the circle that the attempt searches; a quad may cross a tile's edge."""
    if file.healpix < 0 or attempt.center_deg is None or attempt.radius_deg is None:
        return True
    radius_deg = attempt.radius_deg + file.quads_arcmin.high / 60
    return healpix.may_overlap(file.healpix, file.nside, attempt.center_deg, radius_deg)
