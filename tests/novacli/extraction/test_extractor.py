"""Star lists of a field: FITS coordinates whatever the binning, and each detection only once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sky import scattered, star_picture
from made_star_lists import PLACES, SHAPE, assert_each_is_found, found_by
from numpy.typing import NDArray

from novacli.extraction.detect import DetectionSettings, detect_sources
from novacli.extraction.extractor import StarExtractor
from novacli.extraction.order import StarOrder
from novacli.inputs import from_array
from novacli.records.field import Image, Origin, StarList
from solvehost.formats.star_table import MAX_STARS


def one_star(x: float, y: float, fwhm: float, shape: tuple[int, int] = SHAPE) -> NDArray[np.float32]:
    return star_picture([(x, y)], shape, flux=50_000, fwhm=fwhm)


@pytest.mark.parametrize("binning", [1, 2, 3, 4])
def test_star_positions_do_not_depend_on_the_binning(binning: int) -> None:
    """Array element [y, x] is FITS pixel (x + 1, y + 1)."""
    fwhm = max(3.0, 1.5 * binning)
    places = scattered(12, SHAPE, margin=20, apart=40)
    stars = found_by(star_picture(places, SHAPE, flux=60_000, fwhm=fwhm), binning)
    assert len(stars) == len(places)
    assert_each_is_found(stars, places)


@settings(deadline=None, max_examples=25)
@given(st.floats(20, 280), st.floats(20, 180), st.sampled_from([1, 2, 3, 4]))
def test_a_star_anywhere_is_within_a_tenth_of_a_pixel(x: float, y: float, binning: int) -> None:
    stars = found_by(one_star(x, y, fwhm=1.5 * binning + 2), binning)
    assert (stars.x[0], stars.y[0]) == (pytest.approx(x + 1, abs=0.1), pytest.approx(y + 1, abs=0.1))


@pytest.mark.parametrize("shape", [(64, 64), (65, 64), (64, 65), (67, 61)])
@pytest.mark.parametrize("binning", [2, 3, 4])
def test_left_over_rows_and_columns_do_not_move_stars(shape: tuple[int, int], binning: int) -> None:
    stars = found_by(one_star(30.3, 25.7, 6.0, shape), binning)
    assert (stars.x[0], stars.y[0]) == (pytest.approx(31.3, abs=0.1), pytest.approx(26.7, abs=0.1))


def test_stars_of_a_mosaic_have_coordinates_of_the_whole_image() -> None:
    """Two of four pixels receive half the light."""
    places = scattered(12, SHAPE, margin=20, apart=40)
    picture = star_picture(places, SHAPE, flux=60_000, fwhm=5)
    picture[::2, ::2] *= 0.5
    picture[1::2, 1::2] *= 0.5
    image = from_array(picture, {"BAYERPAT": "RGGB"})
    assert image.is_mosaic
    assert_each_is_found(StarExtractor(image).stars(DetectionSettings(2), StarOrder.FLUX), places)


def test_the_largest_number_of_stars_keeps_the_best() -> None:
    picture = star_picture(PLACES, SHAPE, flux=9000)
    everything, few = found_by(picture, 1), found_by(picture, 1, max_stars=7)
    assert list(few.x) == list(everything.x)[:7]


def star_list(flux: list[float] | None) -> StarList:
    column = np.array([10.5, 20.25, 30.0])
    values = None if flux is None else np.array(flux)
    return StarList(column, column + 1, values, 100, 80, {}, Origin("list.csv", None, "text"))


def test_a_star_list_is_ordered_by_its_fluxes_and_keeps_its_coordinates() -> None:
    """Its coordinates are FITS pixels already."""
    stars = StarExtractor(star_list([1.0, 3.0, 2.0])).stars(DetectionSettings(1), StarOrder.PEAK)
    assert list(stars.x) == [20.25, 30.0, 10.5]
    assert list(stars.y) == [21.25, 31.0, 11.5]


def test_a_list_has_at_most_as_many_stars_as_an_axy() -> None:
    """More are not even measured, since each takes memory."""
    x = np.arange(MAX_STARS + 10, dtype=np.float64)
    many = StarList(x, x, None, 20_000, 20_000, {}, Origin("many.csv", None, "text"))
    assert len(StarExtractor(many, max_stars=10**6).stars(DetectionSettings(1), StarOrder.FLUX)) == MAX_STARS


def test_a_list_without_fluxes_is_in_order_already() -> None:
    extractor = StarExtractor(star_list(None), max_stars=2)
    stars = extractor.stars(DetectionSettings(1), StarOrder.FLUX)
    assert list(stars.x) == [10.5, 20.25]
    assert stars.flux[0] > stars.flux[1]
    assert extractor.most_found == extractor.count(DetectionSettings(1)) == 3


def test_sources_are_detected_when_first_needed_and_once_for_each_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[DetectionSettings] = []

    def detect(image: Image, settings: DetectionSettings) -> NDArray[np.void]:
        asked.append(settings)
        return detect_sources(image, settings)

    monkeypatch.setattr("novacli.extraction.extractor.detect_sources", detect)
    extractor = StarExtractor(from_array(star_picture(PLACES, SHAPE, flux=9000)))
    assert asked == []
    assert extractor.most_found == 0
    for order in (*StarOrder, *StarOrder):
        extractor.stars(DetectionSettings(2), order)
    found = extractor.count(DetectionSettings(1))
    assert asked == [DetectionSettings(2), DetectionSettings(1)]
    assert extractor.most_found >= found > 0
