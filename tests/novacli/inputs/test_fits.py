"""FITS images and tables of stars."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import fitsio
import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from numpy.typing import NDArray

from novacli.errors import DataError
from novacli.inputs import FileInput, Limits, open_field, pixels
from novacli.records.field import Image, StarList

Writer = Callable[..., Path]


def read_image(path: Path, **options: object) -> Image:
    field = open_field(FileInput(str(path)), **options)  # type: ignore[arg-type]
    assert isinstance(field, Image)
    return field


def write_hdus(path: Path, *hdus: object) -> Path:
    astropy_fits.HDUList(list(hdus)).writeto(path)
    return path


def star_table(**columns: NDArray[np.generic]) -> astropy_fits.BinTableHDU:
    return astropy_fits.BinTableHDU.from_columns(
        [astropy_fits.Column(name, "D", array=values) for name, values in columns.items()]
    )


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"])
def test_every_type_keeps_its_values(write_fits: Writer, dtype: str) -> None:
    """Signed, unsigned (BZERO) and float; row 0 is y = 1; there is no mask if all pixels are good."""
    array = np.arange(12).reshape(3, 4).astype(dtype)
    field = read_image(write_fits(array))
    assert field.pixels.dtype == np.float32
    assert field.pixels.flags.c_contiguous
    np.testing.assert_array_equal(field.pixels, array)
    assert field.mask is None
    assert field.is_fits_like


@pytest.mark.parametrize("compress", [None, "rice", "gzip"])
def test_unsigned_pixels_keep_their_values_over_all_16_bits(write_fits: Writer, compress: str | None) -> None:
    array = np.array([[0, 1, 32767], [32768, 32769, 65535]] * 4, np.uint16)
    field = read_image(write_fits(array, "x.fits", compress=compress))
    np.testing.assert_array_equal(field.pixels, array)
    assert field.mask is None


def test_bscale_and_bzero_are_applied(tmp_path: Path) -> None:
    """A scaled integer image holds physical values."""
    hdu = astropy_fits.PrimaryHDU(np.array([[10.0, 10.5], [11.0, 12.0]]))
    hdu.scale("int16", bscale=0.5, bzero=10)
    field = read_image(write_hdus(tmp_path / "scaled.fits", hdu))
    np.testing.assert_array_equal(field.pixels, [[10.0, 10.5], [11.0, 12.0]])


@pytest.mark.parametrize("bscale", [1.0, 0.25])
def test_blank_is_masked_before_scaling(tmp_path: Path, bscale: float) -> None:
    """BLANK is the stored value, not the physical one; masked pixels become 0."""
    hdu = astropy_fits.PrimaryHDU(np.array([[-99, 4], [8, -99]], dtype=np.int16))
    hdu.header["BLANK"] = -99
    hdu.header["BSCALE"] = bscale
    hdu.header["BZERO"] = 1
    path = tmp_path / "blank.fits"
    with astropy_fits.open(write_hdus(path, hdu), do_not_scale_image_data=True, mode="update") as file:
        file[0].header["BSCALE"], file[0].header["BZERO"] = bscale, 1
    field = read_image(path)
    assert field.mask is not None
    np.testing.assert_array_equal(field.mask, [[True, False], [False, True]])
    np.testing.assert_array_equal(field.pixels, [[0, 4 * bscale + 1], [8 * bscale + 1, 0]])


def test_nan_and_infinity_are_masked(write_fits: Writer) -> None:
    """So are values that float32 cannot hold."""
    field = read_image(write_fits(np.array([[np.nan, 1], [np.inf, 1e300]])))
    assert field.mask is not None
    np.testing.assert_array_equal(field.mask, [[True, False], [True, True]])
    np.testing.assert_array_equal(field.pixels, [[0, 1], [0, 0]])


def test_all_pixels_of_an_image_of_nan_are_masked(write_fits: Writer) -> None:
    """It is read as an image; detection finds out later that it cannot be solved."""
    field = read_image(write_fits(np.full((5, 6), np.nan, dtype=np.float32)))
    assert field.mask is not None
    assert field.mask.all()


def test_blocks_of_rows_join_without_a_seam(
    write_fits: Writer, ramp: NDArray[np.uint16], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image is converted in blocks; the last one may be short."""
    monkeypatch.setattr(pixels, "BLOCK_PIXELS", 7 * 60)
    noisy = ramp.astype(np.float32)
    noisy[39, 59] = np.nan
    field = read_image(write_fits(noisy))
    assert field.mask is not None
    assert field.mask.sum() == 1
    np.testing.assert_array_equal(field.pixels[:39], ramp[:39])


