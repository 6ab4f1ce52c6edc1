"""Pixels to stars: where they are to a tenth of a pixel, in which order, and what no picture can break."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_sky import Places, scattered, star_picture
from numpy.typing import NDArray

from novacli.errors import DataError
from novacli.extraction.sources import Extraction, Order, Sources, binned, extract, ranked
from novacli.inputs import from_array
from novacli.records.field import Image, Origin, StarList
from solvehost.formats.star_table import MAX_STARS, Stars

#: Odd on purpose: rows and columns are left over by every binning.
SHAPE = (211, 307)
PLACES = scattered(30, SHAPE)


def found_by(
    pixels: NDArray[np.generic], binning: int, order: Order = Order.FLUX, max_stars: int | None = None
) -> Stars:
    return Sources(from_array(pixels), max_stars).stars(Extraction(binning), order)


def assert_each_is_found(stars: Stars, places: Places, tolerance_px: float = 0.1) -> None:
    """Hold FITS coordinates to places in the array: the first pixel's centre is (1, 1) and (0, 0)."""
    for x, y in places:
        nearest = min(math.hypot(a - (x + 1), b - (y + 1)) for a, b in zip(stars.x, stars.y, strict=True))
        assert nearest < tolerance_px, (x, y)


def one_star(x: float, y: float, fwhm: float, shape: tuple[int, int] = SHAPE) -> NDArray[np.float32]:
    return star_picture([(x, y)], shape, flux=50_000, fwhm=fwhm)


@pytest.mark.parametrize("binning", [1, 2, 3, 4])
def test_stars_come_out_at_their_pixels_whatever_the_binning(binning: int) -> None:
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


def test_binning_sums_blocks_into_a_new_array() -> None:
    pixels = np.arange(35, dtype=np.float32).reshape(5, 7)
    assert binned(pixels, 2).tolist() == [[16, 24, 32], [72, 80, 88]]
    assert binned(pixels, 2).dtype == np.float32
    whole = binned(pixels, 1)
    whole[:] = 0
    assert pixels.any(), "the image itself is never changed"


@pytest.mark.parametrize("binning", [1, 2, 4])
def test_masked_pixels_make_no_stars_and_cost_none(binning: int) -> None:
    """A dead block, a dead column and a scatter of NaN; hot ones behind the mask."""
    places = [p for p in scattered(14, SHAPE, margin=24, apart=40) if abs(p[0] - 150) > 20]
    picture = star_picture(places, SHAPE, flux=60_000, fwhm=max(4.0, 2.0 * binning))
    holes = np.random.default_rng(3).random(SHAPE) < 0.01
    holes[:20, :20] = True
    holes[:, 148:152] = True
    stars = found_by(np.ma.masked_array(np.where(holes, 60_000, picture), holes), binning)
    assert_each_is_found(stars, places, tolerance_px=0.3)
    assert len(stars) == len(places)


def test_a_lattice_of_dead_pixels_is_no_blank_image() -> None:
    """One pixel in four has no value, as in a mosaic of one dead colour: every binned pixel has some."""
    places = scattered(12, SHAPE, margin=20, apart=40)
    picture = star_picture(places, SHAPE, flux=60_000, fwhm=8)
    picture[::2, ::2] = np.nan
    assert_each_is_found(found_by(picture, 2), places, tolerance_px=0.5)


def test_a_mosaic_has_the_same_coordinates() -> None:
    """Two of four pixels see half the light."""
    places = scattered(12, SHAPE, margin=20, apart=40)
    picture = star_picture(places, SHAPE, flux=60_000, fwhm=5)
    picture[::2, ::2] *= 0.5
    picture[1::2, 1::2] *= 0.5
    image = from_array(picture, {"BAYERPAT": "RGGB"})
    assert image.is_mosaic
    assert_each_is_found(Sources(image).stars(Extraction(2), Order.FLUX), places)


