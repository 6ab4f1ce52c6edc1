"""Parity: the sign of det(CD), in the one type that all rooms use."""

from __future__ import annotations

import enum

from novacli.errors import ParameterError


class Parity(enum.IntEnum):
    """Sign of det(CD): +1 for an unmirrored JPEG (rows from the top), -1 for an unmirrored FITS image.

    It is an integer, so it can be multiplied and compared.  The engine's words are the other way round: its ``neg``
    finds det(CD) > 0.  ``word`` is the engine's, which ``--parity`` takes as ``solve-field`` does.
    """

    POSITIVE = 1
    NEGATIVE = -1

    @property
    def word(self) -> str:
        """The engine's word for this parity (``--parity``, ANPARITY in lower case)."""
        return "neg" if self is Parity.POSITIVE else "pos"

    @classmethod
    def of(cls, determinant: float) -> Parity:
        """Return the parity of a CD matrix with this determinant, or of a number with its sign."""
        return cls.POSITIVE if determinant > 0 else cls.NEGATIVE

    @classmethod
    def from_word(cls, word: str) -> Parity | None:
        """Return the parity for solve-field's ``pos``, ``neg`` or ``both`` (None)."""
        try:
            return {"pos": cls.NEGATIVE, "neg": cls.POSITIVE, "both": None}[word]
        except KeyError:
            raise ParameterError(f"parity {word!r} is unknown: use pos, neg or both") from None