@pytest.mark.parametrize("planes", [3, 4])
def test_colour_planes_are_averaged(write_fits: Writer, ramp: NDArray[np.uint16], planes: int) -> None:
    """NAXIS3 = 3 or 4."""
    field = read_image(write_fits(np.stack([ramp + k for k in range(planes)])))
    np.testing.assert_allclose(field.pixels, ramp + (planes - 1) / 2)
    assert field.notes == (f"averaged {planes} colour planes",)


def test_interleaved_colours_are_averaged(write_fits: Writer, ramp: NDArray[np.uint16]) -> None:
    """NAXIS1 = 3: the axes are in the reverse order."""
    field = read_image(write_fits(np.stack([ramp, ramp + 1, ramp + 2], axis=2)))
    assert (field.width, field.height) == (60, 40)
    np.testing.assert_allclose(field.pixels, ramp + 1)
    assert field.notes == ("averaged 3 interleaved colour channels",)


def test_a_nan_in_one_colour_masks_the_pixel(write_fits: Writer) -> None:
    """The mean of the other two colours would be wrong."""
    cube = np.ones((3, 4, 5), dtype=np.float32)
    cube[1, 2, 3] = np.nan
    field = read_image(write_fits(cube))
    assert field.mask is not None
    assert np.argwhere(field.mask).tolist() == [[2, 3]]


@pytest.mark.parametrize(
    ("shape", "notes"), [((1, 4, 5), ()), ((1, 1, 4, 5), ()), ((7, 4, 5), ("read the first of 7 planes",))]
)
def test_the_first_plane_of_other_cubes_is_read(
    write_fits: Writer, shape: tuple[int, ...], notes: tuple[str, ...]
) -> None:
    """Axes of length 1 are dropped silently, a stack of frames with a note."""
    cube = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    field = read_image(write_fits(cube))
    np.testing.assert_array_equal(field.pixels, cube.reshape(-1, 4, 5)[0])
    assert field.notes == notes


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("BAYERPAT", "RGGB", True),
        ("BAYERPAT", "gbrg ", True),
        ("COLORTYP", "BGGR", True),
        ("FILTER", "RGGB", True),
        ("FILTER", "R", False),
        ("COLORTYP", "MONO", False),
        ("BAYERPAT", 1, False),
    ],
)
def test_a_mosaic_is_recognised_by_its_header(write_fits: Writer, key: str, value: object, expected: bool) -> None:
    """By all keywords that cameras use."""
    field = read_image(write_fits(np.ones((4, 4), dtype=np.uint16), header={key: value}))
    assert field.is_mosaic is expected


def test_a_colour_cube_is_not_a_mosaic(write_fits: Writer) -> None:
    """Software that interpolates the colours leaves BAYERPAT in the header."""
    assert not read_image(write_fits(np.ones((3, 4, 4), dtype=np.uint16), header={"BAYERPAT": "RGGB"})).is_mosaic


def test_the_first_hdu_with_an_image_is_read(tmp_path: Path, ramp: NDArray[np.uint16]) -> None:
    """An empty primary HDU and a table are skipped; the primary header's cards about the exposure are inherited."""
    primary = astropy_fits.PrimaryHDU()
    primary.header.update({"OBJCTRA": "1 2 3", "EXPTIME": 5, "CRVAL1": 10.0, "GAIN": 1})
    image = astropy_fits.ImageHDU(ramp)
    image.header["GAIN"] = 2
    path = write_hdus(tmp_path / "mef.fits", primary, star_table(x=np.arange(9.0), y=np.arange(9.0)), image)
    field = read_image(path)
    np.testing.assert_array_equal(field.pixels, ramp)
    assert (field.width, field.height, field.origin.hdu) == (60, 40, 2)
    assert (field.header["OBJCTRA"], field.header["GAIN"]) == ("1 2 3", 2)
    assert "CRVAL1" not in field.header


