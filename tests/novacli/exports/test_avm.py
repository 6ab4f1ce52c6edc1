"""AVM in pictures and sidecars, read back by pyavm; pixels and other metadata of the pictures are kept."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import made_results as made
import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from novacli.errors import DataError, UsageError
from novacli.exports import xmp_png, xmp_tiff
from novacli.exports.linear import as_displayed, nearest_tan
from novacli.exports.xmp import avm_fields, merged_packet
from novacli.wcs.tansip import TanSip

from .conftest import export, farthest_arcsec, grid, solved_field

WIDTH, HEIGHT = 64, 48
PLAIN = made.wcs_fits(WIDTH, HEIGHT, sip=False, CRPIX1=20.0, CRPIX2=11.0)
DISTORTED = made.wcs_fits()
OLD_XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<r:Description r:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'xmlns:a="http://www.communicatingastronomy.org/avm/1.0/" a:Spatial.Rotation="77" a:Subject.Name="M 31">'
    b"<dc:creator><r:Seq><r:li>A. Observer &amp; Co</r:li></r:Seq></dc:creator>"
    b"<a:Spatial.CDMatrix><r:Seq><r:li>5</r:li></r:Seq></a:Spatial.CDMatrix>"
    b'</r:Description></r:RDF></x:xmpmeta><?xpacket end="w"?>'
)
SUFFIX = {"JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif", "BigTIFF": ".tiff"}


def _pixels() -> Any:
    return np.random.default_rng(3).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def _picture(path: Path, kind: str, xmp: bytes | None = None) -> Path:
    """Write a colour picture, with XMP metadata if they are given."""
    picture = Image.fromarray(_pixels())
    if kind == "JPEG":
        picture.save(
            path, quality=90, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0", **({} if xmp is None else {"xmp": xmp})
        )
    elif kind == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Author", "A. Observer")
        if xmp is not None:
            texts.add_itxt("XML:com.adobe.xmp", xmp.decode(), zip=True)
        picture.save(path, pnginfo=texts)
    else:
        tags = [] if xmp is None else [(700, 1, len(xmp), xmp, True)]
        tifffile.imwrite(
            path, _pixels(), photometric="rgb", bigtiff=kind == "BigTIFF", extratags=tags, description="kept",
            metadata=None, byteorder=">" if kind == "TIFF" else "<",
        )  # fmt: skip
    return path


def _avm(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyavm import AVM

        return AVM.from_image(str(path)) if path.suffix != ".xmp" else AVM.from_xml(path.read_bytes())


def _sky_by_avm(avm: Any, width: int, height: int, *, from_top: bool) -> object:
    """Return RA and Dec of the grid by pyavm, whose rows count from the bottom of the displayed picture."""
    x, y = grid(width, height)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return avm.to_wcs().wcs_pix2world(x, height + 1 - y if from_top else y, 1)


def _sky(tan: TanSip) -> object:
    places = [tan.pixel_to_sky(x, y) for x, y in zip(*grid(tan.width, tan.height), strict=True)]
    return [ra for ra, _ in places], [dec for _, dec in places]


def _copy(tmp_path: Path, kind: str, xmp: bytes | None = None) -> tuple[Path, Path]:
    """Return a picture and its copy with AVM."""
    source, target = tmp_path / f"img{SUFFIX[kind]}", tmp_path / f"copy{SUFFIX[kind]}"
    _picture(source, kind, xmp)
    word = "TIFF" if kind == "BigTIFF" else kind
    field = solved_field(tmp_path, PLAIN, picture=source, kind=word, is_fits_like=False)
    assert export(field, "avm", target) == ()
    return source, target


@pytest.mark.parametrize("kind", SUFFIX)
def test_pyavm_finds_every_pixel_at_its_place(kind: str, tmp_path: Path) -> None:
    """Rows count from the bottom, so a mistake in their order would show by hundreds of arcminutes."""
    _, target = _copy(tmp_path, kind)
    found = _sky_by_avm(_avm(target), WIDTH, HEIGHT, from_top=True)
    assert farthest_arcsec(found, _sky(made.solution_of(PLAIN))) < 1e-6


@pytest.mark.parametrize("kind", SUFFIX)
def test_pixels_and_other_metadata_are_untouched(kind: str, tmp_path: Path) -> None:
    """The old packet's creator and subject stay, its place on the sky goes."""
    source, target = _copy(tmp_path, kind, OLD_XMP)
    with Image.open(source) as old, Image.open(target) as new:
        assert np.array_equal(np.asarray(old), np.asarray(new))
        assert {k: v for k, v in new.info.items() if "xmp" not in k.lower()} == {
            k: v for k, v in old.info.items() if "xmp" not in k.lower()
        }
        xmp = new.info.get("xmp") or new.info["XML:com.adobe.xmp"]
    text = xmp if isinstance(xmp, str) else xmp.decode()
    assert "A. Observer &amp; Co" in text
    assert 'a:Subject.Name="M 31"' in text
    assert "<r:li>5</r:li>" not in text
    assert 'Rotation="77"' not in text
    assert text.count("Spatial.CDMatrix>") == 2
    assert (
        farthest_arcsec(_sky_by_avm(_avm(target), WIDTH, HEIGHT, from_top=True), _sky(made.solution_of(PLAIN))) < 1e-6
    )


