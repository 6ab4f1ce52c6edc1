"""The pixel scale, parity and last pointing of each rig (an optical setup), as hints for its next frame.

The next frame of a rig has the same scale within a few per cent and, for a while, the same pointing within a few
degrees.  The scale comes before that of the header, since it was measured; pointing and parity are used if the header
has none.  They are hints like any others: a frame that contradicts them replaces them, so that a changed telescope
costs one frame the time until its blind attempts begin.

All rigs are in one small file, which is read and written whole under a lock.  No error of that file ends a solve.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from novacli.errors import OutputError
from novacli.files.atomic import write_file
from novacli.records.calibration import Calibration
from novacli.records.field import Field, HeaderValue, Image
from novacli.records.hints import Hints, PositionHint, ScaleHint
from novacli.records.params import Position
from novacli.records.parity import Parity
from novacli.records.provenance import Provenance
from solvehost.record import record

FORMAT = 1
#: Header keywords that tell rigs apart, beside the frame's size and format: camera, optics and read-out.
_KEYWORDS = (
    "TELESCOP", "INSTRUME", "DETECTOR", "CAMERA", "CAMERAID", "FOCALLEN", "XPIXSZ", "XBINNING", "CCDSUM", "CCDXBIN",
    "EXIF Make", "EXIF Model", "EXIF LensModel", "EXIF FocalLength", "EXIF BodySerialNumber",
)  # fmt: skip
_NAMES = ("TELESCOP", "INSTRUME", "DETECTOR", "CAMERA", "EXIF Make", "EXIF Model", "EXIF LensModel")
#: By how much a scale varies from frame to frame, as a fraction: focus, temperature and the fit change it.
_SCALE_TOLERANCE = 0.03
#: A frame whose scale differs from the known one by less than this fraction confirms it; any other replaces it.
_SAME_SCALE = 0.10
#: For how long a frame's pointing is a hint for the next frame, seconds.
POINTING_S = 2 * 3600.0
#: The radius of that hint: this number of field widths, plus this number of degrees.
_POINTING_WIDTHS, _POINTING_DEG = 1.0, 1.0
#: The file keeps this many rigs, those used last.
_MAX_RIGS = 200
#: Times later than this (the year 5138) are damaged entries, and calendars cannot show them.
_MAX_TIME_S = 1e11
SOURCE = "earlier frames of this camera"


@record
class Rig:
    """One optical setup.

    ``key`` identifies it, ``name`` is for people.  ``width`` and ``height`` are those of its frames, pixels.  The scale
    (arcsec/pixel) is a mean over recent frames; parity (the sign of det(CD)) and centre (ICRS degrees) are those of the
    last one, which was solved at ``solved_s`` (seconds since 1970).  ``frames`` counts the frames that agreed.
    """

    key: str
    name: str
    width: int
    height: int
    pixscale_arcsec: float
    parity: Parity
    frames: int
    ra_deg: float
    dec_deg: float
    solved_s: float

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``nova rigs list --json`` prints."""
        return dataclasses.asdict(self)


def identify_rig(field: Field) -> tuple[str, str] | None:
    """Return (key, name) of the rig that made a field; None if it cannot be told."""
    if not isinstance(field, Image):
        return None
    path, is_fits_like = field.origin.path, field.is_fits_like
    return identify_rig_of_header(field.header, field.width, field.height, path, is_fits_like=is_fits_like)


def identify_rig_of_header(
    header: Mapping[str, HeaderValue], width: int, height: int, path: str | None, *, is_fits_like: bool
) -> tuple[str, str] | None:
    """Return (key, name) of the rig that made an image; None if it cannot be told.

    Images whose header names no camera belong to one rig if they are in one folder and of one size.

    Parameters
    ----------
    header
        FITS keywords and ``EXIF …`` entries.
    width, height
        Size of the image, pixels.
    path
        The image's file; None if it was not read from a file.
    is_fits_like
        True if y points up when the image is displayed.
    """
    values = [(keyword, _text(header, keyword)) for keyword in _KEYWORDS]
    marks = [f"{keyword}={value}" for keyword, value in values if value]
    words = dict.fromkeys(value for keyword, value in values if value and keyword in _NAMES)
    # Cameras repeat their maker in the model: "Canon", "Canon EOS 70D".
    name = " ".join(word for word in words if not any(other.startswith(f"{word} ") for other in words))
    if not name:
        if path is None:
            return None
        folder = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120 - may hold any bytes
        marks.append(f"folder={folder}")
        name = f"frames in {folder}"
    marks += [f"{width}x{height}", "up" if is_fits_like else "down"]
    key = hashlib.sha256("\n".join(marks).encode(errors="surrogateescape")).hexdigest()[:16]
    return key, name.encode(errors="backslashreplace").decode()[:120]


def _text(header: Mapping[str, HeaderValue], keyword: str) -> str:
    value = header.get(keyword)
    return "" if value is None or isinstance(value, bool) else str(value).strip()[:80]


