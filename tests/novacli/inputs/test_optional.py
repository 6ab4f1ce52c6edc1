"""XISF and camera raw, with and without the optional packages that read them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from novacli.errors import DataError, UnavailableError
from novacli.inputs import FileInput, Limits, open_field
from novacli.records.field import Image

#: What LibRaw wants of a DNG: version, mosaic pattern (RGGB), camera, colour matrix and its light.
DNG_TAGS = [
    (50706, "B", 4, (1, 4, 0, 0), True),
    (50707, "B", 4, (1, 1, 0, 0), True),
    (33421, "H", 2, (2, 2), True),
    (33422, "B", 4, (0, 1, 1, 2), True),
    (50708, "s", 0, "Test Camera", True),
    (271, "s", 0, "Test", True),
    (272, "s", 0, "Camera", True),
    (50721, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),
    (50778, "H", 1, 21, True),
    (50717, "H", 1, 65535, True),
]


def write_dng(path: Path, mosaic: NDArray[np.uint16]) -> Path:
    tifffile.imwrite(path, mosaic, photometric="CFA", extratags=DNG_TAGS, metadata=None)
    return path


def read_image(path: Path, **options: object) -> Image:
    field = open_field(FileInput(str(path)), **options)  # type: ignore[arg-type]
    assert isinstance(field, Image)
    return field


class TestXisf:
    """XISF, the format of PixInsight."""

    @pytest.fixture
    def path(self, tmp_path: Path, ramp: NDArray[np.uint16]) -> Path:
        """Write a file with FITS keywords, which XISF stores as text."""
        xisf = pytest.importorskip("xisf", reason="the extra xisf is not installed")
        texts = {"FOCALLEN": "530.5", "XBINNING": "2", "OBJECT": "'M 31'", "SIMPLE": "T", "BAYERPAT": "'RGGB'"}
        keywords = {key: [{"value": value, "comment": ""}] for key, value in texts.items()}
        xisf.XISF.write(str(tmp_path / "x.xisf"), ramp[:, :, None], image_metadata={"FITSKeywords": keywords})
        return tmp_path / "x.xisf"

    def test_pixels_and_keywords(self, path: Path, ramp: NDArray[np.uint16]) -> None:
        """Keywords get their types back; y = 1 is the first row."""
        field = read_image(path)
        np.testing.assert_array_equal(field.pixels, ramp)
        assert (field.is_fits_like, field.is_mosaic, field.origin.format) == (False, True, "XISF")
        expected = {"FOCALLEN": 530.5, "XBINNING": 2, "OBJECT": "M 31", "SIMPLE": True, "BAYERPAT": "RGGB"}
        assert dict(field.header) == expected

    def test_colour_is_averaged(self, tmp_path: Path, ramp: NDArray[np.uint16]) -> None:
        """Three channels."""
        xisf = pytest.importorskip("xisf", reason="the extra xisf is not installed")
        xisf.XISF.write(str(tmp_path / "x.xisf"), np.dstack([ramp, ramp + 3, ramp + 6]), codec="zlib")
        field = read_image(tmp_path / "x.xisf")
        np.testing.assert_allclose(field.pixels, ramp + 3)
        assert not field.is_mosaic

    def test_truncated(self, path: Path, tmp_path: Path) -> None:
        """It is recognised by the position of its data block."""
        (tmp_path / "cut.xisf").write_bytes(path.read_bytes()[:-1000])
        with pytest.raises(DataError, match=r"cut\.xisf is truncated: 1000 bytes are missing"):
            read_image(tmp_path / "cut.xisf")

    def test_damaged(self, tmp_path: Path) -> None:
        """The error is ours, not that of an XML parser."""
        pytest.importorskip("xisf", reason="the extra xisf is not installed")
        (tmp_path / "bad.xisf").write_bytes(b"XISF0100" + bytes(500))
        with pytest.raises(DataError, match=r"bad\.xisf is a damaged or unusual XISF file"):
            read_image(tmp_path / "bad.xisf")

    def test_too_many_pixels(self, path: Path) -> None:
        """The error is raised before pixels are unpacked."""
        with pytest.raises(DataError, match=r"above the limit of 10 \(max_pixels\)"):
            read_image(path, limits=Limits(max_pixels=10))

    def test_without_the_extra(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The message contains the command that installs the package."""
        (tmp_path / "x.xisf").write_bytes(b"XISF0100" + bytes(500))
        monkeypatch.setitem(sys.modules, "xisf", None)
        with pytest.raises(UnavailableError, match=r"x\.xisf is an XISF file, which needs: pip install xisf"):
            read_image(tmp_path / "x.xisf")


class TestRaw:
    """Camera raw files, with a DNG as the example."""

    @pytest.mark.parametrize("name", ["x.dng", "x.tif", "x"])
    def test_a_dng_is_a_mosaic_whatever_its_name(self, tmp_path: Path, ramp: NDArray[np.uint16], name: str) -> None:
        """A DNG begins like a TIFF."""
        pytest.importorskip("rawpy", reason="the extra raw is not installed")
        big = np.tile(ramp, (4, 4))
        field = read_image(write_dng(tmp_path / name, big))
        np.testing.assert_array_equal(field.pixels, big)
        assert (field.is_mosaic, field.is_fits_like, field.origin.format) == (True, False, "raw")
        assert field.header == {"EXIF Make": "Test", "EXIF Model": "Camera"}

    def test_damaged(self, tmp_path: Path) -> None:
        """The error is ours, not that of LibRaw."""
        pytest.importorskip("rawpy", reason="the extra raw is not installed")
        (tmp_path / "bad.nef").write_bytes(b"II*\0" + bytes(2000))
        with pytest.raises(
            DataError, match=r"bad\.nef is truncated, damaged, or of a camera that LibRaw does not know"
        ):
            read_image(tmp_path / "bad.nef")

    def test_too_many_pixels(self, tmp_path: Path, ramp: NDArray[np.uint16]) -> None:
        """The error is raised before pixels are unpacked."""
        pytest.importorskip("rawpy", reason="the extra raw is not installed")
        with pytest.raises(DataError, match=r"above the limit of 10 \(max_pixels\)"):
            read_image(write_dng(tmp_path / "x.dng", np.tile(ramp, (4, 4))), limits=Limits(max_pixels=10))

    def test_without_the_extra(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The message contains the command that installs the package."""
        (tmp_path / "x.raf").write_bytes(b"FUJIFILMCCD-RAW" + bytes(500))
        monkeypatch.setitem(sys.modules, "rawpy", None)
        with pytest.raises(UnavailableError, match=r"x\.raf is a camera raw file, .*pip install rawpy"):
            read_image(tmp_path / "x.raf")
