"""The size of a field on the sky, as a person states it or as pixels and a scale give it."""

from __future__ import annotations

import re

from novacli.errors import UsageError
from novacli.text.quantities import angle_text
from solvehost.record import record

_TEXT = re.compile(
    r"(\d+(?:\.\d*)?|\.\d+)(?:x(\d+(?:\.\d*)?|\.\d+))?(deg|degrees?|°|arcmin|'|′|arcsec|\"|″)?", re.IGNORECASE
)
_DEGREES = {
    "d": 1.0,
    "°": 1.0,
    "arcm": 1 / 60,
    "'": 1 / 60,
    "′": 1 / 60,
    "arcs": 1 / 3600,
    '"': 1 / 3600,
    "″": 1 / 3600,
}
_WIDEST_DEG = 180.0


@record
class FieldSize:
    """Width and height of a field, degrees."""

    width_deg: float
    height_deg: float

    @classmethod
    def of_pixels(cls, width: int, height: int, pixscale_arcsec: float) -> FieldSize:
        """Return the size of an image of ``width`` × ``height`` pixels."""
        return cls(width * pixscale_arcsec / 3600, height * pixscale_arcsec / 3600)

    @property
    def text(self) -> str:
        """The size for people."""
        return f"{angle_text(60 * self.width_deg, digits=3)} × {angle_text(60 * self.height_deg, digits=3)}"


def parse_field_size(text: str) -> FieldSize:
    """Return the size in a text such as ``1.5deg``, ``90arcmin`` or ``1.5x1deg``; one number is a square field.

    Raises
    ------
    UsageError
        If the text has another form, or a side is not above 0 and at most 180 degrees.
    """
    match = _TEXT.fullmatch(text.replace(" ", "").replace("×", "x"))
    if match is None:
        raise UsageError(
            f"the size {text[:40]!r} of a field is not understood: give it as 1.5deg, 90arcmin or 1.5x1deg"
        )
    unit = (match[3] or "deg").lower()
    factor = next(value for start, value in _DEGREES.items() if unit.startswith(start))
    width, height = float(match[1]) * factor, float(match[2] or match[1]) * factor
    if not (0 < width <= _WIDEST_DEG and 0 < height <= _WIDEST_DEG):
        raise UsageError(f"the size {text[:40]!r} of a field is not above 0 and at most {_WIDEST_DEG:g} degrees")
    return FieldSize(width, height)
