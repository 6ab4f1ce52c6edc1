"""Packed inputs: every container is read, within bounds, and each fault is one line with a remedy."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_lzw import compress
from numpy.typing import NDArray
from PIL import Image as Picture

from novacli.errors import DataError
from novacli.inputs import FileInput, Limits, open_field, parse_input
from novacli.records.field import Image, StarList

Writer = Callable[..., Path]
STARS = b"x,y\n1,2\n3,4\n5,6\n7,9\n"
NOTES = b"Clear sky until two."


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def alone(content: bytes) -> bytes:
    return zipped({"night/m31.fits": content})


@pytest.fixture
def fits(write_fits: Writer, ramp: NDArray[np.uint16]) -> bytes:
    return write_fits(ramp).read_bytes()


def read_image(path: Path, content: bytes, limits: Limits | None = None) -> Image:
    path.write_bytes(content)
    field = open_field(FileInput(str(path)), **({} if limits is None else {"limits": limits}))
    assert isinstance(field, Image)
    return field


PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".Z": compress, ".zip": alone}


@pytest.mark.parametrize("suffix", PACK)
def test_a_packed_image_is_read_whatever_its_name(
    tmp_path: Path, fits: bytes, ramp: NDArray[np.uint16], suffix: str
) -> None:
    for name in (f"a.fits{suffix}", "a.dat"):
        image = read_image(tmp_path / name, PACK[suffix](fits))
        np.testing.assert_array_equal(image.pixels, ramp)
        assert (image.origin.path, image.origin.format) == (str(tmp_path / name), "FITS")


@pytest.mark.parametrize("suffix", PACK)
def test_unpacked_content_is_bounded(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(DataError, match=r"unpacked, is larger than the limit of 1 MB"):
        read_image(tmp_path / "bomb", PACK[suffix](bytes(5_000_000)), Limits(max_bytes=1_000_000))


@pytest.mark.parametrize("suffix", [".xz", ".zip"])
def test_a_truncated_file_is_an_error(tmp_path: Path, fits: bytes, suffix: str) -> None:
    packed = PACK[suffix](fits)
    with pytest.raises(DataError, match=r"truncated.*copy it again"):
        read_image(tmp_path / "cut", packed[: len(packed) // 2])


def test_a_truncated_file_of_compress_is_found_by_its_content(tmp_path: Path, fits: bytes) -> None:
    packed = compress(fits)
    with pytest.raises(DataError, match=r"is truncated: \d+ of \d+ bytes are missing"):
        read_image(tmp_path / "cut.fits.Z", packed[: len(packed) // 2])


@pytest.mark.parametrize("head", [b"\xfd7zXZ\0", b"\x1f\x9d\x9f"])
def test_a_damaged_file_is_an_error(tmp_path: Path, head: bytes) -> None:
    with pytest.raises(DataError, match=r"is damaged: its (xz|compress) data cannot be unpacked; copy it again"):
        read_image(tmp_path / "bad", head + b"\xff" * 500)


def test_an_xz_file_that_takes_gigabytes_of_memory_is_an_error(tmp_path: Path) -> None:
    packed = lzma.compress(b"nova", filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}])
    with pytest.raises(DataError, match="takes too much memory to unpack: unpack it first"):
        read_image(tmp_path / "big.xz", packed)


@pytest.mark.parametrize("outer", [".gz", ".bz2", ".xz", ".Z"])
@pytest.mark.parametrize("inner", PACK)
def test_a_file_that_is_packed_twice_is_an_error(tmp_path: Path, fits: bytes, outer: str, inner: str) -> None:
    with pytest.raises(DataError, match="is packed more than once: unpack it first"):
        read_image(tmp_path / "twice", PACK[outer](PACK[inner](fits)))


# --- ZIP -----------------------------------------------------------------------------------------------------------


def test_the_only_image_of_an_archive_is_read_beside_other_files(
    tmp_path: Path, fits: bytes, ramp: NDArray[np.uint16]
) -> None:
    """Notes, empty folders, and what macOS adds."""
    others = {"notes.txt": NOTES, "night/": b"", "__MACOSX/night/._m31.fits": b"x", ".DS_Store": b"x"}
    image = read_image(tmp_path / "a.zip", zipped({**others, "night/m31.FIT": fits}))
    np.testing.assert_array_equal(image.pixels, ramp)


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".Z"])
def test_an_image_in_an_archive_may_be_packed(
    tmp_path: Path, fits: bytes, ramp: NDArray[np.uint16], suffix: str
) -> None:
    image = read_image(tmp_path / "a.zip", zipped({f"m31.fits{suffix}": PACK[suffix](fits), "notes.txt": NOTES}))
    np.testing.assert_array_equal(image.pixels, ramp)


@pytest.mark.parametrize("name", ["../../etc/m31.png", "/m31.png", "C:\\m31.png", "m31.png"])
def test_names_in_an_archive_are_not_used_as_paths(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    stored = io.BytesIO()
    Picture.new("L", (20, 10), 7).save(stored, "PNG")
    assert read_image(folder / "a.zip", zipped({name: stored.getvalue()})).pixels.shape == (10, 20)
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "a.zip"]


def test_a_star_list_alone_in_an_archive_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"stars.csv": STARS}))
    assert isinstance(open_field(FileInput(str(tmp_path / "a.zip"))), StarList)


def test_a_zip_archive_is_read_from_standard_input(
    fits: bytes, ramp: NDArray[np.uint16], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stdin:
        closed = False
        buffer = io.BytesIO(alone(fits))

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr("sys.stdin", Stdin())
    field = open_field(parse_input("-"))
    assert isinstance(field, Image)
    np.testing.assert_array_equal(field.pixels, ramp)


def encrypted(fits: bytes) -> bytes:
    """Return an archive whose flags say that its image is encrypted."""
    packed = bytearray(alone(fits))
    central = packed.rfind(b"PK\x01\x02")
    packed[6] |= 1
    packed[central + 8] |= 1
    return bytes(packed)


def with_wrong_checksum(fits: bytes) -> bytes:
    packed = bytearray(alone(fits))
    packed[packed.rfind(b"PK\x01\x02") + 16] ^= 0xFF
    return bytes(packed)


def with_understated_size(_: bytes) -> bytes:
    """Return an archive of 5 MB whose directory says 1 kB."""
    packed = bytearray(alone(bytes(5_000_000)))
    struct.pack_into("<I", packed, packed.rfind(b"PK\x01\x02") + 24, 1000)
    return bytes(packed)


BAD_ARCHIVES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "several": (lambda f: zipped({"a.fits": f, "b.jpg": f, "c.fits.gz": f}), r"3 images \(a.fits, b.jpg, c.fits.gz\)"),
    "many": (lambda f: zipped({f"{n}.fits": f for n in range(9)}), r"9 images \(0.fits, .*, 3.fits, \.\.\.\): "),
    "no image": (lambda _: zipped({"a.txt": NOTES, "b.md": NOTES}), r"2 files \(a.txt, b.md\), but no image: "),
    "empty": (lambda _: zipped({}), "is a ZIP archive with no file: give an image"),
    "one that is no image": (lambda _: zipped({"a.doc": b"\xd0\xcf\x11\xe0"}), "is neither an image nor a source list"),
    "empty image": (lambda _: alone(b""), "is empty: make or download"),
    "encrypted": (encrypted, "night/m31.fits in it is encrypted: unpack it with its password"),
    "bzip2": (lambda f: zipped({"a.fits": f}, zipfile.ZIP_BZIP2), "a.fits in it is packed in a way that"),
    "checksum": (with_wrong_checksum, "is a damaged or truncated ZIP archive: copy it again"),
    "wrong size": (with_understated_size, "is a damaged or truncated ZIP archive|larger than the limit"),
    "no directory": (lambda f: alone(f)[:-22], "is a damaged or truncated ZIP archive"),
    "archive in an archive": (lambda f: zipped({"a.zip": alone(f)}), "is packed more than once: unpack it first"),
    "control characters": (lambda f: zipped({"a\x1b[2J.png": f, "b.png": f}), r"2 images \([^\x1b]*\): unpack"),
    "very many": (lambda _: zipped({f"{n:050}": b"" for n in range(30_000)}), "holds too many files: unpack it"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_ARCHIVES)
def test_a_bad_archive_is_a_one_line_error_with_a_remedy(tmp_path: Path, fits: bytes, case: str) -> None:
    make, message = BAD_ARCHIVES[case]
    with pytest.raises(DataError, match=message) as caught:
        read_image(tmp_path / "a.zip", make(fits), Limits(max_bytes=4_000_000 if case != "very many" else 10**9))
    assert "\n" not in str(caught.value)
    assert "a.zip" in str(caught.value)


@pytest.mark.parametrize("place", range(0, 200, 7))
def test_a_changed_byte_in_an_archive_gives_the_image_or_an_error(
    tmp_path: Path, place: int, fits: bytes, ramp: NDArray[np.uint16]
) -> None:
    packed = bytearray(alone(fits))
    packed[-place - 1] ^= 0x55
    try:
        np.testing.assert_array_equal(read_image(tmp_path / "a.zip", bytes(packed)).pixels, ramp)
    except DataError as exc:
        assert "\n" not in str(exc)
