"""Numbers in the engine's comments, whatever stands there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvehost.formats import match_comments
from solvehost.formats.match_comments import INDEX_HEALPIX, INDEX_ID, LOG_ODDS, MATCHED

#: As they stand in a wcs.fits, behind the keyword.
COMMENTS = ("  index id: 4110", "  index healpix: -1", "  log odds: 226.735", "  nmatch: 47", "  index id: 9")


def test_what_the_engine_says() -> None:
    """Of a name that stands there twice, the first."""
    assert [match_comments.whole(COMMENTS, name) for name in (INDEX_ID, INDEX_HEALPIX, MATCHED)] == [4110, -1, 47]
    assert match_comments.number(COMMENTS, LOG_ODDS) == 226.735


@pytest.mark.parametrize("value", ["", "many", "nan", "inf", "²", "0x10", "1e999"])
def test_what_is_no_number_is_unsaid(value: str) -> None:
    for read in (match_comments.number, match_comments.whole):
        assert read([f"index id: {value}"], INDEX_ID) is None


@pytest.mark.parametrize("value", ["4110.5", "4294967296", "-1e300"])
def test_what_is_no_number_of_an_index_file_is_unsaid(value: str) -> None:
    assert match_comments.whole([f"index id: {value}"], INDEX_ID) is None


@pytest.mark.parametrize("comments", [[], ["index"], ["my index id: 3"], ["index id of it: 3"]])
def test_what_is_not_there_is_unsaid(comments: list[str]) -> None:
    assert match_comments.whole(comments, INDEX_ID) is None


@given(st.text(max_size=72))
def test_prose_never_raises(text: str) -> None:
    for comment in (text, f"index id:{text}"):
        assert isinstance(match_comments.whole([comment], INDEX_ID), int | None)
