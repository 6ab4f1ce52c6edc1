from __future__ import annotations

import bz2
import gzip
import io
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from made_results import solution_of

from novacli.errors import DataError, InputMissingError, OutputError, UsageError
from novacli.exports.fits_copy import new_fits, write_pixels
from novacli.fits import cards
from novacli.records.field import Origin
from novacli.solution.tables import astropy_wcs
from novacli.wcs.header import cards as solution_cards
from novacli.wcs.sphere import separation_arcsec
from novacli.wcs.tansip import TanSip
from solvehost.formats import fitsfile

from .conftest import HEIGHT, SOLUTION, WIDTH, hdu_list, origin

SOLVED: TanSip = solution_of(SOLUTION)


def assert_same_sky(header: fits.Header) -> None:
    """astropy reads the same sky from ``header`` as from wcs.fits, on a pixel grid, to a microarcsecond."""
    ours, engines = WCS(header, naxis=2), astropy_wcs(SOLVED)
    x, y = (v.ravel() for v in np.meshgrid(np.linspace(1, WIDTH, 7), np.linspace(1, HEIGHT, 5)))
    pairs = zip(_places(ours, x, y), _places(engines, x, y), strict=True)
    assert max(separation_arcsec(one, other) for one, other in pairs) < 1e-6


def _places(wcs: WCS, x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    ra, dec = wcs.all_pix2world(x, y, 1)
    return list(zip(ra.tolist(), dec.tolist(), strict=True))


def pieces(content: bytes) -> list[tuple[bytes, bytes]]:
    """Return (header, data) of each HDU, byte for byte."""
    stream = io.BytesIO(content)
    hdus = list(fitsfile.iter_hdus(stream))
    starts = [offset - header.size for header, offset in hdus]
    ends = [*starts[1:], len(content)]
    return [
        (content[start:offset], content[offset:end]) for start, (_, offset), end in zip(starts, hdus, ends, strict=True)
    ]


def assert_only_header_changed(old: bytes, new: bytes, hdu: int) -> None:
    before, after = pieces(old), pieces(new)
    assert len(before) == len(after)
    for n, ((old_header, old_data), (new_header, new_data)) in enumerate(zip(before, after, strict=True)):
        assert new_data == old_data, f"data of HDU {n}"
        assert (new_header == old_header) == (n != hdu), f"header of HDU {n}"


@pytest.mark.parametrize("hdu", [0, 1])
def test_a_copy_in_which_one_header_changed(image: Path, tmp_path: Path, hdu: int) -> None:
    """All data and the other headers keep every byte; checksums verify; astropy reads the solution."""
    out = tmp_path / "new.fits"
    new_fits(origin(image, hdu), SOLUTION, out)
    assert_only_header_changed(image.read_bytes(), out.read_bytes(), hdu)
    with fits.open(out, checksum=True) as hdus:
        hdus.verify("exception")
        assert_same_sky(hdus[hdu].header)
        assert (hdus[0].data == hdu_list()[0].data).all()


def test_unrelated_cards_survive(image: Path, tmp_path: Path) -> None:
    """Alternate descriptions, HIERARCH, CONTINUE, HISTORY and COMMENT are kept; the old TPV description is removed."""
    out = tmp_path / "new.fits"
    new_fits(origin(image), SOLUTION, out)
    old, new = (cards.split(pieces(p.read_bytes())[0][0]) for p in (image, out))
    gone = [card for card in old if card not in new]
    removed = {"CTYPE1", "CTYPE2", "CRVAL1", "CRVAL2", "CDELT1", "CDELT2", "CROTA2", "PV1_1", "PV2_1"}
    assert {cards.keyword(card) for card in gone} == removed | {"CHECKSUM"}
    kept = [card for card in old if card not in gone]
    assert [card for card in new if card in kept] == kept
    header = fits.getheader(out)
    assert header["LONGNOTE"] == "words " * 29 + "words"
    assert WCS(header, key="A").pixel_scale_matrix[0, 0] == 2


def test_a_header_that_grows_by_a_block(tmp_path: Path) -> None:
    """If the new cards do not fit into the blocks of the header, the data move by a whole block."""
    path, out = tmp_path / "image.fits", tmp_path / "new.fits"
    hdu = fits.PrimaryHDU(np.ones((HEIGHT, WIDTH), "i2"))
    for n in range(25):
        hdu.header[f"KEY{n}"] = n
    hdu.writeto(path)
    new_fits(origin(path), SOLUTION, out)
    assert out.stat().st_size == path.stat().st_size + fitsfile.BLOCK
    assert_only_header_changed(path.read_bytes(), out.read_bytes(), 0)
    assert_same_sky(fits.getheader(out))
    assert "CHECKSUM" not in fits.getheader(out)


def test_full_precision(image: Path, tmp_path: Path) -> None:
    """The numbers have all digits of the engine."""
    out = tmp_path / "new.fits"
    new_fits(origin(image), SOLUTION, out)
    for card in solution_cards(SOLVED):
        assert card in out.read_bytes()


def test_a_tile_compressed_image(tmp_path: Path) -> None:
    """The solution is written into the header of the compressed image; its tiles keep every byte."""
    path, out = tmp_path / "image.fits.fz", tmp_path / "new.fits.fz"
    data = np.random.default_rng(2).integers(0, 999, (HEIGHT, WIDTH), dtype=np.int16)
    compressed = fits.CompImageHDU(data, compression_type="RICE_1")
    compressed.header["CTYPE1"] = "LINEAR"
    fits.HDUList([fits.PrimaryHDU(), compressed]).writeto(path, checksum=True)
    new_fits(origin(path, 1), SOLUTION, out)
    assert_only_header_changed(path.read_bytes(), out.read_bytes(), 1)
    with fits.open(out, checksum=True) as hdus:
        assert_same_sky(hdus[1].header)
        assert (hdus[1].data == data).all()


def test_the_checksum_from_before_compression_goes(tmp_path: Path) -> None:
    """ZHECKSUM covers the old header and is removed; ZDATASUM is still right."""
    path, out = tmp_path / "image.fits.fz", tmp_path / "new.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(np.ones((HEIGHT, WIDTH), "i2"))]).writeto(path)
    content = path.read_bytes()
    end = content.rindex(b"END" + b" " * 77)
    extra = fitsfile.card("ZHECKSUM", "x" * 16) + fitsfile.card("ZDATASUM", "1")
    path.write_bytes(content[:end] + extra + content[end : end + 80] + content[end + 240 :])
    new_fits(origin(path, 1), SOLUTION, out)
    assert b"ZHECKSUM" not in out.read_bytes()
    assert b"ZDATASUM" in out.read_bytes()


@pytest.mark.parametrize(
    ("suffix", "pack", "unpack"), [(".gz", gzip.compress, gzip.decompress), (".bz2", bz2.compress, bz2.decompress)]
)
def test_packed_inputs_and_outputs(
    image: Path, tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes], unpack: Callable[[bytes], bytes]
) -> None:
    """A packed image is unpacked; an output is packed if its own name says so."""
    packed = tmp_path / f"image.fits{suffix}"
    packed.write_bytes(pack(image.read_bytes()))
    new_fits(origin(packed), SOLUTION, tmp_path / "plain.fits")
    new_fits(origin(image), SOLUTION, tmp_path / f"packed.fits{suffix}")
    plain = (tmp_path / "plain.fits").read_bytes()
    assert_only_header_changed(image.read_bytes(), plain, 0)
    again = unpack((tmp_path / f"packed.fits{suffix}").read_bytes())
    assert_only_header_changed(image.read_bytes(), again, 0)


