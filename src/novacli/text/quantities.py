"""Write counts, sizes of files and angles on the sky for people."""

from __future__ import annotations


def count_text(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 job``, ``20,000 jobs``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def bytes_text(count: int) -> str:
    """Return a number of bytes in decimal units, which disks are sold in: ``13.4 MB``."""
    if count < 1000:
        return count_text(count, "byte")
    size = float(count)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.5:
            return f"{size:.3g} {unit}"
    return f"{size / 1000:.4g} TB"


def angle_text(arcmin: float, *, digits: int = 2, degrees_from_arcmin: float = 60) -> str:
    """Return an angle in degrees, minutes or seconds of arc: ``33°``, ``22′``, ``40″``.

    Parameters
    ----------
    arcmin
        The angle, arcminutes.
    digits
        Number of significant digits; whole numbers may have more.
    degrees_from_arcmin
        Smallest angle that is given in degrees, arcminutes.
    """
    if arcmin >= degrees_from_arcmin:
        return _rounded(arcmin / 60, digits) + "°"
    return _rounded(arcmin, digits) + "′" if arcmin >= 1 else _rounded(arcmin * 60, digits) + "″"


def _rounded(value: float, digits: int) -> str:
    return f"{value:.{digits}g}" if value < 10**digits - 0.5 else f"{value:.0f}"
