"""Reading and writing FITS: cards, headers, sizes of data, and files that are cut short."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvehost.errors import DataError
from solvehost.formats import fitsfile
from solvehost.formats.fitsfile import BLOCK, card, data_size, end_header, iter_hdus, pad_data, parse_value, read_header
from solvehost.indexes.index_set import IndexSet

texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(str.rstrip)
values = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(allow_nan=False, allow_infinity=False),
    texts.filter(lambda text: len(text) + text.count("'") <= 68),
)


def parse(*cards: bytes) -> fitsfile.Header:
    return read_header(io.BytesIO(end_header(list(cards))))


def raw(text: str) -> bytes:
    return text.encode("latin-1").ljust(80)[:80]


@given(values)
def test_a_written_card_is_read_unchanged(value: fitsfile.CardValue) -> None:
    """Floats to the last bit, strings with their quotes, each with its type."""
    line = card("KEYWORD", value)
    back = parse(line)["KEYWORD"]
    assert len(line) == 80
    assert (type(back), back) == (type(value), value)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("TOOLONGKEY", 1), ("A", "x" * 69), ("A", "'" * 35), ("A", "ü"), ("A", "a\nb"), ("A", "\0"), ("A", 10**70)],
)
def test_a_value_that_does_not_fit_a_card_is_refused(keyword: str, value: fitsfile.CardValue) -> None:
    with pytest.raises(ValueError, match="does not fit a FITS card"):
        card(keyword, value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        card("A", value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("                   T / a comment", True),
        ("F", False),
        ("+12", 12),
        ("-0012 / x", -12),
        ("1.5D3", 1500.0),
        ("1.5d-3/x", 0.0015),
        (".5", 0.5),
        ("5.", 5.0),
        ("'it''s / here'  / a comment", "it's / here"),
        ("'  leading and trailing  '", "  leading and trailing"),
        ("''", ""),
        ("'not closed", "not closed"),
    ],
)
def test_values_of_every_kind_are_read(text: str, value: fitsfile.CardValue) -> None:
    back = parse_value(text)
    assert (type(back), back) == (type(value), value)


@pytest.mark.parametrize(
    "text", ["", "  / comment alone", "abc", "1_000", "1 2", "0x10", "(1, 2)", "1.2.3", "--1", "\xb2"]
)
def test_malformed_values_are_reported_as_unreadable(text: str) -> None:
    """Including values that Python accepts and FITS does not."""
    assert parse_value(text) is None
    header = parse(raw(f"A       = {text}"), raw("B       = 1"))
    assert header.unreadable == {"A"}
    assert dict(header) == {"B": 1}


def test_a_repeated_keyword_keeps_its_first_value() -> None:
    """Even in another block, and even if the first value cannot be read."""
    filler = [raw("COMMENT filler")] * 40
    header = parse(card("A", 1), card("A", 2), raw("B       = what"), *filler, card("A", 3), card("B", 4))
    assert header["A"] == 1
    assert "B" not in header
    assert header.size == 2 * BLOCK
    assert len(header.comments) == 40


@pytest.mark.parametrize(
    "line", ["A      = 1", "A        = 1", "A       =1", "A\0\0\0\0\0\0\0= 1", "CONTINUE  'x'", "A"]
)
def test_malformed_cards_are_ignored(line: str) -> None:
    header = parse(raw(line), card("B", 2))
    assert set(header) - {"A\0\0\0\0\0\0\0"} == {"B"}


def test_a_card_must_hold_a_whole_number_if_one_is_needed() -> None:
    header = parse(card("A", "x"), card("B", 1.5), card("C", True), card("D", 7))
    for keyword in ("A", "B", "C", "NONE"):
        with pytest.raises(DataError, match=f"FITS card {keyword} is .*, but must be a whole number"):
            header.number(keyword)
    assert header.number("D") == 7
    assert header.number("NONE", 3) == 3


@pytest.mark.parametrize("size", [0, 1, 80, BLOCK - 1, BLOCK, BLOCK + 1])
def test_a_header_that_is_cut_short_is_refused(size: int) -> None:
    whole = end_header([card(f"K{n}", n) for n in range(50)])
    with pytest.raises(DataError, match="ends before its END card"):
        read_header(io.BytesIO(whole[:size]))


def test_a_header_without_an_end_card_is_refused() -> None:
    """Its cards all differ, so each is kept until then."""
    endless = b"".join(card(f"K{n:07d}", n) for n in range(36 * fitsfile.MAX_HEADER_BLOCKS + 36))
    with pytest.raises(DataError, match="no END card within"):
        read_header(io.BytesIO(endless))


def test_the_error_names_a_file_with_a_damaged_header(tmp_path: Path) -> None:
    path = tmp_path / "not.fits"
    path.write_bytes(b"hello")
    with pytest.raises(DataError, match=r"not\.fits: a FITS header ends"):
        fitsfile.read_primary_header(path)


@pytest.mark.parametrize(
    ("cards", "size"),
    [
        ({"BITPIX": 8, "NAXIS": 0}, 0),
        ({"BITPIX": 8, "NAXIS": 1, "NAXIS1": 1}, BLOCK),
        ({"BITPIX": 8, "NAXIS": 1, "NAXIS1": BLOCK}, BLOCK),
        ({"BITPIX": -64, "NAXIS": 2, "NAXIS1": 100, "NAXIS2": 100}, 28 * BLOCK),
        ({"BITPIX": 16, "NAXIS": 3, "NAXIS1": 10, "NAXIS2": 0, "NAXIS3": 5}, 0),
        ({"BITPIX": 8, "NAXIS": 2, "NAXIS1": 12, "NAXIS2": 240, "PCOUNT": 1, "GCOUNT": 1}, 2 * BLOCK),
    ],
)
def test_the_data_size_is_rounded_up_to_whole_blocks(cards: dict[str, int], size: int) -> None:
    assert data_size(parse(*(card(k, v) for k, v in cards.items()))) == size


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"NAXIS": 0}, "BITPIX"),
        ({"BITPIX": 8}, "NAXIS"),
        ({"BITPIX": 8, "NAXIS": 1}, "NAXIS1"),
        ({"BITPIX": 7, "NAXIS": 0}, "an unknown kind"),
        ({"BITPIX": 8, "NAXIS": -1}, "an unknown kind"),
        ({"BITPIX": 8, "NAXIS": 1, "NAXIS1": -5}, "negative size"),
        ({"BITPIX": 8, "NAXIS": 1, "NAXIS1": 5, "PCOUNT": -1}, "negative size"),
        ({"BITPIX": 8, "NAXIS": 1, "NAXIS1": 10**40}, "more data than a file can hold"),
        ({"BITPIX": 8, "NAXIS": 10**9, "NAXIS1": 1}, "NAXIS2"),
    ],
)
def test_impossible_sizes_are_refused(cards: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        data_size(parse(*(card(k, v) for k, v in cards.items())))


def two_hdus() -> bytes:
    primary = end_header([card("SIMPLE", True), card("BITPIX", 8), card("NAXIS", 0)])
    extension = end_header([card("BITPIX", 8), card("NAXIS", 1), card("NAXIS1", 5000)])
    return primary + extension + pad_data(b"x" * 5000)


def test_each_hdu_is_returned_with_the_offset_of_its_data() -> None:
    assert [(len(h), at) for h, at in iter_hdus(io.BytesIO(two_hdus()))] == [(3, BLOCK), (3, 2 * BLOCK)]


@given(st.integers(1, len(two_hdus()) - 1).filter(lambda n: n != BLOCK))
def test_a_file_that_is_cut_short_is_noticed(size: int) -> None:
    """At any byte except between its HDUs, where the rest is a valid file."""
    with pytest.raises(DataError, match="cut short"):
        list(iter_hdus(io.BytesIO(two_hdus()[:size])))


@given(st.binary(max_size=3 * BLOCK))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Only DataError is raised."""
    stream = io.BytesIO(data.ljust(-(-len(data) // BLOCK) * BLOCK))
    try:
        assert all(offset % BLOCK == 0 for _, offset in iter_hdus(stream))
    except DataError as exc:
        assert str(exc)


@pytest.mark.engine
def test_installed_index_files_are_read_to_their_end(real_indexes: IndexSet, tmp_path: Path) -> None:
    """A copy without its last block is refused."""
    for file in real_indexes.files:
        with file.path.open("rb") as stream:
            hdus = list(iter_hdus(stream))
        assert hdus[-1][1] + data_size(hdus[-1][0]) == file.size_bytes
    smallest = min(real_indexes.files, key=lambda f: f.size_bytes)
    cut = tmp_path / "cut.fits"
    cut.write_bytes(smallest.path.read_bytes()[:-BLOCK])
    with cut.open("rb") as stream, pytest.raises(DataError, match="2880 bytes are missing at the end"):
        list(iter_hdus(stream))
