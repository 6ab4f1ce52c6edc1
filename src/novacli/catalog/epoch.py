"""When an image was taken, as a Julian year."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping

from novacli.errors import NovaError, UsageError
from novacli.inputs.kinds import FileInput
from novacli.records.field import HeaderValue, Origin
from solvehost.record import record

_J2000 = datetime.datetime(2000, 1, 1, 12)
_DAYS_PER_YEAR = 365.25
#: Header keywords of the time, and how each writes a date.
_KEYWORDS = ("DATE-OBS", "DATE-BEG", "EXIF DateTimeOriginal")
_DATE = re.compile(r"\s*(\d{4})[-:](\d\d)[-:](\d\d)")
#: The pixels that are read along with a header are not used.
_FEW_PIXELS = 64


@record
class Epoch:
    """A Julian year, and where it comes from: ``--date``, a header keyword, or ``job`` for the date of the job."""

    year: float
    source: str


def epoch_of(date: str | None, origin: Origin, created: str | None) -> Epoch:
    """Return when an image was taken; if that is not known, when its job was made.

    Parameters
    ----------
    date
        The date that the user gave, None for that of the image.
    origin
        Where the image is; if it is not there any more, the date of the job is taken.
    created
        When the job was made, ISO 8601.

    Raises
    ------
    UsageError
        If ``date`` is not a date.
    """
    if date is not None:
        year = julian_year(date)
        if year is None:
            raise UsageError(f"--date {date} is not a date: write it like 2026-03-01")
        return Epoch(year, "--date")
    return epoch_of_header(_header(origin)) or Epoch(julian_year(created or "") or 2000.0, "job")


def _header(origin: Origin) -> Mapping[str, HeaderValue]:
    """Return the header of an image; an empty one if it cannot be read."""
    if origin.path is None:
        return {}
    from novacli.inputs.reduced import read_reduced  # it needs numpy

    try:
        return read_reduced(FileInput(origin.path), _FEW_PIXELS, hdu=origin.hdu).header
    except NovaError:
        return {}


def julian_year(text: str) -> float | None:
    """Return the Julian year of a date such as 2026-03-01 or 2026:03:01 22:10:00; None if it is no date."""
    match = _DATE.match(text)
    if match is None:
        return None
    try:
        day = datetime.datetime(*map(int, match.groups()))  # type: ignore[arg-type]
    except ValueError:
        return None
    return 2000 + (day - _J2000).days / _DAYS_PER_YEAR


def epoch_of_header(header: Mapping[str, HeaderValue]) -> Epoch | None:
    """Return when an image was taken; None if its header does not state it."""
    found = ((key, julian_year(str(header[key]))) for key in _KEYWORDS if key in header)
    return next((Epoch(year, key) for key, year in found if year is not None), None)
