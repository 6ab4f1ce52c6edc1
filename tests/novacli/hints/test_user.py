"""The user's parameters as hints, and their precedence over those of the header."""

import pytest

from novacli.hints import Hints, PositionHint, ScaleHint, WcsHint, combine, user_hints
from novacli.records.params import Position, Scale, ScaleUnit, SolveParams
from novacli.records.parity import Parity
from novacli.records.provenance import Provenance

HEADER = Hints(
    scales=(ScaleHint(1, 2, "PIXSCALE"),),
    positions=(PositionHint(Position(10, 20), "RA/DEC"), PositionHint(Position(30, 20), "RA-MNT/DEC-MNT")),
    wcs=WcsHint("WCS (CD matrix)"),
    parity=Parity.NEGATIVE,
    notes=("a note",),
)


def test_parameters_become_hints_unchanged():
    params = SolveParams(
        scale=Scale(1.0, 2.0, ScaleUnit.ARCSEC_PER_PIXEL), position=Position(10, 20, 3), parity=Parity.POSITIVE
    )
    assert user_hints(params, 1000, 800) == Hints(
        scales=(ScaleHint(1.0, 2.0, "--scale-low/--scale-high", Provenance.USER),),
        positions=(PositionHint(Position(10, 20, 3), "--ra/--dec", Provenance.USER),),
        parity=Parity.POSITIVE,
    )


def test_default_parameters_give_no_hints():
    assert user_hints(SolveParams(), 1000, 800) == Hints()


@pytest.mark.parametrize(
    ("scale", "low", "high", "source"),
    [
        (Scale(1.0, None), 3.6, 648.0, "--scale-low"),
        (Scale(None, 1.0), 0.18, 3.6, "--scale-high"),
        (Scale(None, 0.01), 0.0036, 0.036, "--scale-high"),
        (Scale(300.0, None), 1080.0, 10800.0, "--scale-low"),
    ],
)
def test_an_open_end_gets_the_scale_of_the_narrowest_or_the_widest_field(scale, low, high, source):
    (hint,) = user_hints(SolveParams(scale=scale), 1000, 800).scales
    assert (hint.low_arcsec_per_pixel, hint.high_arcsec_per_pixel) == pytest.approx((low, high))
    assert hint.source == source


def test_an_open_end_of_the_focal_length_is_the_other_end_of_the_scale():
    (hint,) = user_hints(SolveParams(scale=Scale(50.0, None, ScaleUnit.FOCAL_MM)), 1000, 800).scales
    assert hint.low_arcsec_per_pixel == pytest.approx(0.18)
    assert hint.high_arcsec_per_pixel == pytest.approx(39.6 * 3.6, rel=1e-3)


def test_hints_of_the_header_are_used_if_the_user_gives_none():
    assert combine(Hints(), HEADER) == HEADER


def test_each_kind_of_hint_of_the_user_replaces_that_of_the_header():
    mine = ScaleHint(5, 6, "--scale-low/--scale-high", Provenance.USER)
    combined = combine(Hints(scales=(mine,)), HEADER)
    assert combined.scales == (mine,)
    assert combined.positions == HEADER.positions
    there = PositionHint(Position(200, 5), "--ra/--dec", Provenance.USER)
    combined = combine(Hints(positions=(there,), parity=Parity.POSITIVE), HEADER)
    assert combined.positions == (there,)
    assert combined.scales == HEADER.scales
    assert combined.parity is Parity.POSITIVE


def test_the_wcs_and_the_notes_of_the_header_are_always_kept():
    mine = Hints(scales=(ScaleHint(5, 6, "--scale-low/--scale-high", Provenance.USER),), notes=("mine",))
    combined = combine(mine, HEADER)
    assert combined.wcs == HEADER.wcs
    assert combined.notes == ("mine", "a note")
