"""The CHECKSUM card of a FITS HDU, brought up to date after its header changed.

Source: FITS Standard 4.0, section 4.4.2.7 and appendix J (Seaman, Pence & Rots).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import BinaryIO

from novacli import fitscards
from solvehost import fitsfile

#: Ones' complement sums of 32-bit words are sums modulo this.
_MODULUS = 2**32 - 1
#: Punctuation between the digits and letters of ASCII, which the encoding steps around.
_PUNCTUATION = frozenset(b":;<=>?@[\\]^_`")
_BLANK = "0" * 16


def sum_words(data: bytes) -> int:
    """Return the ones' complement sum of big-endian 32-bit words; ``data`` is a multiple of 4 bytes long."""
    return int.from_bytes(data, "big") % _MODULUS


def sum_stream(stream: BinaryIO, size: int) -> int:
    """Return the sum of the next ``size`` bytes of a stream, or of those up to its end."""
    total = 0
    while size > 0 and (block := stream.read(min(size, fitsfile.BLOCK))):
        total += sum_words(fitsfile.pad_data(block))
        size -= len(block)
    return total % _MODULUS


def encode(checksum: int) -> str:
    """Return a 32-bit number as 16 letters and digits whose words add up to it, in the order the card needs."""
    rows: list[list[int]] = []
    for shift in (24, 16, 8, 0):
        quotient, remainder = divmod(checksum >> shift & 0xFF, 4)
        row = [quotient + ord("0")] * 4
        row[0] += remainder
        rows.append(_without_punctuation(row))
    text = bytes(rows[i][j] for j in range(4) for i in range(4))
    return (text[-1:] + text[:-1]).decode("ascii")


def _without_punctuation(row: list[int]) -> list[int]:
    """Shift pairs of characters in opposite directions, which keeps their sum, until none is punctuation."""
    row = list(row)
    while _PUNCTUATION.intersection(row):
        for i in (0, 2):
            if row[i] in _PUNCTUATION or row[i + 1] in _PUNCTUATION:
                row[i] += 1
                row[i + 1] -= 1
    return row


def refresh(cards: Sequence[bytes], data_sum: int) -> list[bytes]:
    """Return a header's cards with CHECKSUM as it must be for them and for data whose words add up to ``data_sum``.

    DATASUM keeps its bytes, because the data do.
    """
    place = next(i for i, card in enumerate(cards) if fitscards.keyword(card) == "CHECKSUM")
    made = list(cards)
    made[place] = _card(_BLANK)
    total = (sum_words(fitsfile.end_header(made)) + data_sum) % _MODULUS
    # A ones' complement sum of anything but zeros is never zero; its other zero, all ones, stands for it.
    made[place] = _card(encode(_MODULUS - (total or _MODULUS)))
    return made


def _card(text: str) -> bytes:
    when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"CHECKSUM= '{text}'   / HDU checksum updated {when}".ljust(fitsfile.CARD).encode("ascii")
