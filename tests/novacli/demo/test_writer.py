"""Drawings written to disk."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import fitsio
import numpy as np
import pytest
from astropy.io import fits

from novacli.demo.catalogue import Catalogue
from novacli.demo.drawing import Drawing, draw
from novacli.demo.scene import Scene
from novacli.demo.writer import truth_path, write
from novacli.errors import OutputError

SCENE = Scene(150, -12.5, width_px=60, height_px=40)


@pytest.fixture(scope="module")
def drawing(sky: Catalogue) -> Drawing:
    return draw(SCENE, sky)


def test_file_has_unsigned_16_bit_counts(drawing: Drawing, tmp_path: Path) -> None:
    write(drawing, SCENE, tmp_path / "a.fits")
    stored = fitsio.read(str(tmp_path / "a.fits"))
    assert stored.dtype == np.uint16
    np.testing.assert_array_equal(stored, drawing.pixels)
    with fits.open(tmp_path / "a.fits") as hdus:
        hdus.verify("exception")
        np.testing.assert_array_equal(hdus[0].data, drawing.pixels)


def test_header_states_the_camera_but_no_position(drawing: Drawing, tmp_path: Path) -> None:
    write(drawing, SCENE, tmp_path / "a.fits")
    header = fits.getheader(tmp_path / "a.fits")
    assert {"DATE-OBS", "EXPTIME", "INSTRUME", "FOCALLEN", "XPIXSZ", "XBINNING", "EGAIN", "OBJECT"} <= set(header)
    places = ("CTYPE", "CRVAL", "CRPIX", "CD", "PC", "RA", "DEC", "OBJCT", "A_", "B_", "EQUINOX")
    assert [k for k in header if k.startswith(places)] == []


def test_header_states_the_pointing_on_request(drawing: Drawing, tmp_path: Path) -> None:
    write(drawing, dataclasses.replace(SCENE, states_pointing=True), tmp_path / "a.fits")
    header = fits.getheader(tmp_path / "a.fits")
    assert (header["OBJCTRA"], header["OBJCTDEC"]) == ("10 00 00.00", "-12 30 00.0")


def test_truth_is_written_beside_the_image(drawing: Drawing, tmp_path: Path) -> None:
    write(drawing, SCENE, tmp_path / "a.fits")
    assert json.loads((tmp_path / "a.fits.truth.json").read_text()) == json.loads(json.dumps(drawing.truth.as_json()))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.fits", "a.fits.truth.json"]


@pytest.mark.parametrize("existing", ["a.fits", "a.fits.truth.json"])
def test_existing_files_are_kept_without_overwrite(drawing: Drawing, tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_text("precious")
    with pytest.raises(OutputError, match=rf"{existing} exists already: .*--overwrite"):
        write(drawing, SCENE, tmp_path / "a.fits")
    assert (tmp_path / existing).read_text() == "precious"
    write(drawing, SCENE, tmp_path / "a.fits", overwrite=True)
    assert (tmp_path / existing).read_bytes()[:8] != b"precious"


def test_missing_directory_is_reported(drawing: Drawing, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"none/a\.fits.*make its directory first"):
        write(drawing, SCENE, tmp_path / "none" / "a.fits")


def test_full_disk_leaves_no_file(drawing: Drawing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"No space left.*free some space"):
        write(drawing, SCENE, tmp_path / "a.fits")
    assert list(tmp_path.iterdir()) == []


def test_name_of_the_truth_file_extends_the_images_name() -> None:
    assert truth_path(Path("dir/a.b.fits")) == Path("dir/a.b.fits.truth.json")
