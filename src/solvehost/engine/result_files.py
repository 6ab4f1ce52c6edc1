"""Files that an engine leaves, which may contain anything: open them safely, and check that they are complete."""

from __future__ import annotations

import errno
import math
import os
import stat
from array import array
from pathlib import Path
from typing import BinaryIO

from solvehost.errors import DataError
from solvehost.formats import fitsfile, star_table
from solvehost.formats.jobdir import WCS

#: The cards of a TAN solution, in the order in which ``Attempt.verify_wcs`` holds them.
WCS_CARDS = ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")


def is_plain_file(path: Path) -> bool:
    """Return True if ``path`` is a regular file with one name: no symbolic or hard link, no pipe, no device."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1


def open_plain_file(path: Path) -> BinaryIO:
    """Open a file if it is plain in the sense of :func:`is_plain_file`, even while an engine may replace it.

    Raises
    ------
    OSError
        If it is missing or not plain; a pipe does not block.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a regular file with one name", str(path))
    return os.fdopen(fd, "rb")


def read_matches(corr: Path, names: tuple[str, ...]) -> list[array[float]]:
    """Return columns of a corr.fits as float32.

    Parameters
    ----------
    corr
        The file, which an engine left.
    names
        Names of the columns: FIELD_X, FIELD_Y, INDEX_X, INDEX_Y (FITS pixel coordinates) and others.

    Raises
    ------
    DataError
        If it is not a plain file, or lacks a column.
    """
    if not is_plain_file(corr):  # opening a pipe would block for ever
        raise DataError(f"{corr.name} is not a regular file")
    return star_table.read_columns(corr, names)


def is_complete(path: Path) -> bool:
    """Return True if a result file is a plain FITS file with all its bytes; :func:`check_wcs` is for wcs.fits."""
    if not is_plain_file(path):
        return False
    try:
        with path.open("rb") as stream:
            return path.name == WCS or len(list(fitsfile.iter_hdus(stream))) > 0
    except (DataError, OSError):
        return False


def check_wcs(path: Path) -> None:
    """Check that a wcs.fits has whole FITS blocks, an END card, finite numbers and an invertible CD matrix.

    Raises
    ------
    DataError
        If one of these is missing; the message says which.
    """
    if not is_plain_file(path):
        raise DataError(f"{path.name} is not a regular file")
    size = path.stat().st_size
    if size == 0 or size % fitsfile.BLOCK:
        raise DataError(f"{path.name} has {size} bytes, which is not a whole number of FITS blocks")
    header = fitsfile.read_primary_header(path)
    values = [header.get(k) for k in WCS_CARDS]
    numbers = [float(v) for v in values if not isinstance(v, str) and v is not None]
    if len(numbers) < len(WCS_CARDS) or not all(map(math.isfinite, numbers)):
        raise DataError(f"{path.name} is not a complete solution: a card is missing or not finite")
    *_, cd11, cd12, cd21, cd22 = numbers
    if cd11 * cd22 - cd12 * cd21 == 0:
        raise DataError(f"{path.name} has a CD matrix that cannot be inverted")


def has_solution(wcs: Path) -> bool:
    """Return True if a wcs.fits exists and passes :func:`check_wcs`."""
    try:
        check_wcs(wcs)
    except (DataError, OSError):
        return False
    return True
