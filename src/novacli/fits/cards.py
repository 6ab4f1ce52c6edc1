"""The 80-byte cards of a FITS header, as they stand in the file.

Cards are not parsed and written anew, so that a card which is kept keeps every byte: CONTINUE, HIERARCH and damaged
cards included.
"""

from __future__ import annotations

from solvehost.formats import fitsfile


def split(header: bytes) -> list[bytes]:
    """Return the cards of a header, without END and what follows it."""
    cards = [header[at : at + fitsfile.CARD] for at in range(0, len(header), fitsfile.CARD)]
    end = next((i for i, card in enumerate(cards) if card.rstrip() == b"END"), len(cards))
    return cards[:end]


def keyword(card: bytes) -> str:
    """Return a card's keyword: its first eight columns."""
    return card[:8].decode("latin-1").rstrip()
