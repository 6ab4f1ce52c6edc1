"""Counts, sizes and sky angles as people read them."""

from __future__ import annotations


def count_text(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 job``, ``20,000 jobs``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def bytes_text(count: int) -> str:
    """Return a number of bytes in the decimal units that disks are sold in: ``13.4 MB``."""
    if count < 1000:
        return count_text(count, "byte")
    size = float(count)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.5:
            return f"{size:.3g} {unit}"
    return f"{size / 1000:.4g} TB"


def angle_text(arcmin: float, degrees_from_arcmin: float = 60) -> str:
    """Return an angle to two digits in degrees, minutes or seconds of arc: ``33°``, ``22′``, ``40″``."""
    if arcmin >= degrees_from_arcmin:
        return _two_digits(arcmin / 60) + "°"
    return _two_digits(arcmin) + "′" if arcmin >= 1 else _two_digits(arcmin * 60) + "″"


def _two_digits(value: float) -> str:
    return f"{value:.2g}" if value < 99.5 else f"{value:.0f}"
