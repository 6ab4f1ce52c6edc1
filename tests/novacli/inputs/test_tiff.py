"""TIFF files as cameras and image software write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from novacli.errors import DataError
from novacli.inputs import FileInput, Limits, open_field, pixels
from novacli.records.field import Image


def read_image(path: Path, **options: object) -> Image:
    field = open_field(FileInput(str(path)), **options)  # type: ignore[arg-type]
    assert isinstance(field, Image)
    return field


def write(path: Path, array: NDArray[np.generic], **options: object) -> Path:
    tifffile.imwrite(path, array, metadata=None, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", "f8"])
@pytest.mark.parametrize("layout", [{}, {"rowsperstrip": 7}, {"tile": (16, 32)}])
@pytest.mark.parametrize("colours", [1, 3])
def test_grey_and_colour_of_every_depth_are_read(
    tmp_path: Path, compression: str | None, dtype: str, layout: dict[str, object], colours: int
) -> None:
    """16-bit integers and floats keep their values, in strips and in tiles."""
    grey = (np.arange(40 * 60) % 200).reshape(40, 60).astype(dtype) * np.array(200 if dtype == "u2" else 1, dtype)
    array = grey if colours == 1 else np.stack([grey, grey + 3, grey + 6], axis=2).astype(dtype)
    photometric = "minisblack" if colours == 1 else "rgb"
    path = write(tmp_path / "x.tif", array, compression=compression, photometric=photometric, **layout)
    field = read_image(path)
    np.testing.assert_allclose(field.pixels, grey.astype(float) + (3 if colours == 3 else 0), rtol=1e-6)
    assert (field.mask, field.is_fits_like, field.origin.format) == (None, False, "TIFF")


@pytest.mark.parametrize("options", [{"byteorder": ">"}, {"bigtiff": True}, {"predictor": True, "compression": "lzw"}])
def test_byte_orders_bigtiff_and_predictors_are_read(
    tmp_path: Path, ramp: NDArray[np.uint16], options: dict[str, object]
) -> None:
    np.testing.assert_array_equal(read_image(write(tmp_path / "x.tif", ramp, **options)).pixels, ramp)


def test_separate_planes_are_averaged(tmp_path: Path, ramp: NDArray[np.uint16]) -> None:
    """Planar configuration 2."""
    path = write(tmp_path / "x.tif", np.stack([ramp, ramp + 3, ramp + 6]), photometric="rgb", planarconfig="separate")
    np.testing.assert_allclose(read_image(path).pixels, ramp + 3)


def test_alpha_is_ignored(tmp_path: Path, ramp: NDArray[np.uint16]) -> None:
    """A fourth sample is not a colour."""
    rgba = np.stack([ramp, ramp, ramp, np.zeros_like(ramp)], axis=2)
    path = write(tmp_path / "x.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_allclose(read_image(path).pixels, ramp)


def test_white_is_zero_is_inverted(tmp_path: Path, ramp: NDArray[np.uint16]) -> None:
    """Scanned plates: stars must be bright."""
    path = write(tmp_path / "x.tif", ramp, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(path).pixels, 65535 - ramp)


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    """The stored numbers are not brightness."""
    colormap = np.zeros((3, 256), dtype=np.uint16)
    colormap[:, 5] = (300, 600, 900)
    path = write(tmp_path / "x.tif", np.full((20, 20), 5, np.uint8), photometric="palette", colormap=colormap)
    np.testing.assert_allclose(read_image(path).pixels, 600)


def test_cmyk_is_bright_in_places_without_ink(tmp_path: Path) -> None:
    """Black ink darkens all three colours."""
    inks = np.zeros((20, 20, 4), dtype=np.uint8)
    inks[:, 10:, 3] = 255
    field = read_image(write(tmp_path / "x.tif", inks, photometric="separated"))
    np.testing.assert_allclose(field.pixels[:, :10], 255)
    np.testing.assert_allclose(field.pixels[:, 10:], 0)


def test_nan_is_masked(tmp_path: Path) -> None:
    """Stacked images have such borders."""
    array = np.ones((20, 20), dtype=np.float32)
    array[3, 4] = np.nan
    field = read_image(write(tmp_path / "x.tif", array))
    assert field.mask is not None
    assert np.argwhere(field.mask).tolist() == [[3, 4]]


def test_the_first_page_of_several_is_read(tmp_path: Path, ramp: NDArray[np.uint16]) -> None:
    """A note says so."""
    path = write(tmp_path / "x.tif", np.stack([ramp, ramp + 1]), photometric="minisblack")
    field = read_image(path)
    np.testing.assert_array_equal(field.pixels, ramp)
    assert field.notes == ("read the first page of several",)


def test_blocks_of_rows_join_without_a_seam(
    tmp_path: Path, ramp: NDArray[np.uint16], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last block is shorter."""
    monkeypatch.setattr(pixels, "BLOCK_PIXELS", 60 * 7)
    np.testing.assert_array_equal(read_image(write(tmp_path / "x.tif", ramp)).pixels, ramp)


def test_exif_is_read_and_moves_no_pixels(tmp_path: Path, ramp: NDArray[np.uint16]) -> None:
    """Tags of the first directory are read; the orientation is ignored."""
    tags = [(271, "s", 0, "Nikon", True), (272, "s", 0, "D750", True), (274, "H", 1, 6, True)]
    field = read_image(write(tmp_path / "x.tif", ramp, extratags=tags))
    assert field.header == {"EXIF Make": "Nikon", "EXIF Model": "D750", "EXIF Orientation": 6}
    np.testing.assert_array_equal(field.pixels, ramp)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_truncated_file_is_an_error(tmp_path: Path, compression: str | None) -> None:
    """It is recognised by the offsets in its directory."""
    noise = np.random.default_rng(2).integers(0, 60000, (100, 100), dtype=np.uint16)
    whole = write(tmp_path / "whole.tif", noise, compression=compression).read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.tif is truncated: at least \d+ bytes are missing"):
        read_image(tmp_path / "cut.tif")


@pytest.mark.parametrize("content", [b"II*\0\x08\0\0\0", b"II*\0" + b"\xff" * 200, b"MM\0*" + b"\0" * 200])
def test_a_damaged_file_is_a_one_line_error(tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """The log of tifffile does not reach the terminal."""
    (tmp_path / "bad.tif").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.tif is a damaged or unusual TIFF file"):
        read_image(tmp_path / "bad.tif")
    assert capfd.readouterr().err == ""


def test_the_error_about_too_many_pixels_names_the_limit(tmp_path: Path, ramp: NDArray[np.uint16]) -> None:
    """It is raised before pixels are decoded."""
    with pytest.raises(DataError, match=r"above the limit of 10 \(max_pixels\)"):
        read_image(write(tmp_path / "x.tif", ramp), limits=Limits(max_pixels=10))


def test_complex_pixels_are_refused(tmp_path: Path) -> None:
    """They do not form an image."""
    with pytest.raises(DataError, match="not hold real numbers as pixels"):
        read_image(write(tmp_path / "x.tif", np.ones((8, 8), dtype=np.complex64)))
