"""Notes on hints that the solution shows to be wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from novacli.hints import user_hints
from novacli.jobs.request import JobRequest
from novacli.pipeline.hint_check import wrong_hints
from novacli.records.calibration import Calibration
from novacli.records.hints import Hint, ParityHint, PositionHint, ScaleHint, WcsHint
from novacli.records.params import Position, Scale, ScaleUnit, SolveParams
from novacli.records.parity import Parity
from novacli.records.provenance import Provenance
from novacli.records.result import SourceRecord

FOUND = Calibration(
    ra=187.2, dec=56.7, radius=1.8, pixscale=10.0, orientation=0.0, parity=1.0, width_arcsec=1e4, height_arcsec=8e3,
    up_deg_e_of_n=0.0,
)  # fmt: skip
PLAIN = JobRequest()


def scale(low: float, high: float, provenance: Provenance = Provenance.HEADER) -> ScaleHint:
    return ScaleHint(low, high, "FOCALLEN + XPIXSZ", provenance)


def position(ra: float, dec: float, radius: float, provenance: Provenance = Provenance.USER) -> PositionHint:
    return PositionHint(Position(ra, dec, radius), "--ra/--dec", provenance)


def notes_on(hints: Sequence[Hint], found: Calibration = FOUND, request: JobRequest = PLAIN) -> list[str]:
    return list(wrong_hints(hints, found, request))


@pytest.mark.parametrize(
    "hint",
    [
        scale(9, 11),
        scale(10.05, 12),  # by less than lenses are known
        position(187.2, 50.0, 15.0),
        WcsHint("WCS"),
        ParityHint(Parity.NEGATIVE),
        scale(1, 2, Provenance.EARLIER),
        position(0, 0, 1, Provenance.EARLIER),
    ],
)
def test_right_hints_and_those_from_earlier_frames_give_no_note(hint: Hint) -> None:
    assert (notes_on([hint])) == []


@pytest.mark.parametrize(
    ("hint", "note"),
    [
        (scale(4, 5.5), 'the scale by FOCALLEN + XPIXSZ is wrong: 4 to 5.5"/pixel, and it is 10"/pixel'),
        (scale(12.3456, 12.3456), 'the scale by FOCALLEN + XPIXSZ is wrong: 12.35"/pixel, and it is 10"/pixel'),
        (position(187.2, -3.3, 15), "the position by --ra/--dec is wrong: the centre is 60° from there"),
    ],
)
def test_a_wrong_hint_gives_a_note_with_the_true_value(hint: Hint, note: str) -> None:
    assert (notes_on([hint])) == [note]


def test_no_note_if_one_hint_of_the_kind_is_right() -> None:
    """A focal length with a pixel size is read in two ways where pixels are binned."""
    assert (notes_on([scale(4, 5), scale(9, 11), position(0, 0, 1), position(187.2, 56.0, 1)])) == []
    assert len(notes_on([scale(4, 5), scale(2, 3), position(0, 0, 1)])) == 2


def test_right_ascensions_are_compared_across_0_hours() -> None:
    found = dataclasses.replace(FOUND, ra=359.9, dec=0.0)
    assert (notes_on([position(0.1, 0.0, 1.0)], found)) == []


@pytest.mark.parametrize(
    ("scale", "comparison"),
    [
        (Scale(1, 2, ScaleUnit.DEG_WIDTH), "1 to 2° wide, and it is 2.778° wide"),
        (Scale(100, None, ScaleUnit.DEG_WIDTH), "at least 100° wide, and it is 2.778° wide"),
        (Scale(None, 90, ScaleUnit.ARCMIN_WIDTH), "at most 90′ wide, and it is 166.7′ wide"),
        (Scale(1, 2, ScaleUnit.ARCSEC_PER_PIXEL), '1 to 2"/pixel, and it is 10"/pixel'),
        (Scale(50, 50, ScaleUnit.FOCAL_MM), "50 mm (35-mm equivalent), and it is 742.4 mm (35-mm equivalent)"),
    ],
)
def test_a_note_on_the_user_s_scale_uses_the_user_s_unit(scale: Scale, comparison: str) -> None:
    """The note named arcsec/pixel even if the user had given a width in degrees."""
    source = SourceRecord("/a.fits", "FITS", 0, "image", 1000, 800)
    request = JobRequest(source=source, params=SolveParams(scale=scale))
    hints = user_hints(SolveParams(scale=scale), 1000, 800).scales
    (note,) = wrong_hints(hints, FOUND, request)
    assert note.startswith("the scale by --scale-")
    assert note.endswith(f" is wrong: {comparison}")
