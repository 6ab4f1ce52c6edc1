"""The members of the race, as data: which stars in which order, which index files, how the engine searches.

The order of the star list decides: the same engine on the same stars takes 0.1 s or a minute.  No order is best for
every field, so members that differ race each other.
"""

from __future__ import annotations

import enum

from novacli.extraction.detect import DetectionSettings
from novacli.extraction.order import StarOrder
from solvehost.formats.axy import Range
from solvehost.record import record

_TO_50 = ((1, 6), (7, 12), (13, 20), (21, 30), (31, 50))
_TO_200 = tuple((n, n + 9) for n in range(1, 200, 10))
#: Windows of quad diameters, arcmin.  Debian's index files up to 85 arcmin hold groups of four stars, which rarely
#: match by chance and are quick to look up; those beyond hold triangles, of which hundreds match.
_FINE, _NOT_FINE, _COARSE = Range(0, 80), Range(80, 1e5), Range(340, 1e5)
#: Binned by this factor, an image shows stars that are so far out of focus that they fall to pieces at full size.
BLURRED_BINNING = 8


class ImageSizes(enum.Enum):
    """For which images a member is meant; ``LARGE`` ones have more than ``attempts.LARGE_PX`` pixels."""

    ANY = "any"
    LARGE = "large"
    SMALL = "small"


@record
class Member:
    """One member of the portfolio.

    Attributes
    ----------
    label
        What logs and results call it.
    order
        The order of the star list.
    window
        Quad diameters of the index files to use, arcmin; None for all that fit the field.
    coarse_first
        True to begin with the index files of the largest quads.
    depths
        Ranges of star numbers, 1-based, from which the engine makes quads, one range after the other.
    code_tolerance
        How much the codes of two quads may differ; None for the engine's default.
    uniformize
        True or False to have the engine spread reference stars evenly for verification or not; None for its default.
    parallel
        True to have the engine load all index files at once.
    binning, threshold_sigma, local_noise
        How sources are detected; a user's binning replaces ``binning``.
    image_sizes
        For which images it is meant.
    delay_s
        How long after the race's start it begins, seconds.
    slice_s
        CPU time between two members that take turns on one core, seconds; None for no turns.
    pattern_stars
        For members that look where a matcher proposes: of how many stars it makes patterns.  None for all others.
    """

    label: str
    order: StarOrder
    window: Range | None
    coarse_first: bool = True
    depths: tuple[tuple[int, int], ...] = _TO_50
    code_tolerance: float | None = 0.005
    uniformize: bool | None = None
    parallel: bool = False
    binning: int = 2
    threshold_sigma: float = DetectionSettings().threshold_sigma
    local_noise: bool = False
    image_sizes: ImageSizes = ImageSizes.ANY
    delay_s: float = 0.0
    slice_s: float | None = 0.15
    pattern_stars: int | None = None


