"""The part of FITS that the engine's side needs: read and write headers, and check that a file is complete.

Standard library only.  Source: FITS Standard 4.0, sections 3 (structure) and 4 (headers).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from solvehost.errors import DataError

BLOCK = 2880
CARD = 80
#: A header with more blocks than this is not a real one.
MAX_HEADER_BLOCKS = 4000

CardValue = str | int | float | bool

_INTEGER = re.compile(r"[+-]?[0-9]+")
#: FITS allows no NaN and infinity in a card, but C programs print them; ``float`` accepts more than FITS does.
_REAL = re.compile(r"[+-]?([0-9.]+([EeDd][+-]?[0-9]+)?|nan|inf(inity)?)", re.IGNORECASE)
#: Limit below the largest signed 64-bit file offset.
_MAX_SIZE = 2**62


class Header(Mapping[str, CardValue]):
    """The cards of one header: keyword → value, with the texts of COMMENT cards in ``comments``.

    A repeated keyword keeps its first value, as in other FITS readers; if that value cannot be read, the keyword is in
    ``unreadable`` instead.

    Parameters
    ----------
    texts
        Keyword → what :func:`parse_value` takes.
    comments
        The texts of COMMENT cards.
    size
        The header's length in bytes.
    """

    def __init__(self, texts: dict[str, str], comments: tuple[str, ...], size: int) -> None:
        self._texts = texts
        self._values: dict[str, CardValue | None] = {}
        self.comments = comments
        self.size = size

    def __getitem__(self, keyword: str) -> CardValue:
        if keyword not in self._values:  # parsed when it is asked for: of dozens of cards, readers need a few
            self._values[keyword] = parse_value(self._texts[keyword])
        value = self._values[keyword]
        if value is None:
            raise KeyError(keyword)
        return value

    def __iter__(self) -> Iterator[str]:
        return (keyword for keyword in self._texts if keyword in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def is_unreadable(self, keyword: str) -> bool:
        """Return True if there is such a card, but its value cannot be read."""
        return keyword in self._texts and keyword not in self

    @property
    def unreadable(self) -> frozenset[str]:
        """The keywords whose values cannot be read."""
        return frozenset(filter(self.is_unreadable, self._texts))

    def number(self, keyword: str, default: int | None = None) -> int:
        """Return the value of an integer card, ``default`` if the card is missing.

        Raises
        ------
        DataError
            If the card is missing and there is no default, or if its value is not an integer.
        """
        value = self.get(keyword, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise DataError(f"FITS card {keyword} is {value!r}, but must be a whole number")
        return value


def parse_value(text: str) -> CardValue | None:
    """Return the value in a card's columns 11–80, None if there is none or it cannot be read."""
    text = text.strip()
    if text.startswith("'"):
        return _parse_string(text)
    word = text.split("/", 1)[0].strip()
    if word in ("T", "F"):
        return word == "T"
    if _INTEGER.fullmatch(word):
        return int(word)
    try:
        return float(word.replace("D", "E").replace("d", "e")) if _REAL.fullmatch(word) else None
    except ValueError:
        return None


def _parse_string(text: str) -> str:
    end = 1
    while True:
        end = text.find("'", end)
        if end < 0:
            return text[1:].rstrip()
        if text[end + 1 : end + 2] != "'":
            return text[1:end].replace("''", "'").rstrip()
        end += 2


def parse_cards(block: bytes) -> dict[str, CardValue | None]:
    """Return the values of 80-byte cards; an unreadable value is None."""
    return {keyword: parse_value(text) for keyword, text in split_cards(block)[0].items()}


def split_cards(block: bytes) -> tuple[dict[str, str], list[str], bool]:
    """Return (texts of the values, COMMENT texts, whether END was found) of 80-byte cards.

    The text of a value is what :func:`parse_value` takes; of a repeated keyword, it is that of the first card.
    """
    text = block.decode("latin-1")
    texts: dict[str, str] = {}
    comments: list[str] = []
    for start in range(0, len(text) - CARD + 1, CARD):
        keyword = text[start : start + 8].rstrip()
        if keyword == "END" and not text[start + 8 : start + CARD].strip():
            return texts, comments, True
        if keyword == "COMMENT":
            comments.append(text[start + 8 : start + CARD].rstrip())
        elif text.startswith("= ", start + 8):
            texts.setdefault(keyword, text[start + 10 : start + CARD])
    return texts, comments, False


