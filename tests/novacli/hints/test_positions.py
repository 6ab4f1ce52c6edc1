"""Positions from keywords, in degrees and in sexagesimal notation."""

import pytest

from novacli.hints import from_header


@pytest.mark.parametrize(
    "pair",
    ["OBJCTRA OBJCTDEC", "RA DEC", "TELRA TELDEC", "RA_OBJ DEC_OBJ", "RA_TARG DEC_TARG", "RA-MNT DEC-MNT",
     "MNT-RA MNT-DEC", "RA_CENT DEC_CENT", "CAT-RA CAT-DEC"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("ra", "dec"), [(187.5, -12.5), ("12:30:00", "-12:30:00"), ("12 30 00", "-12 30"), ("187.5", "-12.5")]
)
def test_numbers_are_degrees_and_sexagesimal_right_ascensions_are_hours(pair, ra, dec):
    ra_keyword, dec_keyword = pair.split()
    (hint,) = from_header({ra_keyword: ra, dec_keyword: dec}, 1000, 800).positions
    assert (hint.position.ra_deg, hint.position.dec_deg) == pytest.approx((187.5, -12.5))
    assert hint.source == f"{ra_keyword}/{dec_keyword}"


@pytest.mark.parametrize(
    ("header", "note"),
    [
        ({"RA": "", "DEC": ""}, "RA/DEC in the header is empty: ignored"),
        ({"RA": None, "DEC": 5.0}, "RA/DEC in the header is empty: ignored"),
        ({"RA": 0.0, "DEC": 0.0}, "RA/DEC = 0, 0 in the header looks like a value that was never set: ignored"),
        ({"RA": 10.0, "DEC": -91.0}, "DEC = -91 in the header is outside -90 to 90 degrees: ignored"),
        ({"RA": "unknown", "DEC": 5.0}, "RA = 'unknown' in the header is not a right ascension: ignored"),
        ({"RA": 10.0, "DEC": "12h"}, "DEC = '12h' in the header is not a declination: ignored"),
        ({"RA": float("inf"), "DEC": 5.0}, "RA = inf in the header is not a finite number: ignored"),
    ],
)
def test_a_position_that_cannot_be_used_is_noted(header, note):
    hints = from_header(header, 1000, 800)
    assert hints.positions == ()
    assert hints.notes == (note,)


def test_one_keyword_of_a_pair_gives_no_position():
    assert from_header({"RA": 10.0, "OBJCTDEC": "+10 00 00"}, 1000, 800).positions == ()


def test_contradictory_positions_are_all_kept_and_the_target_comes_before_the_mount():
    header = {"RA-MNT": 50.0, "DEC-MNT": 10.0, "OBJCTRA": "04 00 00", "OBJCTDEC": "+10 00 00"}
    assert [p.source for p in from_header(header, 1000, 800).positions] == ["OBJCTRA/OBJCTDEC", "RA-MNT/DEC-MNT"]
