from __future__ import annotations

import io
import string

from hypothesis import given
from hypothesis import strategies as st

from novacli.fits import checksum
from solvehost.formats import fitsfile

_MASK = 2**32 - 1


def ones_complement(data: bytes) -> int:
    """Add 32-bit words as the standard words it: carries out of the top come back in at the bottom."""
    total = 0
    for at in range(0, len(data), 4):
        total += int.from_bytes(data[at : at + 4], "big")
        total = (total & _MASK) + (total >> 32)
    return total


@given(st.binary(max_size=400).map(lambda b: b.ljust(-(-len(b) // 4) * 4, b"\0")))
def test_sum_is_the_ones_complement_sum(data: bytes) -> None:
    """A remainder of one large number is what adding word by word with carries gives."""
    assert checksum.sum_words(data) == ones_complement(data)


def test_the_two_zeros_of_that_arithmetic() -> None:
    """Words that cancel add up to all ones; only zeros add up to zero."""
    assert checksum.sum_words(b"\xff\xff\xff\xfe\0\0\0\1") == _MASK
    assert checksum.sum_words(bytes(8)) == 0


@given(st.integers(0, _MASK))
def test_encoding_is_text_that_adds_up(value: int) -> None:
    """Sixteen letters and digits; turned by one place, as the card's column asks, their words add up to the value."""
    text = checksum.encode(value)
    assert set(text) <= set(string.ascii_letters + string.digits)
    turned = (text[1:] + text[:1]).encode()
    assert (ones_complement(turned) - ones_complement(b"0" * 16) - value) % _MASK == 0


def test_known_value() -> None:
    """The example of the standard's appendix: an HDU that adds up to 868229149 gets hcHjjc9ghcEghc9g."""
    assert checksum.encode(_MASK - 868229149) == "hcHjjc9ghcEghc9g"


@given(st.binary(min_size=1, max_size=9000))
def test_a_stream_is_summed_in_blocks(data: bytes) -> None:
    """Whole or cut short, the sum is that of the bytes, filled up with zeros."""
    padded = fitsfile.pad_data(data)
    assert checksum.sum_stream(io.BytesIO(data), len(padded)) == checksum.sum_words(padded)


@given(st.binary(max_size=100))
def test_header_and_data_add_up_to_nothing(comment: bytes) -> None:
    """With the refreshed card the whole HDU sums to (negative) zero, which is what verifying means."""
    cards = [fitsfile.card("SIMPLE", True), fitsfile.card("CHECKSUM", "stale"), fitsfile.card("X", comment.hex()[:60])]
    data = fitsfile.pad_data(comment + b"x")
    made = checksum.refresh(cards, checksum.sum_words(data))
    assert ones_complement(fitsfile.end_header(made) + data) == _MASK
    assert made[0] == cards[0]
    assert made[2] == cards[2]


def test_a_stale_datasum_is_set_right() -> None:
    """A right one keeps its bytes, whoever wrote it; nothing is added to a header without either."""
    right = b"DATASUM = '17'  / somebody's comment".ljust(80)
    assert checksum.refresh([right], 17) == [right]
    (made,) = checksum.refresh([right], 18)
    assert fitsfile.parse_value(made[10:].decode()) == "18"
    assert checksum.refresh([fitsfile.card("X", 1)], 5) == [fitsfile.card("X", 1)]
