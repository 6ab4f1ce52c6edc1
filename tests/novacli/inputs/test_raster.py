"""JPEG, PNG, GIF, WebP and BMP."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PilImage
from PIL.TiffImagePlugin import IFDRational

from novacli.errors import DataError
from novacli.inputs import FileInput, Limits, open_field, pixels
from novacli.records.field import Image

GREY = (np.arange(40 * 60) % 251).reshape(40, 60).astype(np.uint8)
COLOUR = np.stack([GREY, GREY // 2, 255 - GREY], axis=2)
MEAN = COLOUR.mean(axis=2)


def read_image(path: Path, **options: object) -> Image:
    field = open_field(FileInput(str(path)), **options)  # type: ignore[arg-type]
    assert isinstance(field, Image)
    return field


def save(path: Path, array: NDArray[np.generic], mode: str | None = None, **options: object) -> Path:
    picture = PilImage.fromarray(array)
    (picture.convert(mode) if mode else picture).save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif"])
def test_grey_is_exact_and_the_first_row_is_first(tmp_path: Path, suffix: str) -> None:
    """In lossless formats; there is no mask, and y = 1 is the first row."""
    field = read_image(save(tmp_path / f"x.{suffix}", GREY))
    np.testing.assert_array_equal(field.pixels, GREY)
    assert (field.mask, field.is_fits_like, field.is_mosaic) == (None, False, False)


@pytest.mark.parametrize(("suffix", "word"), [("png", "PNG"), ("bmp", "BMP"), ("webp", "WebP")])
def test_colours_are_averaged(tmp_path: Path, suffix: str, word: str) -> None:
    """In float32: nothing is rounded to 8 bits."""
    options = {"lossless": True} if suffix == "webp" else {}
    field = read_image(save(tmp_path / f"x.{suffix}", COLOUR, **options))
    np.testing.assert_allclose(field.pixels, MEAN, atol=1e-4)
    assert (field.width, field.height, field.origin.format) == (60, 40, word)


@pytest.mark.parametrize("alpha", [0, 255])
def test_alpha_is_ignored(tmp_path: Path, alpha: int) -> None:
    """A transparent pixel keeps its colour."""
    rgba = np.dstack([COLOUR, np.full((40, 60), alpha, dtype=np.uint8)])
    np.testing.assert_allclose(read_image(save(tmp_path / "x.png", rgba)).pixels, MEAN, atol=1e-4)


@pytest.mark.parametrize("mode", ["P", "1", "LA"])
def test_other_modes_are_read(tmp_path: Path, mode: str) -> None:
    """Palette, bilevel, and grey with alpha."""
    path = save(tmp_path / "x.png", GREY, mode)
    expected = np.asarray(PilImage.open(path).convert("RGB"))[:, :, 0]
    np.testing.assert_allclose(read_image(path).pixels, expected, atol=1e-4)


def test_a_16_bit_grey_png_keeps_its_bits(tmp_path: Path, ramp: NDArray[np.uint16]) -> None:
    """Some cameras write them."""
    np.testing.assert_array_equal(read_image(save(tmp_path / "x.png", ramp)).pixels, ramp)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_a_16_bit_colour_png_keeps_its_bits(tmp_path: Path, ramp: NDArray[np.uint16], channels: int) -> None:
    """Pillow alone would cut it to 8."""
    stack = np.stack([ramp + k for k in range(channels)], axis=2)
    (tmp_path / "x.png").write_bytes(imagecodecs.png_encode(stack))
    expected = ramp if channels == 2 else ramp + 1
    np.testing.assert_allclose(read_image(tmp_path / "x.png").pixels, expected, rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_jpeg_is_read(tmp_path: Path, options: dict[str, bool]) -> None:
    """Baseline and progressive ones."""
    field = read_image(save(tmp_path / "x.jpg", GREY // 8 + 90, quality=100, **options))
    np.testing.assert_allclose(field.pixels, GREY // 8 + 90, atol=3)


def test_a_cmyk_jpeg_is_bright_in_places_without_ink(tmp_path: Path) -> None:
    """Such files store the negative."""
    half = np.zeros((40, 60, 3), dtype=np.uint8)
    half[:, 30:] = 240
    field = read_image(save(tmp_path / "x.jpg", half, "CMYK", quality=100))
    assert field.pixels[:, :28].mean() < 20
    assert field.pixels[:, 32:].mean() > 220


def test_blocks_of_rows_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last block is shorter."""
    monkeypatch.setattr(pixels, "BLOCK_PIXELS", 60 * 7)
    np.testing.assert_allclose(read_image(save(tmp_path / "x.png", COLOUR)).pixels, MEAN, atol=1e-4)


