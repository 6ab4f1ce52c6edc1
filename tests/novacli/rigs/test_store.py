"""What solved frames teach: which frames are of one rig, what the next one is told, and that nothing is lost to it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from novacli.hints import Hints, PositionHint, ScaleHint
from novacli.records.calibration import Calibration
from novacli.records.field import Field, Image, Origin, StarList
from novacli.records.params import Parity, Position
from novacli.records.provenance import Provenance
from novacli.rigs.store import SOURCE, Rigs, identify

CAMERA = {"TELESCOP": "Refractor 80/500", "INSTRUME": "ASI 533", "XBINNING": 1}
NOW_S = 1_800_000_000.0
HOUR_S = 3600.0


def make_image(path: str | None = "/night/a.fits", *, width: int = 60, height: int = 40, **header: object) -> Image:
    origin = Origin("a.fits", path, "FITS")
    return Image(np.zeros((height, width), np.float32), None, header, origin, is_fits_like=True)  # type: ignore[arg-type]


def make_calibration(pixscale: float = 2.0, parity: float = -1.0, ra: float = 84.0, dec: float = -3.0) -> Calibration:
    return Calibration(ra, dec, 1.0, pixscale, 0.0, parity, 1.0, 1.0, 0.0)


@pytest.fixture
def rigs(tmp_path: Path) -> Rigs:
    return Rigs(tmp_path / "state" / "rigs.json")


# --- Which frames are of one rig ----------------------------------------------------------------------------------


def key_of(field: Field) -> str:
    found = identify(field)
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
def test_another_rig_is_another(other: Image) -> None:
    assert key_of(other) != key_of(make_image(**CAMERA))


def test_one_rig_is_one_wherever_its_frames_lie_and_whatever_they_show() -> None:
    other = make_image("/other/b.fits", **CAMERA, OBJECT="M 31", EXPTIME=30.0, FILTER="R")
    assert key_of(other) == key_of(make_image(**CAMERA))


def test_frames_of_a_nameless_camera_are_one_rig_by_folder_and_size() -> None:
    a, b, c = make_image("/night/a.fits"), make_image("/night/b.fits"), make_image("/day/a.fits")
    assert key_of(a) == key_of(b) != key_of(c)


def test_a_maker_that_the_model_repeats_is_named_once() -> None:
    found = identify(make_image(**{"EXIF Make": "Canon", "EXIF Model": "Canon EOS 70D", "EXIF LensModel": "EF 50mm"}))
    assert found is not None
    assert found[1] == "Canon EOS 70D EF 50mm"


def test_what_comes_from_nowhere_is_no_rig() -> None:
    """An array without a header, a list of stars."""
    column = np.zeros(3)
    assert identify(make_image(None)) is None
    assert identify(StarList(column, column, column, 10, 10, CAMERA, Origin("x", "/x", "CSV"))) is None


# --- What the next frame is told ----------------------------------------------------------------------------------


def test_a_solved_frame_is_the_hint_for_the_next(rigs: Rigs) -> None:
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    hints = rigs.recall(make_image("/night/b.fits", **CAMERA), Hints(), NOW_S + HOUR_S)
    (scale,) = hints.scales
    assert scale.low_arcsec_per_pixel < 2.0 < scale.high_arcsec_per_pixel
    assert scale.high_arcsec_per_pixel / scale.low_arcsec_per_pixel < 1.1
    (position,) = hints.positions
    assert (position.position.ra_deg, position.position.dec_deg) == (84.0, -3.0)
    assert hints.parity is Parity.NEGATIVE
    assert scale.source == position.source == SOURCE


def test_where_it_looked_is_soon_forgotten_and_its_scale_is_not(rigs: Rigs) -> None:
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    for later_s in (24 * HOUR_S, -HOUR_S):  # a day later; and a clock that was set back
        hints = rigs.recall(make_image(**CAMERA), Hints(), NOW_S + later_s)
        assert hints.positions == ()
        assert len(hints.scales) == 1


def test_what_was_measured_goes_before_the_header_and_its_pointing_after_it(rigs: Rigs) -> None:
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    header = Hints((ScaleHint(1, 3, "FOCALLEN"),), (PositionHint(Position(10.0, 10.0, 5.0), "RA/DEC"),))
    hints = rigs.recall(make_image(**CAMERA), header, NOW_S)
    assert [hint.source for hint in hints.scales] == [SOURCE, "FOCALLEN"]
    assert [hint.source for hint in hints.positions] == ["RA/DEC"]


def test_the_user_s_word_is_not_added_to(rigs: Rigs) -> None:
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    said = Hints((ScaleHint(1, 3, "--scale-low/--scale-high", Provenance.USER),), parity=Parity.POSITIVE)
    hints = rigs.recall(make_image(**CAMERA), said, NOW_S + 24 * HOUR_S)
    assert hints == said


def test_another_rig_is_told_nothing(rigs: Rigs) -> None:
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    assert rigs.recall(make_image(width=30, **CAMERA), Hints(), NOW_S) == Hints()


# --- What is learned ----------------------------------------------------------------------------------------------


def test_frames_that_agree_make_it_steadier(rigs: Rigs) -> None:
    for scale in (2.0, 2.02, 1.99):
        rigs.learn(make_image(**CAMERA), make_calibration(scale), NOW_S)
    (rig,) = rigs.all()
    assert rig.frames == 3
    assert rig.pixscale_arcsec == pytest.approx(2.0033, abs=1e-3)


@pytest.mark.parametrize("changed", [{"pixscale": 4.0}, {"parity": 1.0}])
def test_a_frame_that_turns_out_otherwise_replaces_what_was_known(rigs: Rigs, changed: dict[str, float]) -> None:
    """A reducer was put in, a mirror taken out."""
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    rigs.learn(make_image(**CAMERA), make_calibration(**changed), NOW_S)
    (rig,) = rigs.all()
    assert (rig.frames, rig.pixscale_arcsec, rig.parity) == (1, changed.get("pixscale", 2.0), changed.get("parity", -1))


def test_rigs_can_be_forgotten(rigs: Rigs) -> None:
    for name in "abc":
        rigs.learn(make_image(TELESCOP=name), make_calibration(), NOW_S)
    one = rigs.all()[0].key
    assert rigs.forget({one}) == 1
    assert one not in {rig.key for rig in rigs.all()}
    assert rigs.forget() == 2
    assert rigs.all() == []


def test_the_file_does_not_grow_for_ever(rigs: Rigs) -> None:
    for number in range(205):
        rigs.learn(make_image(TELESCOP=f"t{number}"), make_calibration(), NOW_S + number)
    kept = rigs.all()
    assert len(kept) == 200
    assert kept[0].name == "t204"


# --- Nothing is lost to it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"format": 9, "rigs": []}', '{"format": 1, "rigs": [3, {}, {"key": "x"}]}', "[" * 100_000],
)
def test_a_damaged_file_is_no_error_and_is_made_anew(rigs: Rigs, text: str) -> None:
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
def test_nonsense_in_it_is_no_hint(rigs: Rigs, change: dict[str, object]) -> None:
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    value = json.loads(rigs.path.read_text())
    value["rigs"][0] |= change
    rigs.path.write_text(json.dumps(value))
    assert rigs.recall(make_image(**CAMERA), Hints(), NOW_S) == Hints()


def test_a_place_that_cannot_be_written_ends_no_solve(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    rigs = Rigs(tmp_path / "file" / "rigs.json")
    rigs.learn(make_image(**CAMERA), make_calibration(), NOW_S)
    assert rigs.recall(make_image(**CAMERA), Hints(), NOW_S) == Hints()


def test_the_file_is_closed_to_others(rigs: Rigs) -> None:
    """It tells where somebody's pictures lie."""
    rigs.learn(make_image(), make_calibration(), NOW_S)
    assert rigs.path.parent.stat().st_mode & 0o077 == 0
