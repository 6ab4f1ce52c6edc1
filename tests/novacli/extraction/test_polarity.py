"""Recognition of negatives: dark stars are inverted, and ordinary pictures stay as they are."""

from __future__ import annotations

import io

import numpy as np
import pytest
from made_sky import scattered, star_picture
from made_star_lists import PLACES, SHAPE, assert_each_is_found
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from novacli.extraction.detect import DetectionSettings
from novacli.extraction.extractor import StarExtractor
from novacli.extraction.order import StarOrder
from novacli.extraction.polarity import with_bright_stars
from novacli.inputs import from_array
from novacli.records.field import Image, Origin, StarList

SKY = star_picture(PLACES, SHAPE, flux=60_000)
#: A twilight sky with stars, in 8 bits.
TWILIGHT = np.clip(star_picture(scattered(60, (480, 640)), (480, 640), flux=900, noise=2) + 40, 0, 255).astype(np.uint8)


def as_jpeg(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return an 8-bit picture as it is after JPEG compression."""
    stored = io.BytesIO()
    Picture.fromarray(pixels.astype(np.uint8)).save(stored, "JPEG", quality=85)
    return np.asarray(Picture.open(stored))


def is_inverted(pixels: NDArray[np.generic], invert: bool | None = None) -> bool:
    image = from_array(pixels)
    return with_bright_stars(image, invert) is not image


def in_8_bits(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = np.percentile(pixels, (1, 99.9))
    return np.clip((pixels - low) / (high - low) * 255, 0, 255)


@pytest.mark.parametrize("negative", [-SKY, 65535 - SKY, 255 - in_8_bits(SKY), as_jpeg(255 - in_8_bits(SKY))],
                         ids=["negated", "16 bits", "8 bits", "JPEG"])  # fmt: skip
def test_the_stars_of_a_negative_are_found(negative: NDArray[np.generic]) -> None:
    extractor = StarExtractor(from_array(negative))
    stars = extractor.stars(DetectionSettings(1), StarOrder.FLUX)
    assert_each_is_found(stars, PLACES, tolerance_px=0.3)
    assert extractor.field.notes == (
        "took the picture as a negative, with stars darker than the sky: "
        "give --no-invert (invert=False in Python) if that is wrong",
    )


def test_six_dark_stars_are_enough() -> None:
    assert is_inverted(1000 - star_picture(PLACES[:6], SHAPE, flux=20_000))


def test_masked_pixels_do_not_hide_a_negative() -> None:
    picture = 65535 - SKY
    picture[:, :40] = np.nan
    picture[100:110, 100:110] = -3.4e38
    image = with_bright_stars(from_array(picture), None)
    assert isinstance(image, Image)
    assert image.notes
    assert image.mask is not None
    assert image.mask[105, 105]
    assert not image.pixels[image.mask].any()
    assert image.pixels[~image.mask].min() > 0


def test_a_negative_mosaic_is_recognised() -> None:
    picture = 65535 - star_picture(PLACES, SHAPE, flux=200_000, fwhm=5)
    picture[::2, ::2] -= 3000
    image = from_array(picture, header={"BAYERPAT": "RGGB"})
    assert image.is_mosaic
    assert with_bright_stars(image, None) is not image


def with_text(ink: int, labels: int) -> NDArray[np.uint8]:
    picture = Picture.fromarray(TWILIGHT)
    draw, chance = ImageDraw.Draw(picture), np.random.default_rng(5)
    for _ in range(labels):
        place = chance.uniform(0, 560), chance.uniform(0, 460)
        draw.text(place, "HD 35468", fill=ink, font=ImageFont.load_default(12))
    return np.asarray(picture)


def with_branches() -> NDArray[np.uint8]:
    """A twilight sky behind dark twigs and leaves."""
    picture = Picture.fromarray(TWILIGHT)
    draw, chance = ImageDraw.Draw(picture), np.random.default_rng(6)
    for _ in range(500):
        x, y = chance.uniform(0, 640), chance.uniform(200, 480)
        draw.line((x, y, x + chance.normal(0, 12), y + chance.normal(0, 12)), fill=8, width=2)
        draw.ellipse((x - 4, y - 3, x + 4, y + 3), fill=10)
    return np.asarray(picture)


def with_dark_clouds(width_px: float) -> NDArray[np.float32]:
    """Stars before a bright nebula with dark clouds of about this size, whose edges are soft."""
    picture = star_picture(scattered(40, SHAPE), SHAPE, flux=3000)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for x, y in scattered(25, SHAPE):
        picture -= 40 * np.exp(-((columns - x - 6) ** 2 + (rows - y - 6) ** 2) / (2 * width_px**2))
    return picture.astype(np.float32)


def dusty_flat() -> NDArray[np.float64]:
    """A flat field with vignetting, shadows of dust and dead pixels."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    chance = np.random.default_rng(7)
    picture = 30_000 - 0.1 * ((columns - 150) ** 2 + (rows - 100) ** 2) + chance.normal(0, 100, SHAPE)
    for x, y in scattered(8, SHAPE):
        picture *= 1 - 0.03 * np.exp(-((np.hypot(columns - x, rows - y) / chance.uniform(8, 20)) ** 4))
    picture[chance.random(SHAPE) < 0.001] = 0
    return picture


ORDINARY = {
    "stars": SKY,
    "stars in 8 bits": as_jpeg(in_8_bits(SKY)),
    "no stars": star_picture([], SHAPE),
    "black": np.zeros(SHAPE, np.float32),
    "one pixel": np.ones((1, 1), np.float32),
    "few black labels": as_jpeg(with_text(0, 20)),
    "many black labels": as_jpeg(with_text(0, 150)),
    "white labels": as_jpeg(with_text(255, 80)),
    "branches": as_jpeg(with_branches()),
    "globules": with_dark_clouds(3),
    "dark nebulae": with_dark_clouds(15),
    "flat": dusty_flat(),
    "dead pixels": np.where(np.random.default_rng(8).random(SHAPE) < 0.002, 0, SKY + 1000),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_picture_is_not_inverted(name: str) -> None:
    assert not is_inverted(ORDINARY[name])


def test_the_user_decides_if_asked() -> None:
    image = from_array(SKY)
    inverted = with_bright_stars(image, True)
    assert inverted.notes == ("inverted the picture, as asked",)
    assert isinstance(inverted, Image)
    assert inverted.pixels + image.pixels == pytest.approx(image.pixels.max() + image.pixels.min(), rel=1e-6)
    assert not is_inverted(65535 - SKY, invert=False)


def test_a_star_list_stays_as_it_is() -> None:
    place = np.arange(1.0, 6.0)
    stars = StarList(place, place, None, 10, 10, {}, Origin("a.csv", "a.csv", "text"))
    assert with_bright_stars(stars, True) is stars
