"""The camera and the time of a frame, from its header or its name."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import fitsio
import numpy as np
import pytest
from made_disk import STUCK

from novacli.batch.children import child
from novacli.batch.children.child import ChildProcess
from novacli.batch.frames import header_reader as module
from novacli.batch.frames.header_reader import Exposure, ExposureReader, read_exposure
from novacli.batch.frames.listing import frame_at
from novacli.inputs import FileInput, open_field
from novacli.rigs.store import identify_rig

CAMERA = {"INSTRUME": "ASI 533", "TELESCOP": "Newton"}
DATE = "2026-03-01T20:00:00.5"
DATE_S = datetime(2026, 3, 1, 20, 0, 0, 500_000, UTC).timestamp()


def write(path: Path, shape: tuple[int, int] = (40, 60), **cards: object) -> Path:
    fitsio.write(str(path), np.zeros(shape, np.uint16), header={**CAMERA, "DATE-OBS": DATE, **cards}, clobber=True)
    return path


def look(path: Path) -> Exposure:
    return read_exposure(frame_at(str(path)))


def test_the_camera_is_the_one_that_the_solved_frame_will_have(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits")
    found = identify_rig(open_field(FileInput(str(path))))
    assert found is not None
    assert look(path) == Exposure(found[0], DATE_S)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress], ids=["gz", "bz2"])
def test_packed_files_have_the_same_exposure(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits")
    packed = tmp_path / "a.fits.packed"
    packed.write_bytes(pack(path.read_bytes()))
    assert look(packed) == look(path)


def test_the_header_of_an_extension_takes_precedence(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    with fitsio.FITS(str(path), "rw") as hdus:
        hdus.write(None, header={**CAMERA, "DATE-OBS": DATE})
        hdus.write(np.zeros((40, 60), np.uint16))
    assert look(path) == look(write(tmp_path / "plain.fits"))
    fpacked = tmp_path / "a.fits.fz"
    with fitsio.FITS(str(fpacked), "rw") as hdus:
        hdus.write(np.zeros((40, 60), np.uint16), header={**CAMERA, "DATE-OBS": DATE}, compress="rice")
    assert look(fpacked) == look(path)


@pytest.mark.parametrize("change", [{"TELESCOP": "Refractor"}, {"XBINNING": 2}])
def test_another_camera_is_another_group(change: dict[str, object], tmp_path: Path) -> None:
    one, other = write(tmp_path / "a.fits"), write(tmp_path / "b.fits", **change)
    assert look(one).group != look(other).group
    assert look(one).group != look(write(tmp_path / "c.fits", (30, 60))).group


@pytest.mark.parametrize(
    ("cards", "taken_s"),
    [
        ({"DATE-OBS": "2026-03-01", "TIME-OBS": "20:00:00.5"}, DATE_S),
        ({"DATE-OBS": "2026-03-01T21:00:00.5+01:00"}, DATE_S),
        ({"DATE-OBS": "2026-03-01"}, datetime(2026, 3, 1, tzinfo=UTC).timestamp()),
    ],
)
def test_times(cards: dict[str, object], taken_s: float, tmp_path: Path) -> None:
    assert look(write(tmp_path / "a.fits", **cards)).taken_s == taken_s


@pytest.mark.parametrize("date", ["01/03/99", "soon", "", 7])
def test_without_a_valid_date_the_modification_time_counts(date: object, tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", **{"DATE-OBS": date})
    assert look(path).taken_s == path.stat().st_mtime_ns / 1e9


@pytest.mark.parametrize(
    "content", [b"", b"SIMPLE", b"SIMPLE  =" + b"x" * 9000, b"\x1f\x8bno gzip", b"BZno bzip2", b"\xff\xd8 picture"]
)
def test_other_files_are_grouped_by_folder_and_format(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    names = ["a.JPG", "b.jpg", "c.jpg.gz", "a.png", "other/a.jpg"]
    for name in names:
        (tmp_path / name).write_bytes(content)
    a, b, c, png, other = (look(tmp_path / name) for name in names)
    assert a.group == b.group == c.group
    assert len({a.group, png.group, other.group}) == 3
    assert a.taken_s == (tmp_path / "a.JPG").stat().st_mtime_ns / 1e9


def test_a_file_that_is_gone_has_an_exposure_by_its_name(tmp_path: Path) -> None:
    frame = frame_at(str(write(tmp_path / "a.fits")))
    (tmp_path / "a.fits").unlink()
    assert read_exposure(frame).taken_s == frame.mtime_ns / 1e9


def test_a_hanging_disk_does_not_block_the_reader(disk: tuple[Path, object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers are not read for a while, because each of them would exceed the time limit."""
    monkeypatch.setattr(child, "GRACE_S", 0.3)
    monkeypatch.setattr(module, "_LIMIT_S", 1.0)
    stuck, whole = (frame_at(str(disk[0] / name)) for name in (f"{STUCK}.fits", "a.fits"))
    reader = ExposureReader()
    try:
        assert reader.read(whole) == read_exposure(whole)
        assert reader.read(stuck) == Exposure(f"{disk[0]}\nfits", stuck.mtime_ns / 1e9)
        asked: list[object] = []
        monkeypatch.setattr(ChildProcess, "ask", lambda *question, **_: asked.append(question))
        assert reader.read(whole) == read_exposure(whole)
        assert asked == []
    finally:
        reader.close()