def test_a_note_counts_other_hdus_with_images_unless_one_was_chosen(tmp_path: Path, ramp: NDArray[np.uint16]) -> None:
    """The first one may be a thumbnail, a mask or one of several chips."""
    hdus = (astropy_fits.PrimaryHDU(), astropy_fits.ImageHDU(ramp), astropy_fits.ImageHDU(ramp))
    path = write_hdus(tmp_path / "mosaic.fits", *hdus)
    assert read_image(path).notes == (
        "read HDU 1, the first of 2 with an image: --ext N (hdu=N in Python) reads another",
    )
    assert read_image(path, hdu=1).notes == ()


def test_an_hdu_can_be_chosen(tmp_path: Path, ramp: NDArray[np.uint16]) -> None:
    """Numbers are 0-based, as in astropy."""
    path = write_hdus(tmp_path / "two.fits", astropy_fits.PrimaryHDU(ramp), astropy_fits.ImageHDU(ramp + 1))
    np.testing.assert_array_equal(read_image(path, hdu=1).pixels, ramp + 1)


@pytest.mark.parametrize("hdu", [1, 9, -1])
def test_the_error_about_an_hdu_without_an_image_lists_those_with_one(
    tmp_path: Path, ramp: NDArray[np.uint16], hdu: int
) -> None:
    table = astropy_fits.BinTableHDU.from_columns([astropy_fits.Column("A", "J", array=[1, 2])])
    path = write_hdus(tmp_path / "two.fits", astropy_fits.PrimaryHDU(ramp), table, astropy_fits.ImageHDU(ramp))
    with pytest.raises(DataError, match=f"has no image in HDU {hdu}: HDUs 0, 2 have one"):
        read_image(path, hdu=hdu)


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, ".gz"), (bz2.compress, ".bz2"), (gzip.compress, ".fits")])
def test_packed_files_are_unpacked_by_content(
    write_fits: Writer, ramp: NDArray[np.uint16], tmp_path: Path, pack: Callable[[bytes], bytes], suffix: str
) -> None:
    """The suffix does not matter; no copy stays in the file's folder."""
    packed = tmp_path / f"packed{suffix}"
    packed.write_bytes(pack(write_fits(ramp).read_bytes()))
    before = sorted(tmp_path.iterdir())
    field = read_image(packed)
    np.testing.assert_array_equal(field.pixels, ramp)
    assert field.origin.path == str(packed)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_unpacking_stops_at_the_limit(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """A small packed file must not fill the disk."""
    (tmp_path / "bomb.fits.gz").write_bytes(pack(bytes(5_000_000)))
    with pytest.raises(DataError, match="unpacked, is larger than the limit of 1 MB"):
        read_image(tmp_path / "bomb.fits.gz", limits=Limits(max_bytes=1_000_000))


@pytest.mark.parametrize(("pack", "kind"), [(gzip.compress, "gzip"), (bz2.compress, "bzip2")])
def test_a_truncated_packed_file_is_an_error(
    write_fits: Writer, tmp_path: Path, pack: Callable[[bytes], bytes], kind: str
) -> None:
    """As after a download that broke off."""
    whole = pack(write_fits(np.random.default_rng(1).integers(0, 9999, (50, 50), dtype="u2")).read_bytes())
    (tmp_path / "half").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=f"half is truncated: its {kind} data end too early"):
        read_image(tmp_path / "half")


@pytest.mark.parametrize("magic", [b"\x1f\x8b\x08", b"BZh9"])
def test_a_damaged_packed_file_is_an_error(tmp_path: Path, magic: bytes) -> None:
    """The error is ours, not that of zlib."""
    (tmp_path / "bad").write_bytes(magic + b"\x00\x07nonsense" * 20)
    with pytest.raises(DataError, match=r"bad is (damaged|truncated)"):
        read_image(tmp_path / "bad")


