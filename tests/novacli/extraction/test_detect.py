"""Detection of sources in images of every kind: masked, flat, tiny, crowded, without noise."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sep
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_sky import scattered, star_picture
from made_star_lists import PLACES, SHAPE, assert_each_is_found, found_by
from numpy.typing import NDArray

from novacli.errors import DataError
from novacli.extraction import detect
from novacli.extraction.detect import DetectionSettings, bin_pixels, detect_sources
from novacli.inputs import from_array


def test_binning_sums_blocks_into_a_new_array() -> None:
    pixels = np.arange(35, dtype=np.float32).reshape(5, 7)
    assert bin_pixels(pixels, 2).tolist() == [[16, 24, 32], [72, 80, 88]]
    assert bin_pixels(pixels, 2).dtype == np.float32
    whole = bin_pixels(pixels, 1)
    whole[:] = 0
    assert pixels.any(), "the image itself was changed"


@pytest.mark.parametrize("binning", [1, 2, 4])
def test_masked_pixels_neither_add_nor_lose_stars(binning: int) -> None:
    """A dead block, a dead column and scattered NaN, with hot pixels behind the mask."""
    places = [p for p in scattered(14, SHAPE, margin=24, apart=40) if abs(p[0] - 150) > 20]
    picture = star_picture(places, SHAPE, flux=60_000, fwhm=max(4.0, 2.0 * binning))
    holes = np.random.default_rng(3).random(SHAPE) < 0.01
    holes[:20, :20] = True
    holes[:, 148:152] = True
    stars = found_by(np.ma.masked_array(np.where(holes, 60_000, picture), holes), binning)
    assert_each_is_found(stars, places, tolerance_px=0.3)
    assert len(stars) == len(places)


def test_stars_are_found_between_regularly_spaced_dead_pixels() -> None:
    """One pixel in four has no value, as in a mosaic with a dead colour; every binned pixel has three that do."""
    places = scattered(12, SHAPE, margin=20, apart=40)
    picture = star_picture(places, SHAPE, flux=60_000, fwhm=8)
    picture[::2, ::2] = np.nan
    assert_each_is_found(found_by(picture, 2), places, tolerance_px=0.5)


@pytest.mark.parametrize("value", [0, 1, -5, 65535])
def test_a_constant_image_has_no_stars(value: float) -> None:
    assert len(found_by(np.full((100, 120), value, np.float32), 1)) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (9, 16), (16, 9), (200, 150)])
def test_an_image_without_a_number_is_a_data_error_of_any_size(shape: tuple[int, int]) -> None:
    with pytest.raises(DataError, match=r"^array: every pixel is blank or not a number"):
        found_by(np.full(shape, np.nan), 2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (7, 7), (8, 8), (9, 3000), (3000, 17), (40, 5000)])
@pytest.mark.parametrize("binning", [1, 2, 4, 64])
def test_tiny_and_narrow_images_have_no_stars_and_raise_no_error(shape: tuple[int, int], binning: int) -> None:
    assert len(found_by(np.random.default_rng(1).normal(100, 5, shape), binning)) == 0


def test_stars_of_a_very_wide_image_are_found() -> None:
    places = [(50.0 + 400 * n, 20.0) for n in range(10)]
    assert_each_is_found(found_by(star_picture(places, (40, 4000), flux=9000), 1), places)


@pytest.mark.parametrize("nothing", [-3.4028e38, 3.4028e38, -1e31])
@pytest.mark.parametrize("binning", [1, 2, 4])
def test_fill_values_at_the_end_of_float32_are_masked(nothing: float, binning: int) -> None:
    """Some software writes such a value in place of NaN."""
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


def test_stars_of_an_image_without_noise_are_found() -> None:
    """As a planetarium draws it: most pixels are exactly 0, so that no noise can be measured."""
    picture = np.round(star_picture(PLACES, SHAPE, flux=3000, noise=0) - 100).astype(np.uint8)
    assert len(found_by(picture, 1)) > 20


@pytest.mark.parametrize("full_scale", [1e-4, 1.0, 255.0])
@pytest.mark.parametrize("binning", [1, 2])
def test_stars_on_a_flat_sky_are_found_beside_a_title_bar(full_scale: float, binning: int) -> None:
    """A planetarium's window: the few mesh cells that the bar's text fills do not give the noise of the sky."""
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
def test_the_star_of_a_flat_image_smaller_than_a_mesh_cell_is_found(shape: tuple[int, int]) -> None:
    """It holds one star, in units far below 1."""
    picture = np.zeros(shape)
    picture[3:6, 3:6] = 1e-3
    assert len(detect_sources(from_array(picture), DetectionSettings(1))) == 1


def test_noise_is_not_detected_in_a_mostly_flat_image() -> None:
    """A fisheye's circle in a black frame, a stack with wide borders."""
    shape, first_row = (400, 600), 260
    places = [p for p in scattered(60, shape, apart=30) if p[1] > first_row + 15]
    picture = star_picture(places, shape, flux=2000)
    picture[:first_row] = 0
    assert len(detect_sources(from_array(picture), DetectionSettings(2))) < 2 * len(places)


