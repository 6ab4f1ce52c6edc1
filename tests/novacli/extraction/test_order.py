"""The orders of a star list."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_sky import star_picture
from made_star_lists import PLACES, SHAPE, found_by

from novacli.extraction.detect import DetectionSettings
from novacli.extraction.extractor import StarExtractor
from novacli.extraction.order import StarOrder, rank_sources
from novacli.inputs import from_array
from novacli.records.field import Origin, StarList


@pytest.mark.parametrize("order", [o for o in StarOrder if o is not StarOrder.CENTRAL])
def test_the_brightest_comes_first(order: StarOrder) -> None:
    stars = found_by(star_picture(PLACES, SHAPE, flux=9000), 1, order)
    assert (stars.x[0], stars.y[0]) == (
        pytest.approx(PLACES[0][0] + 1, abs=0.2),
        pytest.approx(PLACES[0][1] + 1, abs=0.2),
    )
    if order is StarOrder.FLUX:
        assert list(stars.flux) == sorted(stars.flux, reverse=True)


def test_stars_are_ordered_by_flux_or_by_peak() -> None:
    """A large faint star has more flux, a small one the higher peak."""
    large = star_picture([(60, 60)], SHAPE, flux=9000, fwhm=9)
    picture = large + star_picture([(200, 100)], SHAPE, flux=3000, fwhm=2.5) - 100
    assert found_by(picture, 1, StarOrder.FLUX).x[0] == pytest.approx(61, abs=0.5)
    assert found_by(picture, 1, StarOrder.PEAK).x[0] == pytest.approx(201, abs=0.5)


def test_the_central_order_keeps_the_stars_of_the_middle() -> None:
    """Of an image as of a star list, the brightest of them first."""
    height, width = SHAPE
    picture = from_array(star_picture(PLACES, SHAPE, flux=9000))
    everything = StarExtractor(picture).stars(DetectionSettings(1), StarOrder.FLUX)
    central = StarExtractor(picture).stars(DetectionSettings(1), StarOrder.CENTRAL)
    inside = [
        (x, y) for x, y in zip(everything.x, everything.y, strict=True)
        if math.hypot(x - 1 - width / 2, y - 1 - height / 2) < width / 4
    ]  # fmt: skip
    assert 0 < len(inside) < len(everything)
    assert list(zip(central.x, central.y, strict=True)) == inside
    columns = (np.array(column, dtype=np.float64) for column in (everything.x, everything.y, everything.flux))
    listed = StarList(*columns, width, height, {}, Origin("list.csv", None, "text"))
    assert 0 < len(StarExtractor(listed).stars(DetectionSettings(1), StarOrder.CENTRAL)) < len(everything)


def test_the_mixed_order_takes_the_mean_of_both_ranks() -> None:
    """A source that is second by both comes before one that is first by one and last by the other."""
    table = np.zeros(4, dtype=[(name, np.float64) for name in ("x", "y", "flux", "peak")])
    table["flux"], table["peak"] = (10, 9, 8, 1), (1, 9, 8, 10)
    assert list(rank_sources(table, StarOrder.FLUX, (4.0, 4.0))) == [0, 1, 2, 3]
    assert list(rank_sources(table, StarOrder.PEAK, (4.0, 4.0))) == [3, 1, 2, 0]
    assert list(rank_sources(table, StarOrder.MIXED, (4.0, 4.0))) == [1, 0, 3, 2]


@pytest.mark.parametrize("plain", [StarOrder.FLUX, StarOrder.PEAK])
def test_a_starlike_order_puts_sources_that_do_not_look_like_stars_last(plain: StarOrder) -> None:
    """Bright bars, as of a letter or a frame, come after faint stars, and are kept."""
    stars = [(60.0, 60.0), (200.0, 100.0), (90.0, 160.0)]
    picture = star_picture(stars, SHAPE, flux=2000)
    picture[20:23, 100:140] = picture[120:150, 250:252] = 2000
    columns = [x + 1 for x, _ in stars]
    assert found_by(picture, 1, plain).x[0] not in [pytest.approx(x, abs=0.5) for x in columns]
    found = found_by(picture, 1, StarOrder(f"starlike-{plain.value}"))
    assert sorted(found.x[:3]) == pytest.approx(sorted(columns), abs=0.5)
    assert len(found) >= 5