def test_a_file_that_is_packed_twice_is_refused(write_fits: Writer, ramp: NDArray[np.uint16], tmp_path: Path) -> None:
    """CFITSIO would unpack it into memory without a limit."""
    (tmp_path / "twice.gz").write_bytes(gzip.compress(gzip.compress(write_fits(ramp).read_bytes())))
    with pytest.raises(DataError, match="is packed more than once"):
        read_image(tmp_path / "twice.gz")


@pytest.mark.parametrize("method", ["rice", "gzip", "gzip_2", "hcompress"])
def test_tile_compressed_images_are_read(write_fits: Writer, ramp: NDArray[np.uint16], method: str) -> None:
    """The header is that of the image, not that of the table which holds it."""
    field = read_image(write_fits(ramp.astype(np.int32), "x.fits.fz", compress=method, header={"FOCALLEN": 200.0}))
    np.testing.assert_array_equal(field.pixels, ramp)
    assert (field.header["NAXIS1"], field.header["NAXIS2"], field.header["FOCALLEN"]) == (60, 40, 200.0)
    assert not any(key.startswith(("TFORM", "ZNAXIS", "ZCMP")) for key in field.header)


def test_blank_pixels_of_a_tile_compressed_image_are_masked(write_fits: Writer) -> None:
    """BLANK is used there too."""
    stored = np.arange(400, dtype=np.int32).reshape(20, 20)
    field = read_image(write_fits(stored, "x.fits.fz", compress="rice", header={"BLANK": 21}))
    assert field.mask is not None
    assert np.argwhere(field.mask).tolist() == [[1, 1]]


def test_nan_of_a_quantised_image_is_masked(write_fits: Writer) -> None:
    """Tile compression stores it as an integer."""
    array = np.random.default_rng(3).normal(100, 5, (40, 60)).astype(np.float32)
    array[3, 4] = np.nan
    field = read_image(write_fits(array, "x.fits.fz", compress="rice"))
    assert field.mask is not None
    assert np.argwhere(field.mask).tolist() == [[3, 4]]


@pytest.mark.parametrize("cut", [1, 2000, 4000])
def test_truncated_pixels_are_counted(write_fits: Writer, ramp: NDArray[np.uint16], tmp_path: Path, cut: int) -> None:
    """By the size of the file, before any pixel is read."""
    whole = write_fits(ramp).read_bytes()
    start = whole.index(b"END" + b" " * 77) // 2880 * 2880 + 2880
    (tmp_path / "cut.fits").write_bytes(whole[: start + ramp.nbytes - cut])
    with pytest.raises(DataError, match=rf"cut\.fits is truncated: {cut} of \d+ bytes are missing"):
        read_image(tmp_path / "cut.fits")


def test_missing_padding_is_not_an_error(write_fits: Writer, ramp: NDArray[np.uint16], tmp_path: Path) -> None:
    """All pixels are there, but CFITSIO by itself refuses the last block."""
    whole = write_fits(ramp).read_bytes()
    start = whole.index(b"END" + b" " * 77) // 2880 * 2880 + 2880
    (tmp_path / "bare.fits").write_bytes(whole[: start + ramp.nbytes])
    np.testing.assert_array_equal(read_image(tmp_path / "bare.fits").pixels, ramp)


def test_a_truncated_tile_compressed_image_is_an_error(write_fits: Writer, tmp_path: Path) -> None:
    """Its heap is incomplete."""
    noise = np.random.default_rng(1).integers(0, 60000, (200, 200), dtype=np.int32)
    whole = write_fits(noise, "x.fz", compress="rice").read_bytes()
    (tmp_path / "cut.fz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.fz is (truncated|a damaged FITS)"):
        read_image(tmp_path / "cut.fz")


def test_a_truncated_header_is_an_error(write_fits: Writer, ramp: NDArray[np.uint16], tmp_path: Path) -> None:
    """The first block is incomplete."""
    (tmp_path / "cut.fits").write_bytes(write_fits(ramp).read_bytes()[:500])
    with pytest.raises(DataError, match="is truncated within its FITS header"):
        read_image(tmp_path / "cut.fits")


