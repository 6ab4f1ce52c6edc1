"""What the user asks for, as hints, and before the header's."""

import pytest

from novacli.hints import Hints, PositionHint, ScaleHint, WcsHint, combine, user_hints
from novacli.records.params import Parity, Position, Scale, ScaleUnit, SolveParams
from novacli.records.provenance import Provenance

HEADER = Hints(
    scales=(ScaleHint(1, 2, "PIXSCALE"),),
    positions=(PositionHint(Position(10, 20), "RA/DEC"), PositionHint(Position(30, 20), "RA-MNT/DEC-MNT")),
    wcs=WcsHint("WCS (CD matrix)"),
    parity=Parity.NEGATIVE,
    notes=("a note",),
)


def test_the_user_is_taken_at_his_word():
    params = SolveParams(
        scale=Scale(1.0, 2.0, ScaleUnit.ARCSEC_PER_PIXEL), position=Position(10, 20, 3), parity=Parity.POSITIVE
    )
    assert user_hints(params, 1000, 800) == Hints(
        scales=(ScaleHint(1.0, 2.0, "--scale-low/--scale-high", Provenance.USER),),
        positions=(PositionHint(Position(10, 20, 3), "--ra/--dec", Provenance.USER),),
        parity=Parity.POSITIVE,
    )


def test_who_asks_for_nothing_gives_no_hints():
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
def test_an_open_end_is_a_field_of_a_twentieth_of_a_degree_or_half_the_sky(scale, low, high, source):
    (hint,) = user_hints(SolveParams(scale=scale), 1000, 800).scales
    assert (hint.low_arcsec_per_pixel, hint.high_arcsec_per_pixel) == pytest.approx((low, high))
    assert hint.source == source


def test_an_open_focal_length_is_open_at_the_other_end_of_the_scale():
    (hint,) = user_hints(SolveParams(scale=Scale(50.0, None, ScaleUnit.FOCAL_MM)), 1000, 800).scales
    assert hint.low_arcsec_per_pixel == pytest.approx(0.18)
    assert hint.high_arcsec_per_pixel == pytest.approx(39.6 * 3.6, rel=1e-3)


def test_the_header_speaks_where_the_user_does_not():
    assert combine(Hints(), HEADER) == HEADER


def test_the_users_word_replaces_the_headers_kind_by_kind():
    mine = ScaleHint(5, 6, "--scale-low/--scale-high", Provenance.USER)
    combined = combine(Hints(scales=(mine,)), HEADER)
    assert combined.scales == (mine,)
    assert combined.positions == HEADER.positions
    there = PositionHint(Position(200, 5), "--ra/--dec", Provenance.USER)
    combined = combine(Hints(positions=(there,), parity=Parity.POSITIVE), HEADER)
    assert combined.positions == (there,)
    assert combined.scales == HEADER.scales
    assert combined.parity is Parity.POSITIVE


def test_a_wcs_and_the_notes_of_the_header_are_kept_in_any_case():
    mine = Hints(scales=(ScaleHint(5, 6, "--scale-low/--scale-high", Provenance.USER),), notes=("mine",))
    combined = combine(mine, HEADER)
    assert combined.wcs == HEADER.wcs
    assert combined.notes == ("mine", "a note")
