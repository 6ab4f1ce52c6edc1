"""What a file tells of its camera and its time, without its pixels: enough to put frames in order.

FITS headers are read with the standard library, packed ones too; of other pictures the folder and the format tell.
Who is taken for one of another sequence loses time alone: the worker, which reads the whole header, takes no hint of
another camera.
"""

from __future__ import annotations

import bz2
import gzip
import os
import re
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, cast

from novacli.batch.children.child import ChildProcess
from novacli.batch.executors import TaskHungError, WorkerLostError
from novacli.batch.records import FrameFile
from novacli.errors import UnavailableError
from novacli.files.compression import unpacked_name
from novacli.records.field import HeaderValue
from novacli.rigs.store import identify_rig_of_header
from solvehost.errors import SolvehostError
from solvehost.formats import fitsfile

#: The image is looked for in so many extensions.
_MOST_EXTENSIONS = 3
#: No header takes so long to be read; of a disk that hangs nothing is read for a while.
_LIMIT_S, _REST_S = 10.0, 600.0
_DATE_ALONE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Exposure:
    """``group`` is equal for frames that may be of one camera; ``taken_s`` is seconds since 1970, of DATE-OBS or the
    file's last change.
    """

    group: str
    taken_s: float


class ExposureReader:
    """Glances by a process of its own: a disk that hangs holds it for ever, and not the run."""

    def __init__(self) -> None:
        self._child = ChildProcess(f"{__name__}:{glance.__name__}", is_quiet=True)
        self._rests_until_s = 0.0

    def at(self, frame: FrameFile) -> Exposure:
        """Return what a file tells; where it cannot be read, what its name does."""
        if time.monotonic() >= self._rests_until_s:
            try:
                return cast("Exposure", self._child.ask(frame, limit_s=_LIMIT_S))
            except WorkerLostError:
                pass
            except (TaskHungError, UnavailableError):
                self._rests_until_s = time.monotonic() + _REST_S
        return _from_outside(frame)

    def close(self) -> None:
        """End the process."""
        self._child.end()


def glance(frame: FrameFile) -> Exposure:
    """Return what a file tells; never raises, whatever it holds."""
    try:
        with open(frame.path, "rb") as file:  # noqa: PTH123 - a plain string may hold any bytes
            header = _image_header(file)
    except (OSError, EOFError, ValueError, zlib.error, SolvehostError):
        header = None
    if header is None:
        return _from_outside(frame)
    width, height = (_side(header, axis) for axis in (1, 2))
    found = identify_rig_of_header(header, width, height, frame.path, is_fits_like=True)
    taken_s = _taken_s(header)
    outside = _from_outside(frame)
    return Exposure(outside.group if found is None else found[0], outside.taken_s if taken_s is None else taken_s)


def _image_header(file: BinaryIO) -> Mapping[str, HeaderValue] | None:
    """Return the cards of the first image, those of the primary header included; None where it is no FITS file."""
    magic = file.read(6)
    file.seek(0)
    if magic[:2] not in (b"\x1f\x8b", b"BZ"):
        return _cards(file) if magic == b"SIMPLE" else None
    with gzip.GzipFile(fileobj=file) if magic[:2] == b"\x1f\x8b" else bz2.BZ2File(file) as packed:
        is_fits = packed.read(6) == b"SIMPLE"
        packed.seek(0)
        return _cards(cast("BinaryIO", packed)) if is_fits else None


def _cards(stream: BinaryIO) -> dict[str, HeaderValue]:
    """Return the cards of a file; a header that describes no array has no data behind it, but the next header."""
    header = fitsfile.read_header(stream)
    cards = dict(header)
    for _ in range(_MOST_EXTENSIONS):
        if header.get("NAXIS") or header.get("ZNAXIS"):
            break
        try:
            header = fitsfile.read_header(stream)
        except SolvehostError:
            break
        # What is said of the extension counts, as where the pixels are read.
        cards |= dict(header)
    return cards


def _side(header: Mapping[str, HeaderValue], axis: int) -> int:
    value = header.get(f"ZNAXIS{axis}", header.get(f"NAXIS{axis}", 0))
    return value if isinstance(value, int) else 0


def _taken_s(header: Mapping[str, HeaderValue]) -> float | None:
    """Return when the exposure began, in seconds since 1970, taken for universal time."""
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


def _from_outside(frame: FrameFile) -> Exposure:
    """Return what is told where no header tells: the folder and what the name ends in, for the camera, and the time."""
    folder, name = os.path.split(frame.path)
    return Exposure(f"{folder}\n{unpacked_name(name).rpartition('.')[2]}", frame.mtime_ns / 1e9)
