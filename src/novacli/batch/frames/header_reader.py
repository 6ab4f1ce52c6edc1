"""Reads the camera and the time of a frame from its header, to put frames in order.  No pixels are read.

FITS headers are read with the standard library, packed ones too.  Other pictures are grouped by folder and format.  A
frame in the wrong group only takes more time, because the worker, which reads the whole header, ignores hints of other
cameras.
"""

from __future__ import annotations

import os
import re
import time
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, cast

from novacli.batch.children.child import ChildProcess
from novacli.batch.executors import TaskHungError, WorkerLostError
from novacli.batch.records import FrameFile
from novacli.errors import NovaError, UnavailableError
from novacli.files import compression
from novacli.files.compression import unpacked_name
from novacli.records.field import HeaderValue
from novacli.rigs.store import identify_rig_of_header
from solvehost.formats import fitsfile
from solvehost.record import record

if TYPE_CHECKING:
    from io import BufferedReader

#: The image is searched in this many extensions.
_MAX_EXTENSIONS = 3
#: If reading a header takes longer than this, its disk hangs; then no header is read for some minutes.
_LIMIT_S, _REST_S = 10.0, 600.0
_FITS_MAGIC = b"SIMPLE"
_DATE_ALONE = re.compile(r"\d{4}-\d\d-\d\d")


@record
class Exposure:
    """The camera and the time of a frame.

    ``group`` is equal for frames that may be of one camera.  ``taken_s`` is in seconds since 1970, from DATE-OBS or
    from the modification time.
    """

    group: str
    taken_s: float


class ExposureReader:
    """Reads headers in a process of its own, so that a hanging disk does not stop the run."""

    def __init__(self) -> None:
        self._child = ChildProcess(f"{__name__}:{read_exposure.__name__}", is_quiet=True)
        self._rests_until_s = 0.0

    def read(self, frame: FrameFile) -> Exposure:
        """Return the camera and the time of a frame; they come from its name if its header cannot be read."""
        if time.monotonic() >= self._rests_until_s:
            try:
                return cast("Exposure", self._child.ask(frame, limit_s=_LIMIT_S))
            except WorkerLostError:
                pass
            except (TaskHungError, UnavailableError):
                self._rests_until_s = time.monotonic() + _REST_S
        return _from_name(frame)

    def close(self) -> None:
        """End the process."""
        self._child.end()


def read_exposure(frame: FrameFile) -> Exposure:
    """Return the camera and the time of a frame; never raises."""
    try:
        with open(frame.path, "rb") as file:  # noqa: PTH123 - a plain string may hold any bytes
            header = _image_header(file)
    except (OSError, EOFError, ValueError, zlib.error, NovaError):
        header = None
    if header is None:
        return _from_name(frame)
    width, height = (_side(header, axis) for axis in (1, 2))
    found = identify_rig_of_header(header, width, height, frame.path, is_fits_like=True)
    taken_s = _taken_s(header)
    by_name = _from_name(frame)
    return Exposure(by_name.group if found is None else found[0], by_name.taken_s if taken_s is None else taken_s)


def _image_header(file: BinaryIO) -> Mapping[str, HeaderValue] | None:
    """Return the cards of the first image and of the primary header; None if the file is not a FITS file."""
    head = file.read(len(_FITS_MAGIC))
    file.seek(0)
    kind = compression.kind_by_content(head)
    # Every stream that open() and open_unpacker() return has peek(); not all can seek.
    stream = cast("BufferedReader", file if kind is None else compression.open_unpacker(file, kind))
    return _cards(stream) if stream.peek(len(_FITS_MAGIC)).startswith(_FITS_MAGIC) else None


def _cards(stream: BinaryIO) -> dict[str, HeaderValue]:
    """Return the cards of the headers up to that of the first image; headers before it have no data."""
    header = fitsfile.read_header(stream)
    cards = dict(header)
    for _ in range(_MAX_EXTENSIONS):
        if header.get("NAXIS") or header.get("ZNAXIS"):
            break
        try:
            header = fitsfile.read_header(stream)
        except NovaError:
            break
        # Cards of the extension take precedence, as they do when the pixels are read.
        cards |= dict(header)
    return cards


def _side(header: Mapping[str, HeaderValue], axis: int) -> int:
    value = header.get(f"ZNAXIS{axis}", header.get(f"NAXIS{axis}", 0))
    return value if isinstance(value, int) else 0


def _taken_s(header: Mapping[str, HeaderValue]) -> float | None:
    """Return the start of the exposure in seconds since 1970; a time without a zone is universal time."""
    date = header.get("DATE-OBS")
    if not isinstance(date, str):
        return None
    date = date.strip()
    if _DATE_ALONE.fullmatch(date):
        times = (header.get(word) for word in ("TIME-OBS", "UTSTART", "UT"))
        date += next((f"T{time.strip()}" for time in times if isinstance(time, str) and time.strip()), "")
    try:
        when = datetime.fromisoformat(date)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _from_name(frame: FrameFile) -> Exposure:
    """Return the exposure of a frame without a header, whose group is its folder and suffix."""
    folder, name = os.path.split(frame.path)
    return Exposure(f"{folder}\n{unpacked_name(name).rpartition('.')[2]}", frame.mtime_ns / 1e9)
