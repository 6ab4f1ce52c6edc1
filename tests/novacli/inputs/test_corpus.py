"""Every real image of the corpus is read, or refused with the right reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from novacli.errors import DataError
from novacli.inputs import FileInput, open_field
from novacli.records.field import Image, StarList

REFUSED = {
    "fail_empty.fits": "is empty",
    "fail_text.fits": "is a text file, neither an image",
    "fail_truncated.jpg": "is truncated: its JPEG data end too early",
}
MOSAICS = {"panoptes_unsolved.fits", "panoptes_unsolved.fits.gz"}
#: The manifest gives these two as stored, 3 pixels wide, or not at all.
SIZES = {"ppa_rgbinterleaved.fits": (640, 480), "astroquery_sourcelist.fit": (4109, 4096)}


@pytest.fixture
def manifest(corpus: Path) -> list[dict[str, Any]]:
    return list(json.loads((corpus / "manifest.json").read_text(encoding="utf-8")))


def test_every_image_is_read_at_its_size(corpus: Path, manifest: list[dict[str, Any]]) -> None:
    """With finite pixels, and as a mosaic only if its header names one."""
    for entry in manifest:
        name = entry["name"]
        if name in REFUSED or (name.endswith(".xisf") and not _has_xisf()):
            continue
        field = open_field(FileInput(str(corpus / name)))
        assert (field.width, field.height) == SIZES.get(name, (entry["width"], entry["height"])), name
        if isinstance(field, StarList):
            assert len(field.x) == 1000, name
            continue
        assert np.isfinite(field.pixels).all(), name
        assert field.is_mosaic == (name in MOSAICS), name


@pytest.mark.parametrize(("name", "message"), REFUSED.items())
def test_a_file_that_cannot_be_read_is_refused(corpus: Path, name: str, message: str) -> None:
    """The message is one line."""
    with pytest.raises(DataError, match=message):
        open_field(FileInput(str(corpus / name)))


def test_packed_and_converted_copies_hold_the_same_pixels(corpus: Path) -> None:
    """One frame as FITS, FITS.gz, in an extension, and as XISF."""
    names = ["panoptes_unsolved.fits", "panoptes_unsolved.fits.gz", "panoptes_mef.fits"]
    names += ["panoptes_unsolved.xisf"] if _has_xisf() else []
    fields = [open_field(FileInput(str(corpus / name))) for name in names]
    first = fields[0]
    assert isinstance(first, Image)
    for field in fields[1:]:
        assert isinstance(field, Image)
        np.testing.assert_array_equal(np.sort(field.pixels, axis=None), np.sort(first.pixels, axis=None))


def test_an_extension_inherits_the_mount_s_position(corpus: Path) -> None:
    """It is in the primary header only."""
    field = open_field(FileInput(str(corpus / "panoptes_mef.fits")))
    assert (field.header["RA-MNT"], field.origin.hdu) == (301.56439, 1)


def _has_xisf() -> bool:
    try:
        import xisf  # noqa: F401
    except ImportError:
        return False
    return True
