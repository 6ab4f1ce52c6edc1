"""What a frame takes of the earlier ones of its sequence, and what it leaves."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from novacli.batch.records import SequenceHint
from novacli.batch.run.sequence_hints import SOURCE, SequenceMemory
from novacli.hints import Hints, PositionHint, ScaleHint
from novacli.records.calibration import Calibration
from novacli.records.field import HeaderValue, Image, Origin, StarList
from novacli.records.params import Position
from novacli.records.parity import Parity
from novacli.records.provenance import Provenance
from novacli.rigs.store import RigStore, identify_rig

CAMERA: dict[str, HeaderValue] = {"INSTRUME": "ASI 533"}
NOTHING = Hints()
USER = Provenance.USER
WIDTH = 1800  # one degree at 2 arcsec/pixel


def image(**header: HeaderValue) -> Image:
    pixels = np.zeros((10, WIDTH), np.float32)
    return Image(pixels, None, {**CAMERA, **header}, Origin("a", "/n/a.fits", "FITS"), is_fits_like=True)


def calibration(ra: float = 84.0, dec: float = -3.0) -> Calibration:
    return Calibration(ra, dec, 1.0, 2.0, 0.0, Parity.NEGATIVE, 1.0, 1.0, 0.0)


def aimed(ra: float, dec: float, source: str = "OBJCTRA/OBJCTDEC", provenance: Provenance = Provenance.HEADER) -> Hints:
    return Hints(positions=(PositionHint(Position(ra, dec, 5.0), source, provenance),))


def taught(field: Image, given: Hints = NOTHING) -> SequenceHint:
    """What a frame teaches that is solved."""
    handing = SequenceMemory((), None)
    handing.recall(field, given)
    handing.learn(field, calibration())
    assert handing.hint is not None
    return handing.hint


def sources(hints: Hints) -> list[str]:
    return [hint.source for hint in (*hints.scales, *hints.positions)]


def test_scale_position_and_parity_are_passed_on() -> None:
    got = SequenceMemory([taught(image())], None).recall(image(), Hints())
    (scale,), (position,) = got.scales, got.positions
    assert scale.low_arcsec_per_pixel < 2.0 < scale.high_arcsec_per_pixel
    assert (position.position.ra_deg, position.position.dec_deg) == (84.0, -3.0)
    assert 1.0 < position.position.radius_deg < 3.0
    assert got.parity is Parity.NEGATIVE
    assert sources(got) == [SOURCE, SOURCE]


def test_hints_of_another_camera_are_not_used() -> None:
    earlier = [taught(image(INSTRUME="another"))]
    assert SequenceMemory(earlier, None).recall(image(), Hints()) == Hints()
    own = dataclasses.replace(taught(image()), pixscale_arcsec=3.0)
    assert len(SequenceMemory([*earlier, own], None).recall(image(), Hints()).scales) == 1


def test_a_frame_of_another_target_gets_the_scale_alone() -> None:
    earlier = [taught(image(OBJECT="M 31")), dataclasses.replace(taught(image(OBJECT="M 33")), centre_deg=(23.5, 30.7))]
    handing = SequenceMemory(earlier, None)
    assert handing.recall(image(OBJECT="m 33 "), Hints()).positions[0].position.ra_deg == 23.5
    for other in (image(OBJECT="M 42"), image()):
        got = handing.recall(other, Hints())
        assert (len(got.scales), got.positions) == (1, ())


def test_a_header_with_another_pointing_takes_precedence() -> None:
    earlier = [taught(image(), aimed(83.0, -4.0))]
    here, there = aimed(83.2, -4.1), aimed(120.0, 40.0)
    assert sources(SequenceMemory(earlier, None).recall(image(), here)) == [SOURCE, SOURCE]
    assert SequenceMemory(earlier, None).recall(image(), there).positions == there.positions
    assert sources(SequenceMemory([taught(image())], None).recall(image(), there)) == [SOURCE, SOURCE]


def test_the_user_s_hints_take_precedence() -> None:
    said = Hints(
        (ScaleHint(1, 9, "--scale-low", USER),), aimed(1.0, 2.0, "--ra/--dec", USER).positions, parity=Parity.POSITIVE
    )
    assert SequenceMemory([taught(image())], None).recall(image(), said) == said


def test_a_different_scale_in_the_header_is_kept() -> None:
    agreeing, other = ScaleHint(1.0, 3.0, "FOCALLEN"), ScaleHint(4.0, 5.0, "SECPIX")
    got = SequenceMemory([taught(image())], None).recall(image(), Hints((agreeing, other)))
    assert [hint.source for hint in got.scales] == [SOURCE, "SECPIX"]


def test_a_centre_that_is_too_old_is_not_passed_on() -> None:
    old = dataclasses.replace(taught(image()), centre_deg=None)
    assert SequenceMemory([old], None).recall(image(), Hints()).positions == ()


class TestLearning:
    @pytest.fixture
    def rigs(self, tmp_path: Path) -> RigStore:
        return RigStore(tmp_path / "rigs.json")

    def test_without_learning_no_file_is_read_or_written(self, rigs: RigStore) -> None:
        rigs.learn(image(), calibration())
        before = rigs.path.read_bytes()
        handing = SequenceMemory((), None)
        assert handing.recall(image(), Hints()) == Hints()
        handing.learn(image(), calibration(10.0))
        assert handing.hint is not None
        assert rigs.path.read_bytes() == before

    def test_the_first_frame_gets_hints_of_earlier_runs(self, rigs: RigStore) -> None:
        rigs.learn(image(), calibration())
        assert SequenceMemory((), rigs).recall(image(), Hints()) == rigs.recall(image(), Hints()) != Hints()

    def test_the_sequence_takes_precedence_over_earlier_runs(self, rigs: RigStore) -> None:
        rigs.learn(image(OBJECT="M 31"), calibration())
        got = SequenceMemory([taught(image(OBJECT="M 31"))], rigs).recall(image(OBJECT="M 33"), Hints())
        assert (len(got.scales), got.positions) == (1, ())

    def test_each_frame_teaches_later_runs(self, rigs: RigStore) -> None:
        SequenceMemory([taught(image())], rigs).learn(image(), calibration())
        assert [rig.frames for rig in rigs.all()] == [1]


def test_a_star_list_has_no_camera() -> None:
    found = identify_rig(image())
    assert found is not None
    stars = StarList(np.zeros(1), np.zeros(1), None, 10, 10, dict(CAMERA), Origin("a", None, "text"))
    handing = SequenceMemory([taught(image())], None)
    assert handing.recall(stars, Hints()) == Hints()
    handing.learn(stars, calibration())
    assert handing.hint is None
