"""Rigs: how frames are told apart, the hints for the next frame, and errors of the file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from novacli.hints import Hints, PositionHint, ScaleHint
from novacli.records.calibration import Calibration
from novacli.records.field import Field, Image, Origin, StarList
from novacli.records.params import Position
from novacli.records.parity import Parity
from novacli.records.provenance import Provenance
from novacli.rigs.store import SOURCE, RigStore, identify_rig

CAMERA = {"TELESCOP": "Refractor 80/500", "INSTRUME": "ASI 533", "XBINNING": 1}
NOW_S = 1_800_000_000.0
HOUR_S = 3600.0


def make_image(path: str | None = "/night/a.fits", *, width: int = 60, height: int = 40, **header: object) -> Image:
    origin = Origin("a.fits", path, "FITS")
    return Image(np.zeros((height, width), np.float32), None, header, origin, is_fits_like=True)  # type: ignore[arg-type]


def make_calibration(pixscale: float = 2.0, parity: float = -1.0, ra: float = 84.0, dec: float = -3.0) -> Calibration:
    return Calibration(ra, dec, 1.0, pixscale, 0.0, parity, 1.0, 1.0, 0.0)


@pytest.fixture
def rigs(tmp_path: Path) -> RigStore:
    return RigStore(tmp_path / "state" / "rigs.json")


# --- Frames of one rig --------------------------------------------------------------------------------------------


def key_of(field: Field) -> str:
    found = identify_rig(field)
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    "other",
    [
        make_image(**{**CAMERA, "TELESCOP": "Newton"}),
        make_image(**{**CAMERA, "XBINNING": 2}),
        make_image(width=30, **CAMERA),
        replace(make_image(**CAMERA), is_fits_like=False),
    ],
    ids=["telescope", "binning", "size", "rows from the top"],
)
def test_a_different_camera_size_or_format_is_another_rig(other: Image) -> None:
    assert key_of(other) != key_of(make_image(**CAMERA))


def test_a_rig_depends_neither_on_the_folder_nor_on_the_target() -> None:
    other = make_image("/other/b.fits", **CAMERA, OBJECT="M 31", EXPTIME=30.0, FILTER="R")
    assert key_of(other) == key_of(make_image(**CAMERA))


def test_frames_without_a_camera_name_are_one_rig_by_folder_and_size() -> None:
    a, b, c = make_image("/night/a.fits"), make_image("/night/b.fits"), make_image("/day/a.fits")
    assert key_of(a) == key_of(b) != key_of(c)


def test_a_maker_that_is_part_of_the_model_is_named_once() -> None:
    found = identify_rig(
        make_image(**{"EXIF Make": "Canon", "EXIF Model": "Canon EOS 70D", "EXIF LensModel": "EF 50mm"})
    )
    assert found is not None
    assert found[1] == "Canon EOS 70D EF 50mm"


def test_an_array_and_a_star_list_have_no_rig() -> None:
    column = np.zeros(3)
    assert identify_rig(make_image(None)) is None
    assert identify_rig(StarList(column, column, column, 10, 10, CAMERA, Origin("x", "/x", "CSV"))) is None


# --- Hints for the next frame -------------------------------------------------------------------------------------


def test_a_solved_frame_gives_hints_for_the_next(rigs: RigStore) -> None:
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    hints = rigs.recall(make_image("/night/b.fits", **CAMERA), Hints(), NOW_S + HOUR_S)
    (scale,) = hints.scales
    assert scale.low_arcsec_per_pixel < 2.0 < scale.high_arcsec_per_pixel
    assert scale.high_arcsec_per_pixel / scale.low_arcsec_per_pixel < 1.1
    (position,) = hints.positions
    assert (position.position.ra_deg, position.position.dec_deg) == (84.0, -3.0)
    assert hints.parity is Parity.NEGATIVE
    assert scale.source == position.source == SOURCE


def test_a_pointing_expires_and_a_scale_does_not(rigs: RigStore) -> None:
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    for later_s in (24 * HOUR_S, -HOUR_S):  # a day later, and a clock that was set back
        hints = rigs.recall(make_image(**CAMERA), Hints(), NOW_S + later_s)
        assert hints.positions == ()
        assert len(hints.scales) == 1


def test_the_measured_scale_comes_before_that_of_the_header_and_the_pointing_is_the_header_s(rigs: RigStore) -> None:
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    header = Hints((ScaleHint(1, 3, "FOCALLEN"),), (PositionHint(Position(10.0, 10.0, 5.0), "RA/DEC"),))
    hints = rigs.recall(make_image(**CAMERA), header, NOW_S)
    assert [hint.source for hint in hints.scales] == [SOURCE, "FOCALLEN"]
    assert [hint.source for hint in hints.positions] == ["RA/DEC"]


def test_nothing_is_added_to_the_hints_of_the_user(rigs: RigStore) -> None:
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    user = Hints((ScaleHint(1, 3, "--scale-low/--scale-high", Provenance.USER),), parity=Parity.POSITIVE)
    hints = rigs.recall(make_image(**CAMERA), user, NOW_S + 24 * HOUR_S)
    assert hints == user


def test_another_rig_gets_no_hints(rigs: RigStore) -> None:
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    assert rigs.recall(make_image(width=30, **CAMERA), Hints(), NOW_S) == Hints()


# --- What is stored ----------------------------------------------------------------------------------------------


def test_the_scale_is_a_mean_of_frames_that_agree(rigs: RigStore) -> None:
    for scale in (2.0, 2.02, 1.99):
        rigs.learn(make_image(**CAMERA), make_calibration(scale), NOW_S)
    (rig,) = rigs.all()
    assert rig.frames == 3
    assert rig.pixscale_arcsec == pytest.approx(2.0033, abs=1e-3)


@pytest.mark.parametrize("changed", [{"pixscale": 4.0}, {"parity": 1.0}])
def test_a_frame_that_contradicts_replaces_the_rig(rigs: RigStore, changed: dict[str, float]) -> None:
    """As after a focal reducer was put in, or a mirror taken out."""
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    rigs.learn(make_image(**CAMERA), make_calibration(**changed), NOW_S)
    (rig,) = rigs.all()
    assert (rig.frames, rig.pixscale_arcsec, rig.parity) == (1, changed.get("pixscale", 2.0), changed.get("parity", -1))


def test_rigs_can_be_forgotten(rigs: RigStore) -> None:
    for name in "abc":
        rigs.learn(make_image(TELESCOP=name), make_calibration(), NOW_S)
    one = rigs.all()[0].key
    assert rigs.forget({one}) == 1
    assert one not in {rig.key for rig in rigs.all()}
    assert rigs.forget() == 2
    assert rigs.all() == []


def test_the_file_keeps_the_last_200_rigs(rigs: RigStore) -> None:
    for number in range(205):
        rigs.learn(make_image(TELESCOP=f"t{number}"), make_calibration(), NOW_S + number)
    kept = rigs.all()
    assert len(kept) == 200
    assert kept[0].name == "t204"


# --- Errors of the file -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"format": 9, "rigs": []}', '{"format": 1, "rigs": [3, {}, {"key": "x"}]}', "[" * 100_000],
)
def test_a_damaged_file_is_replaced_without_an_error(rigs: RigStore, text: str) -> None:
    rigs.path.parent.mkdir()
    rigs.path.write_text(text)
    assert rigs.recall(make_image(**CAMERA), Hints(), NOW_S) == Hints()
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    assert len(rigs.all()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"pixscale_arcsec": "NaN"},
        {"pixscale_arcsec": -1},
        {"ra_deg": 1e9},
        {"parity": "x"},
        {"solved_s": 1e300},
        {"solved_s": "NaN"},
    ],
)
def test_values_out_of_range_give_no_hint(rigs: RigStore, change: dict[str, object]) -> None:
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    value = json.loads(rigs.path.read_text())
    value["rigs"][0] |= change
    rigs.path.write_text(json.dumps(value))
    assert rigs.recall(make_image(**CAMERA), Hints(), NOW_S) == Hints()


def test_a_file_that_cannot_be_written_raises_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    rigs = RigStore(tmp_path / "file" / "rigs.json")
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    assert rigs.recall(make_image(**CAMERA), Hints(), NOW_S) == Hints()


def test_others_cannot_read_the_file(rigs: RigStore) -> None:
    """It holds the paths of folders with images."""
    rigs.learn(make_image(), make_calibration(), NOW_S)
    assert rigs.path.parent.stat().st_mode & 0o077 == 0
