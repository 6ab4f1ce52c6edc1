"""Images in colour at a reduced size."""

from __future__ import annotations

import io
from pathlib import Path

import fitsio
import numpy as np
import pytest
import tifffile
from PIL import Image

from novacli.errors import DataError
from novacli.inputs import FileInput
from novacli.inputs.reduced import read_reduced
from novacli.inputs.reduction import Reduction

RNG = np.random.default_rng(7)
COLOURS = RNG.integers(0, 255, (47, 90, 3), np.uint8)


def boxes(values: np.ndarray, step: int) -> np.ndarray:
    """Return the means of boxes of pixels, as a plain loop computes them."""
    height, width = values.shape[:2]
    rows = range(0, height, step), range(0, width, step)
    return np.array([[np.nanmean(values[y : y + step, x : x + step], axis=(0, 1)) for x in rows[1]] for y in rows[0]])


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm", ".fits", ".bmp"])
def test_every_reader_gives_colours_averaged_in_boxes(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".fits":
        fitsio.write(path, np.moveaxis(COLOURS, 2, 0).astype("f4"))
    elif suffix == ".tif":
        tifffile.imwrite(path, COLOURS, tile=(16, 16), photometric="rgb", compression="zlib")
    else:
        Image.fromarray(COLOURS).save(path)
    image = read_reduced(FileInput(str(path)), 30)
    assert (image.step, image.full_width, image.full_height) == (3, 90, 47)
    assert image.is_fits_like == (suffix == ".fits")
    assert image.white == (None if suffix == ".fits" else 255)
    np.testing.assert_allclose(image.values, boxes(COLOURS.astype(float), 3), rtol=1e-5)


def test_a_jpeg_is_decoded_at_a_reduced_size(tmp_path: Path) -> None:
    """The step counts the reduction of the decoder, too; the right edge lies where it was."""
    smooth = np.linspace(0, 250, 640, dtype=np.uint8)[np.newaxis, :, np.newaxis].repeat(400, 0).repeat(3, 2)
    path = tmp_path / "a.jpg"
    Image.fromarray(smooth).save(path, quality=95)
    image = read_reduced(FileInput(str(path)), 75)
    assert (image.step, image.values.shape) == (8, (50, 80, 3))
    np.testing.assert_allclose(image.values, boxes(smooth.astype(float), 8), atol=2)


def test_masked_pixels_do_not_count(tmp_path: Path) -> None:
    """A box in which all pixels are masked is NaN."""
    values = RNG.normal(100, 3, (12, 12)).astype("f4")
    values[0:4, 0:4], values[5, 5], values[9, 9] = np.nan, np.inf, np.nan
    path = tmp_path / "a.fits"
    fitsio.write(path, values)
    image = read_reduced(FileInput(str(path)), 3)
    expected = boxes(np.where(np.isfinite(values), values, np.nan)[:, :, np.newaxis][4:], 4)
    assert np.isnan(image.values[0, 0, 0])
    np.testing.assert_allclose(image.values[1:], expected, rtol=1e-5)


def test_the_colours_of_a_mosaic_are_mixed(tmp_path: Path) -> None:
    """A grey sky through a Bayer filter is even; the place of a step stays."""
    values = np.tile(np.array([[100, 200], [300, 400]], "f4"), (6, 8))
    path = tmp_path / "a.fits"
    fitsio.write(path, values, header={"BAYERPAT": "RGGB"})
    image = read_reduced(FileInput(str(path)), 16)
    np.testing.assert_allclose(image.values, np.full((12, 16, 1), 250.0))


def test_blocks_that_start_within_a_box_are_added() -> None:
    values = RNG.normal(0, 1, (11, 9)).astype("f4")
    reduction = Reduction(2)
    reduction.collect(11, 9, [(0, 0, values[:3]), (3, 0, values[3:, :5]), (3, 5, values[3:, 5:])])
    assert reduction.step == 5
    np.testing.assert_allclose(reduction.values[:, :, 0], boxes(values, 5), rtol=1e-4, atol=1e-6)


def test_a_star_list_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "stars.csv"
    path.write_text("x,y,flux\n" + "".join(f"{n},{n},{9 - n}\n" for n in range(1, 8)))
    with pytest.raises(DataError, match="star list: name the image by --image"):
        read_reduced(FileInput(str(path)), 100)


def test_a_truncated_picture_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.fromarray(COLOURS).save(out, "JPEG")
    path = tmp_path / "a.jpg"
    path.write_bytes(out.getvalue()[:-600])
    with pytest.raises(DataError, match="truncated"):
        read_reduced(FileInput(str(path)), 30)