def test_the_first_frame_of_several_is_read(tmp_path: Path) -> None:
    """A note says so."""
    frames = [PilImage.fromarray(GREY), PilImage.fromarray(255 - GREY)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    field = read_image(tmp_path / "x.gif")
    np.testing.assert_array_equal(field.pixels, GREY)
    assert field.notes == ("read the first frame of several",)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_exif_moves_no_pixels_and_gives_plain_values(tmp_path: Path, orientation: int) -> None:
    """Rationals become floats, enumerations integers, and 0/0 is left out."""
    exif = PilImage.Exif()
    exif[271], exif[272], exif[274] = "Canon", "EOS 6D\0", orientation
    inner = exif.get_ifd(34665)
    inner.update({37386: IFDRational(85, 2), 41989: 85, 41486: IFDRational(0, 0), 41488: 2})
    inner.update({36867: "2024:01:02 03:04:05", 40962: 5472, 40963: 3648})
    field = read_image(save(tmp_path / "x.jpg", GREY, exif=exif))
    assert (field.width, field.height) == (60, 40)
    assert field.header == {
        "EXIF Make": "Canon",
        "EXIF Model": "EOS 6D",
        "EXIF Orientation": orientation,
        "EXIF FocalLength": 42.5,
        "EXIF FocalLengthIn35mmFilm": 85,
        "EXIF FocalPlaneResolutionUnit": 2,
        "EXIF DateTimeOriginal": "2024:01:02 03:04:05",
        "EXIF PixelXDimension": 5472,
        "EXIF PixelYDimension": 3648,
    }


def test_an_image_with_damaged_exif_is_read(tmp_path: Path) -> None:
    """It has no hints then; a note says so if Pillow notices the damage."""
    path = save(tmp_path / "x.jpg", GREY, exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xfe" * 40)
    assert read_image(path).header == {}


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "bmp"])
@pytest.mark.parametrize("share", [0.9, 0.5, 0.02])
def test_a_truncated_picture_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    """At any place of the cut."""
    noise = np.random.default_rng(5).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    whole = save(tmp_path / f"whole.{suffix}", noise).read_bytes()
    (tmp_path / f"cut.{suffix}").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=rf"cut\.{suffix} is (truncated|a damaged)"):
        read_image(tmp_path / f"cut.{suffix}")


def test_a_jpeg_cut_in_its_pixels_is_called_truncated(tmp_path: Path) -> None:
    """It is not called damaged, since copying it again helps."""
    whole = save(tmp_path / "whole.jpg", COLOUR, quality=95).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[:-400])
    with pytest.raises(DataError, match=r"cut\.jpg is truncated: its JPEG data end too early"):
        read_image(tmp_path / "cut.jpg")


@pytest.mark.parametrize("magic", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x00\x10\x00\x00WEBP"])
def test_a_magic_number_alone_is_a_damaged_picture(tmp_path: Path, magic: bytes) -> None:
    """The error is one line of ours, not Pillow's."""
    (tmp_path / "x.bin").write_bytes(magic + b"\x07" * 200)
    with pytest.raises(DataError, match=r"x\.bin is (truncated|a damaged)"):
        read_image(tmp_path / "x.bin")


def test_the_limit_of_pixels_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's own limit has no effect, and stays unchanged for other users of Pillow."""
    monkeypatch.setattr(PilImage, "MAX_IMAGE_PIXELS", 100)
    path = save(tmp_path / "x.png", GREY)
    assert read_image(path).width == 60
    assert PilImage.MAX_IMAGE_PIXELS == 100
    with pytest.raises(DataError, match=r"60 x 40 pixels, above the limit of 2000 \(max_pixels\)"):
        read_image(path, limits=Limits(max_pixels=2000))


def test_an_image_is_recognised_by_its_content(tmp_path: Path) -> None:
    """A PNG named .jpg is a PNG."""
    save(tmp_path / "x.png", GREY).rename(tmp_path / "x.jpg")
    assert read_image(tmp_path / "x.jpg").origin.format == "PNG"
