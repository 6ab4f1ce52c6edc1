from __future__ import annotations

import io
import string

from hypothesis import given
from hypothesis import strategies as st

from novacli.fits import checksum
from solvehost.formats import fitsfile

_MASK = 2**32 - 1


def ones_complement(data: bytes) -> int:
    """Return the sum of 32-bit words as the standard defines it: a carry from the top is added at the bottom."""
    total = 0
    for at in range(0, len(data), 4):
        total += int.from_bytes(data[at : at + 4], "big")
        total = (total & _MASK) + (total >> 32)
    return total


@given(st.binary(max_size=400).map(lambda b: b.ljust(-(-len(b) // 4) * 4, b"\0")))
def test_sum_is_the_ones_complement_sum(data: bytes) -> None:
    """The remainder of one large number equals the sum of its words with carries."""
    assert checksum.sum_words(data) == ones_complement(data)


def test_the_two_zeros_of_that_arithmetic() -> None:
    """Words that cancel add up to all ones; only words of zeros add up to zero."""
    assert checksum.sum_words(b"\xff\xff\xff\xfe\0\0\0\1") == _MASK
    assert checksum.sum_words(bytes(8)) == 0


@given(st.integers(0, _MASK))
def test_encoding_is_text_that_adds_up(value: int) -> None:
    """The text has sixteen letters and digits; rotated by one place, its words add up to the value."""
    text = checksum.encode(value)
    assert set(text) <= set(string.ascii_letters + string.digits)
    turned = (text[1:] + text[:1]).encode()
    assert (ones_complement(turned) - ones_complement(b"0" * 16) - value) % _MASK == 0


def test_known_value() -> None:
    """The example in the standard's appendix: 868229149 is encoded as hcHjjc9ghcEghc9g."""
    assert checksum.encode(_MASK - 868229149) == "hcHjjc9ghcEghc9g"


@given(st.binary(min_size=1, max_size=9000))
def test_a_stream_is_summed_in_blocks(data: bytes) -> None:
    """The sum is that of the bytes, padded with zeros, also if the stream is cut short."""
    padded = fitsfile.pad_data(data)
    assert checksum.sum_stream(io.BytesIO(data), len(padded)) == checksum.sum_words(padded)


@given(st.binary(max_size=100))
def test_header_and_data_add_up_to_negative_zero(comment: bytes) -> None:
    """The sum of an HDU with the right CHECKSUM is negative zero, which is how readers verify it."""
    cards = [fitsfile.card("SIMPLE", True), fitsfile.card("CHECKSUM", "stale"), fitsfile.card("X", comment.hex()[:60])]
    data = fitsfile.pad_data(comment + b"x")
    made = checksum.refresh(cards, checksum.sum_words(data))
    assert ones_complement(fitsfile.end_header(made) + data) == _MASK
    assert made[0] == cards[0]
    assert made[2] == cards[2]


def test_a_wrong_datasum_is_replaced() -> None:
    """A right DATASUM keeps its bytes; a header without either card gets none."""
    right = b"DATASUM = '17'  / somebody's comment".ljust(80)
    assert checksum.refresh([right], 17) == [right]
    (made,) = checksum.refresh([right], 18)
    assert fitsfile.parse_value(made[10:].decode()) == "18"
    assert checksum.refresh([fitsfile.card("X", 1)], 5) == [fitsfile.card("X", 1)]