def test_simple_f_is_read(write_fits: Writer, ramp: NDArray[np.uint16], tmp_path: Path) -> None:
    """SIMPLE = F declares that a file does not conform to the standard."""
    whole = write_fits(ramp).read_bytes()
    (tmp_path / "f.fits").write_bytes(
        whole.replace(b"SIMPLE  =                    T", b"SIMPLE  =                    F")
    )
    np.testing.assert_array_equal(read_image(tmp_path / "f.fits").pixels, ramp)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"This is not a FITS file.\n", "is a text file, neither an image nor a list of stars"),
        (b"SIMPLF  =                    T" + b"\0" * 5000, "named like a FITS file but does not begin like one"),
        (b"SIMPLE  =                    T" + b" " * 8000, "is a damaged FITS file"),
        (b"XTENSION= 'IMAGE   '" + b" " * 8000, "is a damaged FITS file"),
        (bytes(range(256)) * 20, "named like a FITS file but does not begin like one"),
    ],
)
def test_a_file_that_is_not_fits_is_a_one_line_error(tmp_path: Path, content: bytes, message: str) -> None:
    """The suffix is that of FITS."""
    (tmp_path / "bad.fits").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_image(tmp_path / "bad.fits")
    assert "\n" not in str(caught.value)
    assert "bad.fits" in str(caught.value)


def test_the_error_about_too_many_pixels_names_the_limit(write_fits: Writer, ramp: NDArray[np.uint16]) -> None:
    """It is raised before memory is used."""
    with pytest.raises(DataError, match=r"60 x 40 pixels, above the limit of 100 \(max_pixels\)"):
        read_image(write_fits(ramp), limits=Limits(max_pixels=100))


def test_an_image_with_odd_cards_is_read(write_fits: Writer, ramp: NDArray[np.uint16], tmp_path: Path) -> None:
    """A card without a value, one against the standard, and one with bytes beyond ASCII."""
    whole = bytearray(write_fits(ramp, header={"AAA": 1, "BBB": 2, "CCC": "text"}).read_bytes())
    for key, card in ((b"AAA", b"AAA     ="), (b"BBB", b"BBB     = 1..2e"), (b"CCC", b"CCC     = '\xff\xfe'")):
        at = whole.index(key + b"     =")
        whole[at : at + 80] = card.ljust(80)
    (tmp_path / "odd.fits").write_bytes(bytes(whole))
    np.testing.assert_array_equal(read_image(tmp_path / "odd.fits").pixels, ramp)