def test_orders_are_by_flux_and_by_peak() -> None:
    """A large faint star has more flux, a small one the higher peak."""
    large = star_picture([(60, 60)], SHAPE, flux=9000, fwhm=9)
    picture = large + star_picture([(200, 100)], SHAPE, flux=3000, fwhm=2.5) - 100
    assert found_by(picture, 1, Order.FLUX).x[0] == pytest.approx(61, abs=0.5)
    assert found_by(picture, 1, Order.PEAK).x[0] == pytest.approx(201, abs=0.5)


@pytest.mark.parametrize("order", [o for o in Order if o is not Order.CENTRAL])
def test_the_brightest_comes_first(order: Order) -> None:
    stars = found_by(star_picture(PLACES, SHAPE, flux=9000), 1, order)
    assert (stars.x[0], stars.y[0]) == (
        pytest.approx(PLACES[0][0] + 1, abs=0.2),
        pytest.approx(PLACES[0][1] + 1, abs=0.2),
    )
    if order is Order.FLUX:
        assert list(stars.flux) == sorted(stars.flux, reverse=True)


def test_central_stars_are_those_of_the_middle() -> None:
    """Of a picture and of a star list alike, the brightest of them first."""
    height, width = SHAPE
    picture = from_array(star_picture(PLACES, SHAPE, flux=9000))
    everything = Sources(picture).stars(Extraction(1), Order.FLUX)
    central = Sources(picture).stars(Extraction(1), Order.CENTRAL)
    inside = [
        (x, y) for x, y in zip(everything.x, everything.y, strict=True)
        if math.hypot(x - 1 - width / 2, y - 1 - height / 2) < width / 4
    ]  # fmt: skip
    assert 0 < len(inside) < len(everything)
    assert list(zip(central.x, central.y, strict=True)) == inside
    columns = (np.array(column, dtype=np.float64) for column in (everything.x, everything.y, everything.flux))
    listed = StarList(*columns, width, height, {}, Origin("list.csv", None, "text"))
    assert 0 < len(Sources(listed).stars(Extraction(1), Order.CENTRAL)) < len(everything)


def test_ranks_by_flux_and_by_peak_are_mixed() -> None:
    """Second by both comes before what is first by one and last by the other."""
    table = np.zeros(4, dtype=[(name, np.float64) for name in ("x", "y", "flux", "peak")])
    table["flux"], table["peak"] = (10, 9, 8, 1), (1, 9, 8, 10)
    assert list(ranked(table, Order.FLUX, (4.0, 4.0))) == [0, 1, 2, 3]
    assert list(ranked(table, Order.PEAK, (4.0, 4.0))) == [3, 1, 2, 0]
    assert list(ranked(table, Order.MIXED, (4.0, 4.0))) == [1, 0, 3, 2]


def test_a_cap_keeps_the_best() -> None:
    picture = star_picture(PLACES, SHAPE, flux=9000)
    everything, few = found_by(picture, 1), found_by(picture, 1, max_stars=7)
    assert list(few.x) == list(everything.x)[:7]


def star_list(flux: list[float] | None) -> StarList:
    column = np.array([10.5, 20.25, 30.0])
    values = None if flux is None else np.array(flux)
    return StarList(column, column + 1, values, 100, 80, {}, Origin("list.csv", None, "text"))


def test_a_list_is_ordered_by_its_fluxes_and_not_moved() -> None:
    """Its coordinates are FITS pixels already."""
    stars = Sources(star_list([1.0, 3.0, 2.0])).stars(Extraction(1), Order.PEAK)
    assert list(stars.x) == [20.25, 30.0, 10.5]
    assert list(stars.y) == [21.25, 31.0, 11.5]


def test_more_stars_than_an_axy_keeps_are_not_handed_on() -> None:
    """Nor measured, each of which takes memory."""
    x = np.arange(MAX_STARS + 10, dtype=np.float64)
    many = StarList(x, x, None, 20_000, 20_000, {}, Origin("many.csv", None, "text"))
    assert len(Sources(many, max_stars=10**6).stars(Extraction(1), Order.FLUX)) == MAX_STARS