class RigStore:
    """The file of rigs; it is read when first needed, and no error of it ends a solve."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> list[Rig]:
        """Return the rigs, last used first."""
        return sorted(self._read().values(), key=lambda rig: rig.solved_s, reverse=True)

    def recall(self, field: Field, given: Hints, now_s: float | None = None) -> Hints:
        """Return ``given`` with the hints of the field's rig added.

        The rig's scale is put first, unless the user gave a scale.  Its pointing and its parity are added if ``given``
        has none.

        Parameters
        ----------
        field
            The field to solve; its header, size and folder identify the rig.
        given
            The hints of the user and of the header.
        now_s
            Seconds since 1970; None for now.
        """
        identity = identify_rig(field)
        rig = None if identity is None else self._read().get(identity[0])
        if rig is None:
            return given
        now_s = time.time() if now_s is None else now_s
        learned = _hints_of(rig, now_s)
        scales, positions = given.scales, given.positions
        if not are_from_user(scales):
            scales = (*learned.scales, *scales)
        return dataclasses.replace(
            given,
            scales=scales,
            positions=positions or learned.positions,
            parity=learned.parity if given.parity is None else given.parity,
        )

    def learn(self, field: Field, calibration: Calibration, now_s: float | None = None) -> None:
        """Store the scale, parity and pointing of a solved frame.

        Parameters
        ----------
        field
            The field; without an identity, nothing is stored.
        calibration
            Its solution.
        now_s
            Seconds since 1970; None for now.
        """
        identity = identify_rig(field)
        if identity is None:
            return
        with contextlib.suppress(OSError, OutputError), self._locked():
            rigs = self._read()
            known = rigs.get(identity[0])
            solved_s = time.time() if now_s is None else now_s
            rigs[identity[0]] = _updated_rig(known, identity, field, calibration, solved_s)
            self._write(rigs)

    def forget(self, keys: set[str] | None = None) -> int:
        """Forget the rigs with these keys, or all if ``keys`` is None; return how many were forgotten.

        Raises
        ------
        OSError, OutputError
            If the file cannot be written.
        """
        with self._locked():
            rigs = self._read()
            kept = {} if keys is None else {key: rig for key, rig in rigs.items() if key not in keys}
            self._write(kept)
        return len(rigs) - len(kept)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _read(self) -> dict[str, Rig]:
        try:
            value = json.loads(self.path.read_bytes())
            if value["format"] != FORMAT:
                return {}
            rigs = [_parse_rig(entry) for entry in value["rigs"]]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {}
        return {rig.key: rig for rig in rigs if rig is not None}

    def _write(self, rigs: Mapping[str, Rig]) -> None:
        kept = sorted(rigs.values(), key=lambda rig: rig.solved_s, reverse=True)[:_MAX_RIGS]
        text = json.dumps({"format": FORMAT, "rigs": [rig.to_json() for rig in kept]}, indent=1)
        write_file(self.path, text.encode() + b"\n", durable=False)


def _parse_rig(entry: Any) -> Rig | None:
    """Parse an entry of the file; return None if a value is missing or out of range."""
    try:
        rig = Rig(
            key=str(entry["key"]),
            name=str(entry["name"]),
            width=int(entry["width"]),
            height=int(entry["height"]),
            pixscale_arcsec=float(entry["pixscale_arcsec"]),
            parity=Parity.of(entry["parity"]),
            frames=int(entry["frames"]),
            ra_deg=float(entry["ra_deg"]),
            dec_deg=float(entry["dec_deg"]),
            solved_s=float(entry["solved_s"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    is_in_range = 0 < rig.pixscale_arcsec < 1e5 and 0 <= rig.ra_deg <= 360 and -90 <= rig.dec_deg <= 90
    return rig if is_in_range and 0 <= rig.solved_s < _MAX_TIME_S else None


def are_from_user(hints: Sequence[ScaleHint | PositionHint]) -> bool:
    """Return True if the user gave any of the hints."""
    return any(hint.provenance is Provenance.USER for hint in hints)


def earlier_scale_hint(pixscale_arcsec: float, source: str) -> ScaleHint:
    """Return the scale hint for the next frame of a rig, from the scale of an earlier one."""
    low, high = (pixscale_arcsec * (1 + sign * _SCALE_TOLERANCE) for sign in (-1, 1))
    return ScaleHint(low, high, source, Provenance.EARLIER)


def earlier_position_hint(ra_deg: float, dec_deg: float, width_deg: float, source: str) -> PositionHint:
    """Return the position hint for the next frame of a rig, from an earlier one.

    Parameters
    ----------
    ra_deg, dec_deg
        Centre of the earlier frame, ICRS degrees.
    width_deg
        Its width, degrees.
    source
        What people are told of the hint's origin.
    """
    radius_deg = _POINTING_WIDTHS * width_deg + _POINTING_DEG
    return PositionHint(Position(ra_deg, dec_deg, min(radius_deg, 90.0)), source, Provenance.EARLIER)


def _hints_of(rig: Rig, now_s: float) -> Hints:
    positions: tuple[PositionHint, ...] = ()
    if 0 <= now_s - rig.solved_s < POINTING_S:
        width_deg = rig.width * rig.pixscale_arcsec / 3600
        positions = (earlier_position_hint(rig.ra_deg, rig.dec_deg, width_deg, SOURCE),)
    return Hints((earlier_scale_hint(rig.pixscale_arcsec, SOURCE),), positions, parity=rig.parity)


def _updated_rig(
    known: Rig | None, identity: tuple[str, str], field: Field, calibration: Calibration, solved_s: float
) -> Rig:
    """Return the rig after one more frame; a frame that contradicts ``known`` begins anew."""
    scale, parity, frames = calibration.pixscale, calibration.parity, 1
    if known is not None and abs(scale / known.pixscale_arcsec - 1) < _SAME_SCALE and parity == known.parity:
        frames = known.frames + 1
        # A running mean of about five frames: more precise than one frame, and it follows a slow drift.
        scale = known.pixscale_arcsec + (scale - known.pixscale_arcsec) / min(frames, 5)
    size, centre = (field.width, field.height), (calibration.ra, calibration.dec)
    return Rig(*identity, *size, scale, parity, frames, *centre, solved_s)