@pytest.mark.parametrize("kind", ["TIFF", "BigTIFF"])
def test_a_tiff_keeps_its_tags(kind: str, tmp_path: Path) -> None:
    _, target = _copy(tmp_path, kind)
    with tifffile.TiffFile(target) as tiff:
        assert tiff.pages[0].description == "kept"
        assert np.array_equal(tiff.pages[0].asarray(), _pixels())
        assert len(tiff.pages) == 1


@pytest.mark.parametrize("is_fits_like", [True, False])
def test_a_sidecar_counts_rows_as_displayed(is_fits_like: bool, tmp_path: Path) -> None:
    """A FITS image is displayed with its first row at the bottom, any other picture with it at the top."""
    field = solved_field(tmp_path, PLAIN, kind="FITS" if is_fits_like else "GIF", is_fits_like=is_fits_like)
    export(field, "avm", tmp_path / "img.xmp")
    found = _sky_by_avm(_avm(tmp_path / "img.xmp"), WIDTH, HEIGHT, from_top=not is_fits_like)
    assert farthest_arcsec(found, _sky(made.solution_of(PLAIN))) < 1e-6


def test_the_loss_without_distortion_is_stated(tmp_path: Path) -> None:
    """In a note and in the metadata; it is the true one, and smaller than that of the TAN part alone."""
    field = solved_field(tmp_path, DISTORTED)
    (note,) = export(field, "avm", tmp_path / "img.xmp")
    linear = nearest_tan(field.solution.tan_sip)
    scale = field.solution.tan_sip.pixscale_arcsec
    found = _sky_by_avm(_avm(tmp_path / "img.xmp"), 719, 507, from_top=False)
    lost_px = farthest_arcsec(found, field.solution.wcs.all_pix2world(*grid(719, 507), 1)) / scale
    assert lost_px == pytest.approx(linear.loss_px, rel=0.02)
    assert f"up to {linear.loss_px:.2g} pixels" in note
    assert f"up to {linear.loss_px:.2g} pixels" in str(_avm(tmp_path / "img.xmp").Spatial.Notes)
    plain = made.wcs_fits(sip=False)
    dropped = farthest_arcsec(_sky(made.solution_of(plain)), field.solution.wcs.all_pix2world(*grid(719, 507), 1))
    assert lost_px < 0.8 * dropped / scale


