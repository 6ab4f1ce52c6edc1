"""Read and write right ascensions and declinations as people and headers do; pure Python.

The command line, ``hints`` and the reports share these functions, so that ``12:30:00`` means the same everywhere.
"""

from __future__ import annotations

import re

from novacli.errors import UsageError
from solvehost.indexes import sphere

_DEG_PER_HOUR = 15.0

# Typeset text has minus signs and primes of its own, which people paste.
_ASCII = str.maketrans("\u2212\u2013\u2010\u2011°′’'″”\"", "----dmmmsss")

_PLAIN = re.compile(r"([+-]?)\s*((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(d|deg|degrees?|h)?", re.ASCII)
_SEXAGESIMAL = re.compile(
    r"([+-]?)\s*(\d+)(?:\s*([hd:])\s*|\s+)"  # sign, whole hours or degrees
    r"(\d+(?:\.\d*)?)(?:\s*[m:]\s*|\s+|$)"  # minutes, with a fraction only if no seconds follow
    r"(?:(\d+(?:\.\d*)?)\s*s?)?",
    re.ASCII,
)


def parse_ra(text: str) -> float:
    """Return a right ascension in degrees.

    A plain number is in degrees (``187.5``, ``187.5d``).  A sexagesimal number with colons, spaces or letters is in
    hours (``12:30:00``, ``12 30 00``, ``12h30m``), unless its first letter says degrees (``187d30m``).

    Raises
    ------
    UsageError
        If the text is not an angle, or is outside 0 to 360 degrees.
    """
    value, unit = _parse(text, "right ascension", "187.5 (degrees) or 12:30:00 (hours)", sexagesimal_unit="h")
    ra_deg = value * _DEG_PER_HOUR if unit == "h" else value
    if not 0 <= ra_deg <= 360:
        limits = "0 to 24 hours" if unit == "h" else "0 to 360 degrees"
        raise UsageError(f"right ascension {_quoted(text)} is outside {limits}")
    return ra_deg


def parse_dec(text: str) -> float:
    """Return a declination in degrees; plain and sexagesimal numbers are in degrees (``-0.5``, ``-00 30 00``).

    Raises
    ------
    UsageError
        If the text is not an angle, or is outside -90 to 90 degrees.
    """
    value, unit = _parse(text, "declination", "-12.5 or -12:30:00 (degrees)", sexagesimal_unit="d")
    if unit == "h":
        raise UsageError(f"declination {_quoted(text)} is in hours: give degrees, such as -12.5 or -12:30:00")
    if not -90 <= value <= 90:
        raise UsageError(f"declination {_quoted(text)} is outside -90 to 90 degrees")
    return value


def _parse(text: str, what: str, example: str, sexagesimal_unit: str) -> tuple[float, str]:
    """Return the number in ``text`` and its unit, ``d`` (degrees) or ``h`` (hours)."""
    ascii_text = text.replace("''", "s").translate(_ASCII).strip().lower()
    if match := _PLAIN.fullmatch(ascii_text):
        sign, digits, unit = match.groups()
        return _signed(sign, float(digits)), "h" if unit == "h" else "d"
    match = _SEXAGESIMAL.fullmatch(ascii_text)
    if match is None or ("." in match[4] and match[5]):
        raise UsageError(f"{what} {_quoted(text)} is not an angle: write {example}")
    sign, whole, unit, minutes, seconds = match[1], float(match[2]), match[3], float(match[4]), float(match[5] or 0)
    # Exactly 60 is accepted: programs that round without carrying write "12 30 60.0".
    if minutes > 60 or seconds > 60:
        raise UsageError(f"{what} {_quoted(text)} has more than 60 minutes or seconds: write {example}")
    value = whole + minutes / 60 + seconds / 3600
    return _signed(sign, value), unit if unit in ("h", "d") else sexagesimal_unit


def _signed(sign: str, magnitude: float) -> float:
    return -magnitude if sign == "-" else magnitude


def _quoted(text: str) -> str:
    shown = text if len(text) <= 40 else text[:37] + "..."
    return repr(shown)


def format_ra_hms(ra_deg: float, decimals: int = 2) -> str:
    """Return ``HH:MM:SS.ss`` for a right ascension in degrees, wrapped into 0 to 24 hours."""
    units = round(ra_deg % 360 / _DEG_PER_HOUR * 3600 * 10**decimals)
    return _sexagesimal(units % (24 * 3600 * 10**decimals), decimals)


def format_dec_dms(dec_deg: float, decimals: int = 1) -> str:
    """Return ``+DD:MM:SS.s`` for a declination in degrees, with its sign."""
    units = round(dec_deg * 3600 * 10**decimals)
    return ("-" if units < 0 else "+") + _sexagesimal(abs(units), decimals)


def _sexagesimal(units: int, decimals: int) -> str:
    """Return a number of units of 10^-decimals seconds as text; a rounded 60 carries into the minutes."""
    total_seconds, fraction = divmod(units, 10**decimals)
    total_minutes, seconds = divmod(total_seconds, 60)
    whole, minutes = divmod(total_minutes, 60)
    tail = f".{fraction:0{decimals}d}" if decimals else ""
    return f"{whole:02d}:{minutes:02d}:{seconds:02d}{tail}"


def separation_deg(ra1_deg: float, dec1_deg: float, ra2_deg: float, dec2_deg: float) -> float:
    """Return the angle between two directions, all in degrees."""
    return sphere.separation_deg((ra1_deg, dec1_deg), (ra2_deg, dec2_deg))
