"""The small job that ``nova hosts check`` sends to a server and waits for.

If this machine has an index file of the whole sky, the job is a real field that the server should solve.  If not, its
stars lie at random, and only the connection is tested.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Sequence

from novacli.config import Config
from novacli.errors import NovaError
from novacli.indexes.coverage import width_ranges_deg
from solvehost.formats.axy import Attempt, Range
from solvehost.formats.star_table import Stars
from solvehost.indexes.index_file import IndexFile
from solvehost.record import record

_SIDE_PX = 1000
_CPU_S = 20.0
#: Orion's belt has bright stars in fields of every width.
_RA_DEG, _DEC_DEG = 84.0, -3.0
_WIDTHS_DEG = Range(2.0, 30.0)
_SKY_STARS, _RANDOM_STARS = 100, 20


@record
class SampleField:
    """A job for a check; ``is_sky`` tells whether its stars are real, so that it can be solved."""

    attempt: Attempt
    is_sky: bool

    @property
    def description(self) -> str:
        """What was sent, for the report."""
        count = len(self.attempt.stars)
        return f"a field of {count} stars" if self.is_sky else f"a job of {count} random stars"


def make_sample(files: Sequence[IndexFile], config: Config) -> SampleField:
    """Return a job that an engine finishes within seconds.

    Parameters
    ----------
    files
        The index files of the server; the width of the field is one that some of them serve.
    config
        The settings, which name the index files of this machine.
    """
    width_deg = _choose_width_deg(files)
    stars = None if width_deg is None else _real_stars(width_deg, config)
    if stars is not None and width_deg is not None:
        return SampleField(_attempt(stars, width_deg), is_sky=True)
    rng = random.Random(1)  # noqa: S311 - the same stars each time
    x, y = (array("f", (rng.uniform(1, _SIDE_PX) for _ in range(_RANDOM_STARS))) for _ in range(2))
    flux = array("f", (1000.0 / n for n in range(1, _RANDOM_STARS + 1)))
    return SampleField(_attempt(Stars(x, y, flux), width_deg or 10.0), is_sky=False)


def _attempt(stars: Stars, width_deg: float) -> Attempt:
    scale = 2 * math.degrees(math.tan(math.radians(width_deg / 2))) * 3600 / _SIDE_PX
    return Attempt(
        _SIDE_PX,
        _SIDE_PX,
        stars,
        scales_arcsec_per_pixel=(Range(0.9 * scale, 1.1 * scale),),
        depths=((1, 10), (11, 20)),
        cpu_limit_s=_CPU_S,
        tweak_order=0,
    )


def _choose_width_deg(files: Sequence[IndexFile]) -> float | None:
    """Return a field width that the index files serve, as close as possible to 8 degrees; None if there is none."""
    wanted = math.sqrt(_WIDTHS_DEG.low * _WIDTHS_DEG.high)
    ranges = [Range(max(r.low, _WIDTHS_DEG.low), min(r.high, _WIDTHS_DEG.high)) for r in width_ranges_deg(files)]
    widths = [min(max(wanted, r.low), r.high) for r in ranges if r.low <= r.high]
    return min(widths, key=lambda width: abs(math.log(width / wanted)), default=None)


def _real_stars(width_deg: float, config: Config) -> Stars | None:
    """Return the brightest stars around Orion's belt from this machine's index files; None if these are too few."""
    from novacli.demo.catalogue import Catalogue, find_index
    from novacli.demo.projection import Projection, direction
    from novacli.demo.scene import Scene
    from novacli.indexes.places import index_places, installed_engine

    scene = Scene(ra_deg=_RA_DEG, dec_deg=_DEC_DEG, width_deg=width_deg, width_px=_SIDE_PX, height_px=_SIDE_PX)
    projection = Projection.of(scene)
    try:
        catalogue = Catalogue.open(find_index(index_places(config, installed_engine(config))))
    except NovaError:
        return None
    found = catalogue.around(direction(_RA_DEG, _DEC_DEG), projection.reach_rad)
    x, y = projection.sky_to_pixel(found.directions)
    inside = [
        (magnitude, px, py)
        for magnitude, px, py in zip(found.magnitudes.tolist(), x.tolist(), y.tolist(), strict=True)
        if 0.5 <= px <= _SIDE_PX + 0.5 and 0.5 <= py <= _SIDE_PX + 0.5
    ]
    brightest = sorted(inside)[:_SKY_STARS]
    columns = [
        array("f", column) for column in zip(*((px, py, 10 ** (-0.4 * m)) for m, px, py in brightest), strict=True)
    ]
    return Stars(*columns) if len(brightest) == _SKY_STARS else None