def test_file_names_are_only_names(image: Path, tmp_path: Path) -> None:
    """Brackets and exclamation marks in a name have no special meaning."""
    odd = tmp_path / "a[1].fits"
    shutil.copy(image, odd)
    new_fits(origin(odd), SOLUTION, tmp_path / "!new(x).fits")
    assert_only_header_changed(odd.read_bytes(), (tmp_path / "!new(x).fits").read_bytes(), 0)


def test_a_colour_cube(tmp_path: Path) -> None:
    """The third axis is kept, and astropy reads the sky."""
    path, out = tmp_path / "cube.fits", tmp_path / "new.fits"
    fits.PrimaryHDU(np.ones((3, HEIGHT, WIDTH), "u1")).writeto(path, checksum=True)
    new_fits(origin(path), SOLUTION, out)
    assert_only_header_changed(path.read_bytes(), out.read_bytes(), 0)
    with fits.open(out, checksum=True) as hdus:
        assert_same_sky(hdus[0].header)
        assert WCS(hdus[0].header, naxis=2).celestial.naxis == 2


def test_interleaved_colours_are_refused(tmp_path: Path) -> None:
    """If colour is the first axis, the image is refused and nothing is written."""
    path, out = tmp_path / "rgb.fits", tmp_path / "new.fits"
    fits.PrimaryHDU(np.ones((HEIGHT, WIDTH, 3), "u1")).writeto(path)
    with pytest.raises(UsageError, match=r"rgb\.fits has its colours as the first axis.*use --wcs"):
        new_fits(origin(path), SOLUTION, out)
    assert not out.exists()