def read_header(stream: BinaryIO) -> Header:
    """Read a header at the stream's position, and leave the position at the first byte of the data.

    Raises
    ------
    DataError
        If there is no END card before the stream's end, or within 4000 blocks.
    """
    texts: dict[str, str] = {}
    comments: list[str] = []
    for count in range(1, MAX_HEADER_BLOCKS + 1):
        block = stream.read(BLOCK)
        if len(block) < BLOCK:
            raise DataError("a FITS header ends before its END card: the file is cut short or is not a FITS file")
        new, more, ended = split_cards(block)
        for keyword, text in new.items():  # no union of dicts: it would copy all cards again for every block
            texts.setdefault(keyword, text)
        comments += more
        if ended:
            return Header(texts, tuple(comments), count * BLOCK)
    raise DataError(f"a FITS header has no END card within {MAX_HEADER_BLOCKS} blocks")


def read_primary_header(path: Path) -> Header:
    """Return the primary header of the file at ``path``; raise DataError, naming the file, if it is damaged."""
    try:
        with path.open("rb") as stream:
            return read_header(stream)
    except DataError as exc:
        raise DataError(f"{path}: {exc}") from exc


def data_size(header: Header) -> int:
    """Return the length in bytes of the data unit that follows ``header``, padding included.

    Raises
    ------
    DataError
        If BITPIX or an axis is missing, is not a number, or is not allowed by the standard.
    """
    axes = [header.number(f"NAXIS{i}") for i in range(1, header.number("NAXIS") + 1)]
    bits = abs(header.number("BITPIX"))
    heap, groups = header.number("PCOUNT", 0), header.number("GCOUNT", 1)
    if bits not in (8, 16, 32, 64) or header.number("NAXIS") < 0:
        raise DataError("a FITS header declares data of an unknown kind (BITPIX, NAXIS)")
    if any(n < 0 for n in axes) or heap < 0 or groups < 0:
        raise DataError("a FITS header declares a negative size")
    elements = 1 if axes else 0
    for n in axes:
        elements *= n
    size = bits // 8 * groups * (heap + elements)
    if size > _MAX_SIZE:
        raise DataError("a FITS header declares more data than a file can hold")
    return -(-size // BLOCK) * BLOCK


def iter_hdus(stream: BinaryIO) -> Iterator[tuple[Header, int]]:
    """Yield (header, offset of its data) of each HDU of a seekable stream; raise DataError if one is cut short."""
    end = stream.seek(0, os.SEEK_END)
    at = 0
    while at < end:
        stream.seek(at)
        header = read_header(stream)
        offset = at + header.size
        yield header, offset
        at = offset + data_size(header)
        if at > end:
            raise DataError(f"{at - end} bytes are missing at the end: the file is cut short")


def card(keyword: str, value: CardValue) -> bytes:
    """Return one 80-byte card in fixed format; floats keep full double precision.

    Raises
    ------
    ValueError
        If keyword or value does not fit a card, or is not printable ASCII.
    """
    if isinstance(value, bool):
        text = f"{'T' if value else 'F':>20}"
    elif isinstance(value, int):
        text = f"{value:>20d}"
    elif isinstance(value, float):
        text = f"{_float_text(value):>20}"
    else:
        text = "'" + value.replace("'", "''").ljust(8) + "'"
    line = f"{keyword:<8}= {text}"
    if len(keyword) > 8 or len(line) > CARD or not (line.isascii() and line.isprintable()):
        raise ValueError(f"{keyword} = {value!r} does not fit a FITS card")
    return line.ljust(CARD).encode("ascii")


def _float_text(value: float) -> str:
    text = repr(value).upper()
    if text in ("NAN", "INF", "-INF"):
        raise ValueError("FITS has no card for a number that is not finite")
    return text if "." in text or "E" in text else text + "."


def end_header(cards: list[bytes]) -> bytes:
    """Return the cards with END, padded with blanks to whole blocks."""
    body = b"".join([*cards, b"END".ljust(CARD)])
    return body.ljust(-(-len(body) // BLOCK) * BLOCK)


def pad_data(data: bytes) -> bytes:
    """Return data padded with NUL bytes to whole blocks."""
    return data.ljust(-(-len(data) // BLOCK) * BLOCK, b"\0")
