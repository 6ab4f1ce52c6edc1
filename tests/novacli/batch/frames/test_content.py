"""The digests of a frame's content: what changes them, and what does not."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import fitsio
import numpy as np
import pytest

from novacli.batch.frames.content import read_content
from novacli.batch.records import FileContent
from novacli.exports import insert
from novacli.jobs.request import sha256_of
from solvehost.formats import fitsfile


def write_frame(path: Path, *, value: int = 7, **header: object) -> Path:
    fitsio.write(str(path), np.full((40, 60), value, np.uint16), header=header, clobber=True)
    return path


def solution(ra_deg: float) -> bytes:
    cards = {
        "SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "WCSAXES": 2, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN",
        "CRVAL1": ra_deg, "CRVAL2": 20.0, "CRPIX1": 30.5, "CRPIX2": 20.5, "CD1_1": -1e-3, "CD1_2": 0.0, "CD2_1": 0.0,
        "CD2_2": 1e-3, "IMAGEW": 60, "IMAGEH": 40,
    }  # fmt: skip
    return fitsfile.end_header([fitsfile.card(word, value) for word, value in cards.items()])


def update(path: Path, ra_deg: float) -> None:
    """Write a solution into the header, as ``--update`` does."""
    with path.open("rb") as source:
        planned = insert.plan(source, 0, solution(ra_deg), path.name)
        beside = path.with_suffix(".part")
        with beside.open("wb") as target:
            insert.copy(source, planned, target, path.name)
    beside.rename(path)


def content(path: Path) -> FileContent:
    found = read_content(str(path))
    assert found is not None
    return found


def test_another_solution_leaves_the_digest_as_it_is(tmp_path: Path) -> None:
    """The frame has an old description of its own, which the first update replaces."""
    path = write_frame(tmp_path / "a.fits", OBJECT="M 31", CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRVAL1=1.0, CDELT1=0.1)
    update(path, 10.0)
    first = content(path)
    assert first.sha256 == sha256_of(str(path))
    update(path, 11.0)
    second = content(path)
    assert second.sha256 != first.sha256
    assert second.digest == first.digest is not None
    assert second.is_same_frame(first)


@pytest.mark.parametrize("change", [{"value": 8}, {"OBJECT": "M 33"}])
def test_other_pixels_or_cards_change_the_digest(tmp_path: Path, change: dict[str, object]) -> None:
    one, other = tmp_path / "a.fits", tmp_path / "b.fits"
    write_frame(one, value=7, OBJECT="M 31")  # type: ignore[arg-type]
    write_frame(other, **{"value": 7, "OBJECT": "M 31", **change})  # type: ignore[arg-type]
    for path in (one, other):
        update(path, 10.0)
    assert not content(one).is_same_frame(content(other))


def test_a_frame_that_was_restored_without_its_solution_is_another_one(tmp_path: Path) -> None:
    path = write_frame(tmp_path / "a.fits")
    original = path.read_bytes()
    update(path, 10.0)
    updated = content(path)
    path.write_bytes(original)
    assert not content(path).is_same_frame(updated)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_packed_frame_has_the_digest_of_the_frame_in_it(tmp_path: Path, pack: object) -> None:
    path = write_frame(tmp_path / "a.fits")
    packed = tmp_path / "a.fits.packed"
    packed.write_bytes(pack(path.read_bytes()))  # type: ignore[operator]
    assert content(packed).digest == content(path).digest is not None
    assert content(packed).sha256 == sha256_of(str(packed))


@pytest.mark.parametrize("data", [b"", b"no image", b"SIMPLE  = T", b"\x1f\x8bno gzip", b"BZhno bzip2"])
def test_what_is_not_a_fits_file_has_no_digest(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.fits"
    path.write_bytes(data)
    assert content(path) == FileContent(sha256_of(str(path)) or "", None)


def test_a_file_that_cannot_be_read_has_no_content(tmp_path: Path) -> None:
    assert read_content(str(tmp_path / "gone.fits")) is None