@pytest.mark.parametrize(("kind", "target", "words"), [
    ("GIF", "a.jpg", "is a GIF file, and AVM goes into JPEG, PNG and TIFF files: name the file .xmp"),
    ("PNG", "a.jpg", "is a PNG file: name its copy .png, or .xmp"),
])  # fmt: skip
def test_a_copy_has_the_format_of_the_picture(kind: str, target: str, words: str, tmp_path: Path) -> None:
    field = solved_field(tmp_path, PLAIN, picture=tmp_path / "img", kind=kind, is_fits_like=False)
    with pytest.raises(UsageError, match=words):
        export(field, "avm", tmp_path / target)


def _truncated(data: bytes) -> bytes:
    return data[:60]


def _with_entities(data: bytes) -> bytes:
    return data.replace(b"<x:xmpmeta", b"<!DOCTYPE x []>", 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("change", [_truncated, _with_entities])
def test_a_damaged_picture_is_named_and_leaves_no_file(
    kind: str, change: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    source, target = tmp_path / f"img{SUFFIX[kind]}", tmp_path / f"copy{SUFFIX[kind]}"
    _picture(source, kind, OLD_XMP)
    damaged = change(source.read_bytes())
    if kind == "PNG" and change is _with_entities:
        damaged = _png_with(source.read_bytes(), b"<!DOCTYPE x []><a/>")
    source.write_bytes(damaged)
    field = solved_field(tmp_path, PLAIN, picture=source, kind=kind, is_fits_like=False)
    with pytest.raises(DataError, match=f"img.{SUFFIX[kind][1:]}.*name the file .xmp for a sidecar"):
        export(field, "avm", target)
    assert not target.exists()


def _png_with(picture: bytes, packet: bytes) -> bytes:
    out = io.BytesIO()
    xmp_png.copy(io.BytesIO(picture), packet, out)
    return out.getvalue()


def test_a_packed_packet_that_grows_without_bound_is_refused() -> None:
    body = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(70 * 2**20))
    chunk = struct.pack(">I", len(body)) + b"iTXt" + body + bytes(4)
    with pytest.raises(DataError, match="too long"):
        xmp_png.read_packet(io.BytesIO(b"\x89PNG\r\n\x1a\n" + chunk))


def test_a_tiff_of_4_gb_is_refused(tmp_path: Path) -> None:
    """A classic TIFF file has no offsets beyond, so the copy could not point to its directory."""
    path = _picture(tmp_path / "img.tif", "TIFF")
    with path.open("r+b") as stream:
        stream.truncate(2**32 - 20)  # a sparse file
        with pytest.raises(DataError, match="too large for more metadata"):
            xmp_tiff.copy(stream, b"x" * 100, io.BytesIO())


def test_a_packet_too_long_for_a_jpeg_is_refused(tmp_path: Path) -> None:
    old = merged_packet(None, {"Notes": "x" * 70_000})
    source = _picture(tmp_path / "img.jpg", "JPEG")
    field = solved_field(tmp_path, PLAIN, picture=source, kind="JPEG", is_fits_like=False)
    from novacli.exports import xmp_jpeg

    with source.open("rb") as stream, pytest.raises(DataError, match="more than a JPEG file can hold"):
        xmp_jpeg.copy(stream, old, io.BytesIO())
    assert export(field, "avm", tmp_path / "copy.jpg") == ()


def test_fields_for_viewers_that_read_no_matrix_agree_with_it() -> None:
    """Scale and rotation, which WorldWide Telescope reads, give the matrix again, mirrored or not."""
    for wcs, is_fits_like in [(PLAIN, True), (PLAIN, False)]:
        tan = as_displayed(made.solution_of(wcs), is_fits_like=is_fits_like)
        fields = avm_fields(tan, None)
        (sx, sy), turn = map(float, fields["Spatial.Scale"]), np.radians(float(str(fields["Spatial.Rotation"])))
        matrix = [[sx * np.cos(turn), -sy * np.sin(turn)], [sx * np.sin(turn), sy * np.cos(turn)]]
        assert np.allclose(matrix, tan.cd, rtol=0.02, atol=4e-4)