def test_a_list_without_fluxes_is_in_order_already() -> None:
    sources = Sources(star_list(None), max_stars=2)
    stars = sources.stars(Extraction(1), Order.FLUX)
    assert list(stars.x) == [10.5, 20.25]
    assert stars.flux[0] > stars.flux[1]
    assert sources.most_found == sources.count(Extraction(1)) == 3


def test_pixels_are_looked_at_when_stars_are_asked_for_and_once_for_each_extraction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Extraction] = []

    def watched(image: Image, extraction: Extraction) -> NDArray[np.void]:
        asked.append(extraction)
        return extract(image, extraction)

    monkeypatch.setattr("novacli.extraction.sources.extract", watched)
    sources = Sources(from_array(star_picture(PLACES, SHAPE, flux=9000)))
    assert asked == []
    assert sources.most_found == 0
    for order in (*Order, *Order):
        sources.stars(Extraction(2), order)
    found = sources.count(Extraction(1))
    assert asked == [Extraction(2), Extraction(1)]
    assert sources.most_found >= found > 0


@pytest.mark.parametrize("value", [0, 1, -5, 65535])
def test_a_constant_image_has_no_stars(value: float) -> None:
    assert len(found_by(np.full((100, 120), value, np.float32), 1)) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (9, 16), (16, 9), (200, 150)])
def test_an_image_without_a_number_is_damaged_however_small(shape: tuple[int, int]) -> None:
    with pytest.raises(DataError, match=r"^array: every pixel is blank or not a number"):
        found_by(np.full(shape, np.nan), 2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (7, 7), (8, 8), (9, 3000), (3000, 17), (40, 5000)])
@pytest.mark.parametrize("binning", [1, 2, 4, 64])
def test_tiny_and_narrow_images_have_no_stars_and_raise_nothing(shape: tuple[int, int], binning: int) -> None:
    assert len(found_by(np.random.default_rng(1).normal(100, 5, shape), binning)) == 0


def test_stars_of_a_very_wide_image_are_found() -> None:
    places = [(50.0 + 400 * n, 20.0) for n in range(10)]
    assert_each_is_found(found_by(star_picture(places, (40, 4000), flux=9000), 1), places)


@pytest.mark.parametrize("nothing", [-3.4028e38, 3.4028e38, -1e31])
@pytest.mark.parametrize("binning", [1, 2, 4])
def test_fill_values_at_the_end_of_float32_are_masked(nothing: float, binning: int) -> None:
    """Where other software writes no NaN for a pixel without a value."""
    places = [p for p in scattered(14, SHAPE, margin=24, apart=40) if p[0] > 60]
    picture = star_picture(places, SHAPE, flux=60_000, fwhm=max(4.0, 2.0 * binning))
    picture[:, :30] = nothing
    picture[5:9, 200:204] = nothing
    assert_each_is_found(found_by(picture, binning), places, tolerance_px=0.2)
    with pytest.raises(DataError, match="every pixel is blank"):
        found_by(np.full(SHAPE, nothing), binning)


@pytest.mark.parametrize("unit", [1e-40, 1e-19, 1.0, 1e19, 1e25])
def test_the_unit_of_the_pixels_does_not_matter(unit: float) -> None:
    assert len(found_by(star_picture(PLACES, SHAPE, flux=9000).astype(np.float64) * unit, 2)) == len(PLACES)


def test_a_picture_without_noise_has_stars() -> None:
    """As a planetarium draws it: most pixels are exactly 0, and no noise can be measured."""
    picture = np.round(star_picture(PLACES, SHAPE, flux=3000, noise=0) - 100).astype(np.uint8)
    assert len(found_by(picture, 1)) > 20


