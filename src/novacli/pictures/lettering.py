"""The font of labels, and the sizes of texts in it."""

from __future__ import annotations

import functools
from pathlib import Path

from PIL import ImageFont

FONT_FILE = Path(__file__).parent / "data" / "labels.ttf"
FONT_FAMILY = "DejaVu Sans"
#: Height of letters above and below the baseline, as parts of the font's size.
ASCENT, DESCENT = 0.80, 0.22
_MEASURED_PX = 64


@functools.cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT_FILE), _MEASURED_PX, layout_engine=ImageFont.Layout.BASIC)


def text_width(text: str, size: float) -> float:
    """Return the width of a line of text in a font of this size, in the same unit."""
    return _font().getlength(text) * size / _MEASURED_PX
