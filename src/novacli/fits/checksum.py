"""Bring the CHECKSUM and DATASUM cards of a FITS HDU up to date after its header has changed.

Source: FITS Standard 4.0, section 4.4.2.7 and appendix J (Seaman, Pence & Rots).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import BinaryIO

from novacli.fits import cards as fitscards
from solvehost.formats import fitsfile

#: A ones' complement sum of 32-bit words is a sum modulo this number, which itself stands for negative zero.
_MODULUS = 2**32 - 1
#: Punctuation between the digits and letters of ASCII, which the encoding avoids.
_PUNCTUATION = frozenset(b":;<=>?@[\\]^_`")
_BLANK = "0" * 16


def sum_words(data: bytes) -> int:
    """Return the ones' complement sum of big-endian 32-bit words; the length of ``data`` is a multiple of 4 bytes."""
    return _fold(int.from_bytes(data, "big"))


def _fold(total: int) -> int:
    """Return a sum of words with its carries added; it is zero only if all words are zero."""
    return total % _MODULUS or (_MODULUS if total else 0)


def sum_stream(stream: BinaryIO, size: int) -> int:
    """Return the sum of the next ``size`` bytes of a stream, or of fewer at its end."""
    total = 0
    while size > 0 and (block := stream.read(min(size, fitsfile.BLOCK))):
        total = _fold(total + sum_words(fitsfile.pad_data(block)))
        size -= len(block)
    return total


def encode(checksum: int) -> str:
    """Return 16 letters and digits whose words add up to a 32-bit number, in the order that the card needs."""
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


def is_needed(cards: Sequence[bytes]) -> bool:
    """Return True if a header has a CHECKSUM or a DATASUM."""
    return any(fitscards.keyword(card) in ("CHECKSUM", "DATASUM") for card in cards)


def refresh(cards: Sequence[bytes], data_sum: int) -> list[bytes]:
    """Return a header's cards with the right CHECKSUM and DATASUM; a header without them gets none.

    ``data_sum`` is the sum of the HDU's data.  A DATASUM that is right keeps its bytes.
    """
    made = [_fresh_datasum(card, data_sum) if fitscards.keyword(card) == "DATASUM" else card for card in cards]
    place = next((i for i, card in enumerate(made) if fitscards.keyword(card) == "CHECKSUM"), None)
    if place is not None:
        made[place] = _card("CHECKSUM", _BLANK, "HDU checksum")
        total = _fold(sum_words(fitsfile.end_header(made)) + data_sum)
        made[place] = made[place].replace(_BLANK.encode(), encode(_MODULUS - total).encode(), 1)
    return made


def _fresh_datasum(card: bytes, data_sum: int) -> bytes:
    stated = fitsfile.parse_value(card[10:].decode("latin-1"))
    return card if str(stated) == str(data_sum) else _card("DATASUM", str(data_sum), "data unit checksum")


def _card(word: str, text: str, comment: str) -> bytes:
    when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    value = f"'{text:<8}'"
    return f"{word:<8}= {value:<20} / {comment} updated {when}".ljust(fitsfile.CARD).encode("ascii")