@pytest.mark.parametrize("full_scale", [1e-4, 1.0, 255.0])
@pytest.mark.parametrize("binning", [1, 2])
def test_stars_on_a_flat_sky_are_found_beside_a_title_bar(full_scale: float, binning: int) -> None:
    """A planetarium's window: no noise anywhere, so the few cells that the bar's text fills say nothing of the sky."""
    shape = (600, 900)
    places = scattered(40, shape, margin=150, apart=40)
    picture = np.full(shape, 0.05)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for x, y in places:
        picture[np.hypot(columns - x, rows - y) < 2.5] = 0.6
    picture[:28] = 0.9
    picture[8:20:2, ::3] = 0.0
    assert_each_is_found(found_by(picture * full_scale, binning), places, tolerance_px=0.5)


@pytest.mark.parametrize("shape", [(8, 8), (8, 60), (60, 9)])
def test_a_flat_picture_smaller_than_a_cell_of_the_mesh_has_its_star(shape: tuple[int, int]) -> None:
    """Nothing but a star, in units far below 1."""
    picture = np.zeros(shape)
    picture[3:6, 3:6] = 1e-3
    assert len(extract(from_array(picture), Extraction(1))) == 1


def test_where_most_of_a_picture_is_flat_the_noise_of_the_rest_makes_no_stars() -> None:
    """A fisheye's circle in a black frame, a stack with wide borders."""
    shape, first_row = (400, 600), 260
    places = [p for p in scattered(60, shape, apart=30) if p[1] > first_row + 15]
    picture = star_picture(places, shape, flux=2000)
    picture[:first_row] = 0
    assert len(extract(from_array(picture), Extraction(2))) < 2 * len(places)


def test_a_crowded_field_raises_nothing() -> None:
    """Its stars run into each other, more than the extraction's buffers hold at the usual threshold."""
    chance = np.random.default_rng(5)
    picture = np.zeros((400, 500))
    rows, columns = chance.integers(2, 398, 9000), chance.integers(2, 498, 9000)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            np.add.at(picture, (rows + dy, columns + dx), 1e4 * 0.5 ** (dx * dx + dy * dy))
    stars = found_by(picture + chance.normal(100, 5, picture.shape), 1)
    assert len(stars) == 200


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1),
    st.sampled_from(["normal", "speckle", "huge", "holes", "binary"]), st.sampled_from([1, 2, 3, 4]),
)  # fmt: skip
def test_whatever_the_pixels_stars_are_finite_and_inside(
    height: int, width: int, seed: int, kind: str, binning: int
) -> None:
    chance = np.random.default_rng(seed)
    pixels = chance.normal(0, 1, (height, width))
    if kind == "speckle":
        pixels = np.abs(pixels) ** 20
    elif kind == "huge":
        pixels *= 1e37
        pixels.flat[0] = 1
    elif kind == "holes":
        pixels[chance.random((height, width)) < 0.5] = np.nan
        pixels.flat[0] = 1
    elif kind == "binary":
        pixels = np.where(pixels > 0, 255.0, 0.0)
    stars = found_by(pixels, binning)
    assert all(0 <= x <= width + 1 and 0 <= y <= height + 1 for x, y in zip(stars.x, stars.y, strict=True))
    assert all(map(math.isfinite, stars.flux))


_PEAK = """
import pathlib, sys
import numpy as np, fitsio, sep
from novacli.inputs import FileInput, open_field
from novacli.extraction.sources import Extraction, extract
def peak():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
field = open_field(FileInput(sys.argv[1]))
for binning in (4, 2, 1):
    extract(field, Extraction(binning))
print((peak() - before) / (4 * field.width * field.height))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see a process's peak memory")
def test_reading_and_extraction_peak_below_three_times_the_float32_image(tmp_path: Path) -> None:
    """20 megapixels with a mask, at every binning; measured on the whole process."""
    import fitsio

    pixels = np.random.default_rng(1).normal(1000, 20, (4000, 5000)).astype(np.float32)
    pixels[:, 0] = np.nan
    for x, y in scattered(40, (4000, 5000)):
        pixels[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] += 4000
    fitsio.write(str(tmp_path / "large.fits"), pixels)
    del pixels
    command = [sys.executable, "-c", _PEAK, str(tmp_path / "large.fits")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 1 < float(done.stdout) < 3
