"""The map of the sky: the projection compared with known values, and the dots of frames."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as ET

import pytest
from astropy.wcs import WCS

from novacli.batch.reports.sky import Sky, aitoff


def dots(sky: Sky) -> list[tuple[float, tuple[float, float]]]:
    """Return the diameter and the position of each dot."""
    picture = ET.fromstring("".join(sky.svg()))
    return [
        (float(path.attrib["stroke-width"]), (float(x), float(y)))
        for path in picture.iter("path")
        if path.attrib["class"] == "dots"
        for x, y in re.findall(r"M(\S+) (\S+?)h0", path.attrib["d"])
    ]


@pytest.mark.parametrize(
    ("ra", "dec", "x", "y"),
    [(0, 0, 0, 0), (90, 0, -0.5, 0), (270, 0, 0.5, 0), (179.999999, 0, -1, 0), (180, 0, 1, 0), (360, 0, 0, 0),
     (0, 90, 0, 0.5), (123, -90, 0, -0.5), (0, 45, 0, 0.25), (-90, 0, 0.5, 0)],
)  # fmt: skip
def test_projection_of_known_positions(ra: float, dec: float, x: float, y: float) -> None:
    assert aitoff(ra, dec) == pytest.approx((x, y), abs=1e-6)


@pytest.mark.parametrize("ra", [0.0, 10.5, 83.8, 180.0, 266.4, 359.9])
@pytest.mark.parametrize("dec", [-90.0, -69.0, -5.4, 0.0, 41.3, 89.3])
def test_positions_lie_within_the_ellipse_symmetrically(ra: float, dec: float) -> None:
    x, y = aitoff(ra, dec)
    assert math.hypot(x, 2 * y) <= 1 + 1e-9
    assert aitoff(ra, -dec) == pytest.approx((x, -y))
    if ra not in (0, 180):
        assert aitoff(360 - ra, dec) == pytest.approx((-x, y))


def test_oblique_position_follows_the_definition() -> None:
    """Aitoff's projection is the azimuthal equidistant one of half the longitude, stretched twofold in x."""
    half = WCS(naxis=2)
    half.wcs.ctype, half.wcs.crval = ["RA---ARC", "DEC--ARC"], [0, 0]
    half.wcs.cdelt, half.wcs.crpix = [-1, 1], [0, 0]
    x, y = half.wcs_world2pix([[130 / 2, 37]], 0)[0] + 1
    assert aitoff(130, 37) == pytest.approx((2 * x / 180, y / 180))


def test_dots_are_at_the_frames_and_grow_with_their_number() -> None:
    sky = Sky()
    for ra, dec, count in ((90.0, 0.0, 1), (270.0, 0.0, 10), (0.0, 45.0, 123)):
        for _ in range(count):
            sky.add(ra, dec)
    assert sky.count == 134
    assert dots(sky) == [(4, (-180, 0)), (6, (180, 0)), (9, (0, -90))]


def test_size_of_the_map_is_bounded() -> None:
    sky = Sky()
    for number in range(50_000):
        sky.add(number * 0.618034 * 360 % 360, math.degrees(math.asin(number / 25_000 - 1)))
    assert len("".join(sky.svg())) < 800_000
    for _, (x, y) in dots(sky):
        assert math.hypot(x, 2 * y) <= 360 + 4


def test_map_without_frames_has_only_its_grid() -> None:
    assert dots(Sky()) == []
    assert 'class="grid"' in "".join(Sky().svg())