def test_another_image_than_the_solved_one(image: Path, tmp_path: Path) -> None:
    """Another size, a missing HDU and a table are errors that name the file."""
    out = tmp_path / "new.fits"
    small = tmp_path / "small.fits"
    fits.PrimaryHDU(np.ones((5, 5), "u1")).writeto(small)
    with pytest.raises(
        DataError, match=r"small\.fits has 5 x 5 pixels in HDU 0, but 60 x 40 were solved: solve the image again$"
    ):
        new_fits(origin(small), SOLUTION, out)
    with pytest.raises(UsageError, match=r"image\.fits has no image in HDU 2"):
        new_fits(origin(image, 2), SOLUTION, out)
    with pytest.raises(DataError, match=r"image\.fits has no HDU 9"):
        new_fits(origin(image, 9), SOLUTION, out)
    with pytest.raises(InputMissingError, match=r"gone\.fits is not there"):
        new_fits(origin(tmp_path / "gone.fits"), SOLUTION, out)
    image.write_bytes(image.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"image\.fits: .*cut short"):
        new_fits(origin(image), SOLUTION, out)
    assert not out.exists()


def test_data_cut_short_behind_the_header_are_copied_as_they_are(image: Path, tmp_path: Path) -> None:
    """An incomplete last block is accepted."""
    path, out = tmp_path / "short.fits", tmp_path / "new.fits"
    content = image.read_bytes()
    path.write_bytes(content[:-100])
    new_fits(origin(path), SOLUTION, out)
    assert out.read_bytes().endswith(content[-3000:-100])
    assert_same_sky(fits.getheader(out))


def test_the_image_itself_is_not_overwritten(image: Path, tmp_path: Path) -> None:
    """A link to the image is recognised, and the message names --update."""
    (tmp_path / "other").symlink_to(image)
    before = image.read_bytes()
    with pytest.raises(UsageError, match="other is the image itself: use --update"):
        new_fits(origin(image), SOLUTION, tmp_path / "other")
    assert image.read_bytes() == before


def test_an_image_from_standard_input(image: Path, tmp_path: Path) -> None:
    """Without a file there is nothing to copy, unless the caller names one with the same bytes."""
    piped = Origin("-", None, "FITS", 0)
    with pytest.raises(UsageError, match="- was not read from a file, which --new-fits needs: save it first"):
        new_fits(piped, SOLUTION, tmp_path / "new.fits")
    new_fits(piped, SOLUTION, tmp_path / "new.fits", local=str(image))
    assert_only_header_changed(image.read_bytes(), (tmp_path / "new.fits").read_bytes(), 0)


