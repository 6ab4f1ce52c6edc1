"""Angles as people write them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novacli.errors import UsageError
from novacli.text.angles import format_dec_dms, format_ra_hms, parse_dec, parse_ra, separation_deg

RA = st.floats(0, 360, allow_nan=False)
DEC = st.floats(-90, 90, allow_nan=False)


@pytest.mark.parametrize(
    ("text", "ra_deg"),
    [
        ("187.5", 187.5),
        ("187.5d", 187.5),
        ("187.5 deg", 187.5),
        ("1.875e2", 187.5),
        ("12.5h", 187.5),
        ("12:30:00", 187.5),
        ("12:30", 187.5),
        ("12 30 00.0", 187.5),
        ("12 30.0", 187.5),
        ("12h30m", 187.5),
        ("12H 30M 00S", 187.5),
        ("187d30m", 187.5),
        ("187°30′00″", 187.5),
        (" 1 26 34.08", 21.642),
        ("21 38 21.9984", 324.59166),
        ("12 30 60.0", 187.75),
        ("24:00:00", 360.0),
    ],
)
def test_a_plain_number_is_degrees_and_sexagesimal_is_hours(text, ra_deg):
    assert parse_ra(text) == pytest.approx(ra_deg, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "dec_deg"),
    [
        ("-12.5", -12.5),
        ("+69 15 09.22", 69.252561111),
        ("-00 30 00", -0.5),
        ("-0:30", -0.5),
        ("−12°30′15″", -12.504166667),
        ("-12d30'15\"", -12.504166667),
        ("-12d30'15''", -12.504166667),
        ("+12:47:18.345", 12.788429167),
        ("- 5 30 00", -5.5),
        (".5", 0.5),
        ("90:00:00", 90.0),
    ],
)
def test_a_declination_is_degrees_in_every_form_and_keeps_the_sign_of_minus_zero(text, dec_deg):
    assert parse_dec(text) == pytest.approx(dec_deg, abs=1e-8)


@pytest.mark.parametrize("text", ["", "Vega", "nan", "inf", "12:30.5:10", "1 2 3 4", "12:-30", "0x10", "１２:30"])
def test_other_text_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match=r"is not an angle: write 187\.5"):
        parse_ra(text)
    with pytest.raises(UsageError, match=r"is not an angle: write -12\.5"):
        parse_dec(text)


@pytest.mark.parametrize(
    ("text", "limits"),
    [("654.476", "0 to 360 degrees"), ("-10", "0 to 360"), ("25:00:00", "0 to 24 hours"), ("1e999", "0 to 360")],
)
def test_a_right_ascension_off_the_circle_is_refused(text, limits):
    with pytest.raises(UsageError, match=f"outside {limits}"):
        parse_ra(text)


@pytest.mark.parametrize("text", ["95", "-90.1", "-90:00:01"])
def test_a_declination_beyond_the_pole_is_refused(text):
    with pytest.raises(UsageError, match="outside -90 to 90"):
        parse_dec(text)


def test_a_declination_in_hours_is_refused():
    with pytest.raises(UsageError, match="is in hours: give degrees"):
        parse_dec("12h30m")


def test_more_than_sixty_minutes_are_refused():
    with pytest.raises(UsageError, match="more than 60 minutes or seconds"):
        parse_ra("12:75:00")


def test_a_message_about_long_text_stays_short():
    with pytest.raises(UsageError, match=r"x\.\.\.") as caught:
        parse_ra("x" * 10_000)
    assert len(str(caught.value)) < 150


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_gives_an_angle_in_range_or_a_usage_error(text):
    for parse, low, high in ((parse_ra, 0, 360), (parse_dec, -90, 90)):
        try:
            angle = parse(text)
        except UsageError:
            continue
        assert low <= angle <= high


@settings(deadline=None)
@given(RA, st.integers(0, 6))
def test_a_right_ascension_survives_being_written_and_read(ra_deg, decimals):
    back = parse_ra(format_ra_hms(ra_deg, decimals))
    difference = (back - ra_deg + 180) % 360 - 180
    assert abs(difference) <= 15 / 3600 * 10**-decimals * 0.5 + 1e-9


@settings(deadline=None)
@given(DEC, st.integers(0, 6))
def test_a_declination_survives_being_written_and_read(dec_deg, decimals):
    assert abs(parse_dec(format_dec_dms(dec_deg, decimals)) - dec_deg) <= 10**-decimals / 3600 * 0.5 + 1e-9


@settings(deadline=None)
@given(st.floats(-720, 720, allow_nan=False), st.integers(0, 4))
def test_no_field_of_a_written_angle_reaches_sixty(ra_deg, decimals):
    hours, minutes, seconds = format_ra_hms(ra_deg, decimals).split(":")
    assert 0 <= int(hours) < 24
    assert int(minutes) < 60
    assert float(seconds) < 60


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (format_ra_hms(187.5), "12:30:00.00"),
        (format_ra_hms(359.9999999), "00:00:00.00"),
        (format_ra_hms(14.99999999), "01:00:00.00"),
        (format_ra_hms(-10, 0), "23:20:00"),
        (format_dec_dms(-0.5), "-00:30:00.0"),
        (format_dec_dms(-1e-9), "+00:00:00.0"),
        (format_dec_dms(89.99999999), "+90:00:00.0"),
        (format_dec_dms(-12.504166667, 2), "-12:30:15.00"),
    ],
)
def test_rounding_carries_and_the_sign_is_always_there(written, expected):
    assert written == expected


@pytest.mark.parametrize(
    ("one", "other", "expected_deg"),
    [
        ((0, 0), (180, 0), 180),
        ((0, 90), (123, 90), 0),
        ((359.5, 0), (0.5, 0), 1),
        ((10, 60), (11, 60), 0.499995),
        ((0, -90), (0, 90), 180),
        ((0, 0), (1e-9, 0), 1e-9),
    ],
)
def test_separations_that_are_known(one, other, expected_deg):
    assert separation_deg(*one, *other) == pytest.approx(expected_deg, abs=1e-6 if expected_deg > 1e-6 else 1e-14)


@settings(deadline=None)
@given(RA, DEC, RA, DEC)
def test_a_separation_is_symmetric_and_at_most_half_a_circle(ra1, dec1, ra2, dec2):
    there = separation_deg(ra1, dec1, ra2, dec2)
    assert 0 <= there <= 180
    assert math.isclose(there, separation_deg(ra2, dec2, ra1, dec1), abs_tol=1e-9)
