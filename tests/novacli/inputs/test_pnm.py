"""PGM, PPM and PFM: every bit of 16, colours, ASCII, byte orders, and damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Picture

from novacli.errors import DataError, NovaError
from novacli.exports.original_pixels import stored_pixels
from novacli.inputs import DEFAULT_LIMITS, FileInput, Limits, open_field, pixels
from novacli.records.field import Image

HEIGHT, WIDTH = 40, 60
GREY = (np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH) * 27 + 7).astype(np.uint16)
COLOUR = np.stack([GREY, GREY // 2, 65535 - GREY], axis=2)


def pnm(kind: str, values: NDArray[np.generic], largest: object, comment: str = "") -> bytes:
    head = f"P{kind}\n{comment}{WIDTH} {HEIGHT}\n{largest}\n".encode()
    if kind in "23":
        return head + "\n".join(" ".join(map(str, row.ravel().tolist())) for row in values).encode() + b"\n"
    return head + values.tobytes()


def read_image(path: Path, content: bytes, limits: Limits = DEFAULT_LIMITS) -> Image:
    path.write_bytes(content)
    field = open_field(FileInput(str(path)), limits=limits)
    assert isinstance(field, Image)
    return field


KINDS = {
    "P5, 16 bits": (pnm("5", GREY.astype(">u2"), 65535), GREY),
    "P5, 12 bits": (pnm("5", (GREY // 16).astype(">u2"), 4095), GREY // 16),
    "P5, values above the largest": (pnm("5", GREY.astype(">u2"), 1000), GREY),
    "P5, 8 bits": (pnm("5", (GREY // 256).astype("u1"), 255), GREY // 256),
    "P6, 16 bits": (pnm("6", COLOUR.astype(">u2"), 65535), COLOUR),
    "P6, 8 bits": (pnm("6", (COLOUR // 256).astype("u1"), 255), COLOUR // 256),
    "P2": (pnm("2", GREY, 65535), GREY),
    "P3": (pnm("3", COLOUR, 65535), COLOUR),
    "comments": (pnm("5", GREY.astype(">u2"), 65535, "# made by a camera\n#\n # and another\n"), GREY),
    "Pf, little-endian": (pnm("f", GREY.astype("<f4") / 7, -1.0), GREY.astype("f4") / 7),
    "Pf, big-endian": (pnm("f", (GREY.astype("f4") / 7).astype(">f4"), "1.0"), GREY.astype("f4") / 7),
    "PF": (pnm("F", COLOUR.astype("<f4") / 7, "-1"), COLOUR.astype("f4") / 7),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_exact_and_the_first_row_is_first(tmp_path: Path, kind: str) -> None:
    content, expected = KINDS[kind]
    image = read_image(tmp_path / "a.pnm", content)
    mean = expected.astype(np.float64).mean(axis=2) if expected.ndim == 3 else expected
    np.testing.assert_allclose(image.pixels, mean, rtol=1e-6)
    assert (image.mask, image.origin.format) == (None, "PNM")
    assert image.is_fits_like == (expected.dtype.kind == "f"), "PFM begins with the lowest row"
    stored = stored_pixels(str(tmp_path / "a.pnm"), DEFAULT_LIMITS)
    np.testing.assert_array_equal(stored, expected)
    assert stored.dtype.isnative


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_of_a_few_rows_give_the_same_image(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content, _ = KINDS[kind]
    whole = read_image(tmp_path / "a", content).pixels
    monkeypatch.setattr(pixels, "BLOCK_PIXELS", 7 * WIDTH)
    monkeypatch.setattr("novacli.inputs.pnm.CHUNK_BYTES", 101)
    np.testing.assert_array_equal(read_image(tmp_path / "b", content).pixels, whole)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_what_pillow_writes_is_read(tmp_path: Path, mode: str) -> None:
    picture = Picture.fromarray((GREY // 256).astype(np.uint8)).convert(mode)
    picture.save(tmp_path / "a.ppm")
    np.testing.assert_array_equal(read_image(tmp_path / "a.ppm", (tmp_path / "a.ppm").read_bytes()).pixels, GREY // 256)


def test_values_of_a_pfm_that_are_not_numbers_are_masked(tmp_path: Path) -> None:
    values = GREY.astype("<f4")
    values[3, 4] = np.nan
    image = read_image(tmp_path / "a.pfm", pnm("f", values, -1.0))
    assert image.mask is not None
    assert np.argwhere(image.mask).tolist() == [[3, 4]]


WHOLE = pnm("5", GREY.astype(">u2"), 65535)
ASCII = pnm("2", GREY, 65535)
BAD = {
    "truncated": (WHOLE[:-1], "is truncated: its pixels end too early; copy it again"),
    "truncated ASCII": (ASCII[:-200], "is truncated: its pixels end too early"),
    "far too short": (b"P5\n20000 20000\n255\nabc", "is truncated: its pixels end too early"),
    "words": (ASCII.replace(b" 196 ", b" sky "), "is a damaged PNM file: copy or export it again"),
    "negative": (ASCII.replace(b" 196 ", b" -96 "), "is a damaged PNM file"),
    "too large": (ASCII.replace(b" 196 ", b" 70000 "), "is a damaged PNM file"),
    "a long number": (ASCII[:200] + b"1" * 3_000_000, "is a damaged PNM file"),
    "largest value": (WHOLE.replace(b"65535", b"70000"), "is a damaged PNM file"),
    "no pixels": (b"P5\n0 5\n255\n", "holds an image of 0 x 5 pixels"),
    "size": (b"P5\n99999 99999\n255\n" + bytes(99), "is truncated|above the limit"),
    "no size": (b"P5\nwide high\n255\n" + bytes(99), "is neither an image nor a source list"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_damaged_file_is_a_one_line_error(tmp_path: Path, case: str) -> None:
    content, message = BAD[case]
    with pytest.raises(DataError, match=message) as caught:
        read_image(tmp_path / "bad.pgm", content)
    assert "\n" not in str(caught.value)


def test_an_image_above_the_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has 60 x 40 pixels, above the limit of 2399"):
        read_image(tmp_path / "a.pgm", WHOLE, Limits(max_pixels=2399))


@pytest.mark.parametrize("place", range(18))
def test_a_changed_byte_in_the_header_gives_an_image_or_an_error(tmp_path: Path, place: int) -> None:
    for value in (0, 32, 48, 57, 35, 255):
        content = bytearray(WHOLE)
        content[place] = value
        try:
            assert read_image(tmp_path / "a.pgm", bytes(content)).pixels.size
        except NovaError as exc:
            assert "\n" not in str(exc)


def test_a_star_list_with_names_like_the_magic_bytes_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("name x y\n" + "".join(f"P{n} {n}.5 {n + 3}.5\n" for n in range(2, 8)))
    assert open_field(FileInput(str(tmp_path / "a.txt"))).origin.format == "text"
