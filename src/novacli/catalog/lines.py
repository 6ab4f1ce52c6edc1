"""The lines that join the stars of each constellation."""

from __future__ import annotations

from pathlib import Path

from solvehost.record import record

_FILE = Path(__file__).parent / "data" / "constellation_lines.csv"


@record
class ConstellationLine:
    """A chain of stars of a constellation: its IAU abbreviation and (RA, Dec) in degrees."""

    constellation: str
    places: tuple[tuple[float, float], ...]


def constellation_lines() -> tuple[ConstellationLine, ...]:
    """Return the lines of all constellations."""
    text = _FILE.read_text(encoding="utf-8")
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    return tuple(ConstellationLine(name, tuple(map(_place, places))) for name, *places in rows)


def _place(text: str) -> tuple[float, float]:
    ra, dec = map(float, text.split())
    return ra, dec