def test_an_output_that_cannot_be_written(image: Path, tmp_path: Path) -> None:
    """A missing directory is an OutputError."""
    with pytest.raises(OutputError, match="make its directory first"):
        new_fits(origin(image), SOLUTION, tmp_path / "none" / "new.fits")


def test_memory_stays_small(tmp_path: Path) -> None:
    """A file is copied in blocks: 20 MiB of pixels take a few MiB of memory."""
    path = tmp_path / "large.fits"
    header = fits.PrimaryHDU(np.ones((HEIGHT, WIDTH), "u1")).header
    header["NAXIS"], header["NAXIS3"], header["CHECKSUM"] = 3, 20 * 2**20 // (WIDTH * HEIGHT), "x"
    with path.open("wb") as stream:
        stream.write(header.tostring().encode())
        stream.truncate(stream.tell() + -(-WIDTH * HEIGHT * header["NAXIS3"] // 2880) * 2880)
    tracemalloc.start()
    try:
        new_fits(origin(path), SOLUTION, tmp_path / "new.fits")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * 2**20


# --- Pictures that are not FITS ----------------------------------------------------------------------------------

TYPES = ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "f4", "f8", ">u2", ">f4"]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("channels", [0, 3])
def test_pixels_of_every_type_come_back(tmp_path: Path, dtype: str, channels: int) -> None:
    """Values and type are kept; row 0 is y = 1; colours become planes."""
    shape = (HEIGHT, WIDTH, channels)[: 3 if channels else 2]
    kind = np.dtype(dtype)
    pixels = (np.random.default_rng(3).random(shape) * 255 - (128 if kind.kind == "i" else 0)).astype(kind)
    if kind.kind in "iu":
        pixels.flat[0], pixels.flat[1] = np.iinfo(kind).max, np.iinfo(kind).min
    out = tmp_path / "new.fits"
    write_pixels(pixels, SOLUTION, out)
    with fits.open(out, checksum=True) as hdus:
        hdus.verify("exception")
        read = hdus[0].data if not channels else np.moveaxis(hdus[0].data, 0, 2)
        assert (read == pixels).all()
        assert read.dtype.newbyteorder("=") == kind.newbyteorder("=")
        assert_same_sky(hdus[0].header)


@pytest.mark.parametrize(("dtype", "stored"), [("?", "u1"), ("f2", "f4"), ("u8", "f8")])
def test_types_that_fits_does_not_have(tmp_path: Path, dtype: str, stored: str) -> None:
    """They are stored in the next larger type."""
    write_pixels(np.ones((HEIGHT, WIDTH), dtype), SOLUTION, tmp_path / "new.fits")
    data = fits.getdata(tmp_path / "new.fits")
    assert data.dtype.str[1:] == stored
    assert (data == 1).all()


def picture(mode: str) -> np.ndarray:
    rng = np.random.default_rng(4)
    if mode == "RGB":
        return rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return rng.integers(0, 255 if mode == "L" else 65535, (HEIGHT, WIDTH), dtype=np.uint8 if mode == "L" else np.uint16)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
def test_pictures_keep_their_depth(tmp_path: Path, suffix: str, mode: str) -> None:
    """8-bit and 16-bit grey and RGB keep their values, first stored row first."""
    from PIL import Image

    if (suffix, mode) == ("bmp", "I;16"):
        pytest.skip("BMP has no 16-bit grey")
    data = picture(mode)
    path, out = tmp_path / f"p.{suffix}", tmp_path / "new.fits"
    Image.fromarray(data).save(path)
    new_fits(origin(path, 0, "picture"), SOLUTION, out)
    read = fits.getdata(out)
    assert (read == (np.moveaxis(data, 2, 0) if mode == "RGB" else data)).all()
    assert read.dtype == data.dtype
    assert_same_sky(fits.getheader(out))


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_deep_colour_tiffs(tmp_path: Path, planar: str, dtype: str) -> None:
    """16-bit and float RGB are read, interleaved or in planes, without alpha."""
    import tifffile

    data = (np.random.default_rng(5).random((HEIGHT, WIDTH, 4)) * 60000).astype(dtype)
    stored = data if planar == "contig" else np.moveaxis(data, 2, 0)
    path, out = tmp_path / "p.tif", tmp_path / "new.fits"
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar, extrasamples=["unassalpha"])
    new_fits(origin(path, 0, "TIFF"), SOLUTION, out)
    read = fits.getdata(out)
    assert (np.moveaxis(read, 0, 2) == data[:, :, :3]).all()
    assert read.dtype.str[1:] == dtype


