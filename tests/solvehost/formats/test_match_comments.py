"""Numbers are read from the engine's comments; comments that cannot be parsed are ignored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvehost.formats import match_comments
from solvehost.formats.match_comments import INDEX_HEALPIX, INDEX_ID, LOG_ODDS, MATCHED

#: Texts of COMMENT cards in a wcs.fits.
COMMENTS = ("  index id: 4110", "  index healpix: -1", "  log odds: 226.735", "  nmatch: 47", "  index id: 9")


def test_the_numbers_of_the_comments_are_read() -> None:
    """If a name occurs twice, the first one counts."""
    assert [match_comments.whole(COMMENTS, name) for name in (INDEX_ID, INDEX_HEALPIX, MATCHED)] == [4110, -1, 47]
    assert match_comments.number(COMMENTS, LOG_ODDS) == 226.735


@pytest.mark.parametrize("value", ["", "many", "nan", "inf", "²", "0x10", "1e999"])
def test_a_value_that_is_not_a_finite_number_is_ignored(value: str) -> None:
    for read in (match_comments.number, match_comments.whole):
        assert read([f"index id: {value}"], INDEX_ID) is None


@pytest.mark.parametrize("value", ["4110.5", "4294967296", "-1e300"])
def test_a_value_that_is_not_a_whole_number_in_range_is_ignored(value: str) -> None:
    assert match_comments.whole([f"index id: {value}"], INDEX_ID) is None


@pytest.mark.parametrize("comments", [[], ["index"], ["my index id: 3"], ["index id of it: 3"]])
def test_a_comment_with_another_name_is_ignored(comments: list[str]) -> None:
    assert match_comments.whole(comments, INDEX_ID) is None


@given(st.text(max_size=72))
def test_no_text_raises(text: str) -> None:
    for comment in (text, f"index id:{text}"):
        assert isinstance(match_comments.whole([comment], INDEX_ID), int | None)
