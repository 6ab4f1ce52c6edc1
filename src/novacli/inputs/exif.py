"""EXIF tags → header entries ``EXIF FocalLength`` and so on, as plain numbers and strings.

Source: Exif 2.32 (CIPA DC-008), tables 4 to 8, for the tags' numbers and names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from novacli.records.field import HeaderValue

#: Tag of the pointer to the Exif directory, within the first directory of a TIFF or an EXIF block.
EXIF_POINTER = 34665
_NAMES: dict[int, str] = {
    271: "Make",
    272: "Model",
    274: "Orientation",
    36867: "DateTimeOriginal",
    37386: "FocalLength",
    40962: "PixelXDimension",
    40963: "PixelYDimension",
    41486: "FocalPlaneXResolution",
    41488: "FocalPlaneResolutionUnit",
    41989: "FocalLengthIn35mmFilm",
}


def header_from_tags(tags: Mapping[int, Any]) -> dict[str, HeaderValue]:
    """Return the entries that give hints, from tag numbers and values as Pillow returns them."""
    return header_from_names({name: tags[tag] for tag, name in _NAMES.items() if tag in tags})


def header_from_names(tags: Mapping[str, Any]) -> dict[str, HeaderValue]:
    """Return the entries that give hints, from tag names and values as tifffile returns them.

    Rationals are numbers or pairs; 0/0 and other values that are not numbers are left out.
    """
    values = {name: _plain(tags.get(name)) for name in _NAMES.values()}
    return {f"EXIF {name}": value for name, value in values.items() if value is not None}


def _plain(value: Any) -> HeaderValue | None:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if isinstance(value, str):
        return value.replace("\0", " ").strip() or None
    if isinstance(value, tuple | list):
        return _rational(*value) if len(value) == 2 else (_plain(value[0]) if len(value) == 1 else None)
    if isinstance(value, int):
        # Enumerations of tifffile are subclasses of int.
        return int(value)
    try:
        number = float(value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return number if math.isfinite(number) else None


def _rational(numerator: Any, denominator: Any) -> float | None:
    try:
        return float(numerator / denominator)
    except (TypeError, ArithmeticError):
        return None