def test_deep_colour_pngs(tmp_path: Path) -> None:
    """16-bit RGB is not cut to 8."""
    import imagecodecs

    data = np.random.default_rng(6).integers(0, 65535, (HEIGHT, WIDTH, 3), dtype=np.uint16)
    path, out = tmp_path / "p.png", tmp_path / "new.fits"
    path.write_bytes(imagecodecs.png_encode(data))
    new_fits(origin(path, 0, "PNG"), SOLUTION, out)
    assert (np.moveaxis(fits.getdata(out), 0, 2) == data).all()


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK"])
def test_other_modes_become_grey_or_rgb(tmp_path: Path, mode: str) -> None:
    """Palettes and CMYK become RGB, without alpha."""
    from PIL import Image

    path, out = tmp_path / ("p.jpg" if mode == "CMYK" else "p.png"), tmp_path / "new.fits"
    Image.fromarray(picture("RGB")).convert(mode).save(path)
    new_fits(origin(path, 0, "picture"), SOLUTION, out)
    data = fits.getdata(out)
    assert data.shape == ((HEIGHT, WIDTH) if mode in ("1", "LA") else (3, HEIGHT, WIDTH))
    assert data.max() > 200


def test_a_tiff_of_another_kind_gives_the_image_that_was_solved(tmp_path: Path) -> None:
    """Grey with white as zero is inverted, as in the image that was solved."""
    import tifffile

    data = picture("L")
    path, out = tmp_path / "p.tif", tmp_path / "new.fits"
    tifffile.imwrite(path, data, photometric="miniswhite")
    new_fits(origin(path, 0, "TIFF"), SOLUTION, out)
    assert (fits.getdata(out) == 255.0 - data).all()


def test_exif_orientation_is_ignored(tmp_path: Path) -> None:
    """The solution describes the rows as they are stored."""
    from PIL import Image

    path, out = tmp_path / "p.png", tmp_path / "new.fits"
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(picture("L")).save(path, exif=turned)
    new_fits(origin(path, 0, "PNG"), SOLUTION, out)
    assert (fits.getdata(out) == picture("L")).all()


def test_a_list_of_stars_is_refused(tmp_path: Path) -> None:
    """The message names --wcs, which needs no picture."""
    path = tmp_path / "stars.csv"
    path.write_text("x,y,flux\n" + "".join(f"{n * 7 % 60},{n * 11 % 40},{n}\n" for n in range(1, 20)))
    with pytest.raises(UsageError, match=r"stars\.csv is a list of stars.*use --wcs"):
        new_fits(origin(path, 0, "text"), SOLUTION, tmp_path / "new.fits")


def test_a_picture_that_has_changed(tmp_path: Path) -> None:
    """Another size and a damaged file are errors that name the file; nothing is written."""
    from PIL import Image

    path, out = tmp_path / "p.png", tmp_path / "new.fits"
    Image.fromarray(picture("L")[:20]).save(path)
    with pytest.raises(DataError, match=r"p\.png has 60 x 20 pixels, but 60 x 40 were solved"):
        new_fits(origin(path, 0, "PNG"), SOLUTION, out)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match=r"p\.png cannot be read again"):
        new_fits(origin(path, 0, "PNG"), SOLUTION, out)
    assert not out.exists()