def test_a_crowded_field_raises_no_error() -> None:
    """Its blended stars exceed sep's buffers at the default threshold."""
    chance = np.random.default_rng(5)
    picture = np.zeros((400, 500))
    rows, columns = chance.integers(2, 398, 9000), chance.integers(2, 498, 9000)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            np.add.at(picture, (rows + dy, columns + dx), 1e4 * 0.5 ** (dx * dx + dy * dy))
    stars = found_by(picture + chance.normal(100, 5, picture.shape), 1)
    assert len(stars) == 200


@pytest.mark.parametrize("local_noise", [False, True])
def test_the_threshold_rises_until_the_sources_are_some_thousands_at_most(*, local_noise: bool) -> None:
    """A grainy picture of twenty thousand specks, of which each takes sep as long as a star: the brightest are kept."""
    shape = (1200, 1500)
    places = scattered(20, shape, margin=30, apart=60)
    chance = np.random.default_rng(3)
    picture = star_picture(places, shape, flux=40_000)
    for row, column in chance.integers(1, np.subtract(shape, 2), (20_000, 2)):
        picture[row : row + 2, column : column + 2] += 40 + 60 * chance.random()
    table = detect_sources(from_array(picture), DetectionSettings(1, local_noise=local_noise))
    assert 200 < len(table) < 6000
    for x, y in places:
        assert np.hypot(table["x"] - x, table["y"] - y).min() < 0.5


def test_with_local_noise_stars_are_found_beside_a_foreground_that_fills_most_of_the_image() -> None:
    """A rough wall has a hundred times the noise of the sky, and looks full of sources without it."""
    shape, wall = (400, 400), 240
    places = [p for p in scattered(40, shape, margin=16, apart=24) if p[0] > wall + 40]
    picture = star_picture(places, shape, flux=600)
    chance = np.random.default_rng(4)
    picture[:, :wall] = 400 + 300 * chance.standard_normal((shape[0], wall))
    image = from_array(picture)
    everywhere, locally = (detect_sources(image, DetectionSettings(1, local_noise=local)) for local in (False, True))
    assert sum(everywhere["x"] > wall) < len(places) / 2
    assert sum(locally["x"] > wall + 20) >= 0.9 * len(places)


@pytest.mark.parametrize("local_noise", [False, True])
def test_a_steep_sky_does_not_count_as_noise(*, local_noise: bool) -> None:
    """Beside the Moon or a town, the sky rises within one cell by many times its noise."""
    shape = (400, 600)
    places = scattered(30, shape, margin=20, apart=30)
    picture = star_picture(places, shape, flux=4000) + 40 * np.arange(shape[1])
    table = detect_sources(from_array(picture), DetectionSettings(1, local_noise=local_noise))
    found = [np.hypot(table["x"] - x, table["y"] - y).min() < 0.5 for x, y in places]
    assert sum(found) >= 0.8 * len(places)


def test_local_noise_of_a_flat_sky_is_not_zero() -> None:
    """Cells without noise beside noisy ones do not turn rounding errors of the background into sources."""
    shape = (400, 600)
    picture = star_picture(scattered(30, shape, apart=30), shape, flux=2000)
    picture[:260] = 0
    assert len(detect_sources(from_array(picture), DetectionSettings(1, local_noise=True))) < 60


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1),
    st.sampled_from(["normal", "speckle", "huge", "holes", "binary"]), st.sampled_from([1, 2, 3, 4]),
)  # fmt: skip
def test_stars_of_any_pixels_are_finite_and_inside_the_image(
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
from novacli.extraction.detect import DetectionSettings, detect_sources
def peak():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
field = open_field(FileInput(sys.argv[1]))
for binning in (4, 2, 1):
    detect_sources(field, DetectionSettings(binning))
print((peak() - before) / (4 * field.width * field.height))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see a process's peak memory")
def test_reading_and_extraction_peak_below_three_times_the_float32_image(tmp_path: Path) -> None:
    """20 megapixels with a mask, at every binning; measured for the whole process."""
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


def test_the_noise_of_a_large_image_is_measured_in_a_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The part has cells from all over the image, whose sky rises to one side."""
    pixels = np.random.default_rng(3).normal(100, 5, (640, 640)).astype(np.float32) + np.arange(640, dtype=np.float32)
    whole = float(detect._subtract_background(pixels.copy(), None, 16, local=False))
    sampled: list[int] = []
    background = sep.Background

    def count(data: NDArray[np.float32], **options: Any) -> Any:
        sampled.append(data.size)
        return background(data, **options)

    monkeypatch.setattr(sep, "Background", count)
    monkeypatch.setattr(detect, "_SAMPLE_PX", pixels.size // 4)
    assert float(detect._subtract_background(pixels.copy(), None, 16, local=False)) == pytest.approx(whole, rel=0.03)
    assert sampled == [pixels.size, pixels.size // 8]