class TestTables:
    """A table of stars instead of an image."""

    X = np.array([10.0, 20.0, 30.5, 400.0])
    Y = np.array([11.0, 300.0, 31.0, 41.25])

    def read(self, tmp_path: Path, *hdus: object, **options: object) -> StarList:
        path = write_hdus(tmp_path / "stars.fits", astropy_fits.PrimaryHDU(), *hdus)
        field = open_field(FileInput(str(path)), **options)  # type: ignore[arg-type]
        assert isinstance(field, StarList)
        return field

    @pytest.mark.parametrize(
        ("x", "y"), [("X", "Y"), ("x", "y"), ("XIMAGE", "YIMAGE"), ("X_IMAGE", "Y_IMAGE"), ("xcentroid", "ycentroid")]
    )
    def test_positions_are_found_by_name(self, tmp_path: Path, x: str, y: str) -> None:
        """In the spelling of common programs."""
        stars = self.read(tmp_path, star_table(**{"ID": self.X, x: self.X, y: self.Y, "FLUX": self.Y}))
        np.testing.assert_array_equal(stars.x, self.X)
        np.testing.assert_array_equal(stars.y, self.Y)
        assert stars.flux is not None
        np.testing.assert_array_equal(stars.flux, self.Y)
        assert (stars.is_fits_like, stars.origin.hdu, stars.x.dtype) == (True, 1, np.float64)

    def test_magnitudes_sort_the_brightest_first(self, tmp_path: Path) -> None:
        """The smallest magnitude is the brightest."""
        stars = self.read(tmp_path, star_table(X=self.X, Y=self.Y, MAG=np.array([12.0, 9.5, 99.0, 10.0])))
        assert stars.x.tolist() == [20.0, 400.0, 10.0, 30.5]
        assert stars.flux is not None
        np.testing.assert_allclose(stars.flux[:3], [1, 10**-0.2, 0.1])

    def test_the_size_comes_from_the_header(self, tmp_path: Path) -> None:
        """From IMAGEW and IMAGEH of either header; NAXIS1 of a table is not the width of the image."""
        table = star_table(X=self.X, Y=self.Y)
        table.header.update({"IMAGEW": 500, "IMAGEH": 400})
        stars = self.read(tmp_path, table)
        assert (stars.width, stars.height, stars.size_is_guessed, stars.notes) == (500, 400, False, ())

    def test_the_user_s_size_replaces_that_of_the_header(self, tmp_path: Path) -> None:
        """A note says so if they differ."""
        table = star_table(X=self.X, Y=self.Y)
        table.header.update({"IMAGEW": 500, "IMAGEH": 400})
        stars = self.read(tmp_path, table, size=(450, 350))
        assert (stars.width, stars.height) == (450, 350)
        assert stars.notes == ("took the size given, not the 500 x 400 pixels in the file",)

    def test_an_unknown_size_is_guessed_with_a_note(self, tmp_path: Path) -> None:
        """From the stars' extent."""
        stars = self.read(tmp_path, star_table(X=self.X, Y=self.Y))
        assert (stars.width, stars.height, stars.size_is_guessed) == (400, 300, True)
        assert stars.notes[0].startswith("guessed the image size 400 x 300")
        assert (len(stars.x), stars.width, stars.height, stars.origin.hdu) == (4, 400, 300, 1)

    def test_rows_that_are_not_finite_are_dropped_and_counted(self, tmp_path: Path) -> None:
        """They would make every match fail."""
        x, y = np.append(self.X, [np.nan, 5]), np.append(self.Y, [5, np.inf])
        stars = self.read(tmp_path, star_table(X=x, Y=y), size=(400, 300))
        assert len(stars.x) == 4
        assert stars.notes == ("dropped 2 of 6 rows without finite numbers",)

    def test_three_stars_are_too_few(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="lists 3 stars with finite x and y: a solution needs at least 4"):
            self.read(tmp_path, star_table(X=self.X[:3], Y=self.Y[:3]))

    def test_the_error_about_too_many_stars_names_the_limit(self, tmp_path: Path) -> None:
        """It is raised before they are read."""
        with pytest.raises(DataError, match=r"more than 3 stars, the limit \(max_stars\)"):
            self.read(tmp_path, star_table(X=self.X, Y=self.Y), limits=Limits(max_stars=3))

    def test_a_table_without_positions_is_not_a_star_list(self, tmp_path: Path) -> None:
        """It is not an image either."""
        with pytest.raises(DataError, match=r"without an image and without a table of stars \(columns X, Y\)"):
            self.read(tmp_path, star_table(A=self.X, B=self.Y))

    def test_positions_that_are_text_are_refused(self, tmp_path: Path) -> None:
        """The error names the column."""
        columns = [astropy_fits.Column(name, "5A", array=["a"] * 4) for name in ("X", "Y")]
        with pytest.raises(DataError, match="column X of its table does not hold plain numbers"):
            self.read(tmp_path, astropy_fits.BinTableHDU.from_columns(columns))

    def test_an_xylist_of_fitsio_is_read(self, tmp_path: Path) -> None:
        """Its columns are float32, as those of the engine's own lists."""
        rows = np.zeros(4, dtype=[("X", "f4"), ("Y", "f4"), ("FLUX", "f4"), ("BACKGROUND", "f4")])
        rows["X"], rows["Y"] = self.X, self.Y
        fitsio.write(str(tmp_path / "xy.fits"), rows)
        assert open_field(FileInput(str(tmp_path / "xy.fits")), size=(400, 300)).width == 400