#: For fields of which nothing is known.  Chosen by trials of candidates on real and drawn fields and on scenes
#: (benchmarks/portfolio.py); docs/explanation/how-it-solves.md explains each.
BLIND = (
    # Star-like orders: letters, lines, nebulae and the edges of trees have more flux than stars.
    Member("coarse indexes, star-like by flux", StarOrder.STARLIKE_FLUX, _COARSE),
    Member("fine indexes, star-like by flux", StarOrder.STARLIKE_FLUX, _FINE, uniformize=False),
    Member("other indexes, star-like by peak", StarOrder.STARLIKE_PEAK, _NOT_FINE),
    Member("coarse indexes by both ranks", StarOrder.MIXED, _COARSE, delay_s=0.1),
    # Binning turns hot pixels into something like stars, and hides sharp stars.
    Member(
        "fine indexes, full size",
        StarOrder.STARLIKE_FLUX,
        _FINE,
        uniformize=False,
        binning=1,
        image_sizes=ImageSizes.SMALL,
        delay_s=0.15,
    ),
    # Pictures in which trees, roofs, lamps or a bright horizon fill a part.
    Member(
        "coarse indexes, star-like by peak",
        StarOrder.STARLIKE_PEAK,
        _COARSE,
        binning=1,
        image_sizes=ImageSizes.SMALL,
        delay_s=0.15,
    ),
    Member(
        "coarse indexes, local noise",
        StarOrder.FLUX,
        _COARSE,
        binning=1,
        threshold_sigma=8.0,
        local_noise=True,
        image_sizes=ImageSizes.SMALL,
        delay_s=0.2,
    ),
    Member("coarse indexes, central stars", StarOrder.CENTRAL, _COARSE, delay_s=0.2),
    Member("coarse indexes by flux", StarOrder.FLUX, _COARSE, code_tolerance=0.007, delay_s=0.3, slice_s=0.3),
    # Sparse images of sharp stars lose too many of them to binning; this is quick on a small image.
    Member(
        "coarse indexes, full size",
        StarOrder.STARLIKE_FLUX,
        _COARSE,
        binning=1,
        image_sizes=ImageSizes.SMALL,
        delay_s=0.4,
        slice_s=0.3,
    ),
    Member(
        "quarter size by peak",
        StarOrder.PEAK,
        None,
        coarse_first=False,
        binning=4,
        image_sizes=ImageSizes.LARGE,
        delay_s=0.5,
        slice_s=0.3,
    ),
    Member("all indexes by flux", StarOrder.FLUX, None, depths=_TO_200, code_tolerance=None, delay_s=1.0, slice_s=0.3),
    Member(
        "full size by flux",
        StarOrder.FLUX,
        None,
        depths=_TO_200,
        code_tolerance=None,
        binning=1,
        delay_s=2.0,
        slice_s=0.3,
    ),
    Member(
        "other indexes, eighth size",
        StarOrder.PEAK,
        _NOT_FINE,
        binning=BLURRED_BINNING,
        delay_s=3.0,
        slice_s=0.3,
    ),
)
#: For fields of known scale, which selects the index files, so that no member needs a window.
SCALED = (
    Member("by both ranks", StarOrder.MIXED, None),
    Member("star-like by flux", StarOrder.STARLIKE_FLUX, None, delay_s=0.1),
    Member("by peak, thoroughly", StarOrder.PEAK, None, depths=_TO_200, code_tolerance=None, delay_s=0.4, slice_s=0.3),
)
#: For fields of unknown position, if there is a matcher: each looks where the matcher proposes, and is left out if it
#: proposes nothing.  By peak, the list begins with stars more often than by any other order; its first 12 stars take a
#: tenth of a second, and 16 take three times as long.
PROPOSED = (
    Member("star pattern", StarOrder.PEAK, None, depths=_TO_200, code_tolerance=None, delay_s=0.15, pattern_stars=12),
    Member(
        "star pattern, full size",
        StarOrder.PEAK,
        None,
        depths=_TO_200,
        code_tolerance=None,
        binning=1,
        image_sizes=ImageSizes.SMALL,
        delay_s=0.6,
        pattern_stars=16,
    ),
    Member(
        "star pattern, large image at full size",
        StarOrder.PEAK,
        None,
        depths=_TO_200,
        code_tolerance=None,
        binning=1,
        image_sizes=ImageSizes.LARGE,
        delay_s=2.0,
        pattern_stars=16,
    ),
)
#: For fields of known scale and position: few quads are left to compare, so that the search can be thorough.  Coarse
#: index files first: their quads span the field, and a match is verified all over it at once.
POINTED = (
    Member("by peak", StarOrder.PEAK, None, depths=_TO_200, code_tolerance=None, slice_s=0.1),
    Member("star-like by flux", StarOrder.STARLIKE_FLUX, None, depths=_TO_200, code_tolerance=None, delay_s=0.2),
    Member(
        "star-like by flux, full size",
        StarOrder.STARLIKE_FLUX,
        None,
        depths=_TO_200,
        code_tolerance=None,
        binning=1,
        image_sizes=ImageSizes.SMALL,
        delay_s=0.4,
    ),
)
