"""What solved frames taught: the pixel scale, parity and last pointing of each rig (a camera behind its optics).

The next frame of a rig has its scale within per cents and, for a while, its pointing within a few degrees.  The scale
goes before what the header says, since it was measured; pointing and parity fill in what the header leaves open.  They
are trusted no more than a header: a frame that turns out otherwise replaces what was known, so a changed telescope
costs one frame's fallback.

All is in one small file, read and written whole under a lock; whatever is wrong with it, a solve goes on without.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from novacli.errors import OutputError
from novacli.files.atomic import write_file
from novacli.records.calibration import Calibration
from novacli.records.field import Field, HeaderValue, Image
from novacli.records.hints import Hints, PositionHint, ScaleHint
from novacli.records.params import Parity, Position
from novacli.records.provenance import Provenance

FORMAT = 1
#: What tells rigs apart, besides the frame's size and format: who made it, through what, how it was read out.
_KEYWORDS = (
    "TELESCOP", "INSTRUME", "DETECTOR", "CAMERA", "CAMERAID", "FOCALLEN", "XPIXSZ", "XBINNING", "CCDSUM", "CCDXBIN",
    "EXIF Make", "EXIF Model", "EXIF LensModel", "EXIF FocalLength", "EXIF BodySerialNumber",
)  # fmt: skip
_NAMES = ("TELESCOP", "INSTRUME", "DETECTOR", "CAMERA", "EXIF Make", "EXIF Model", "EXIF LensModel")
#: Focus, temperature and where in the field the fit was best move a scale by so much from frame to frame.
_SCALE_TOLERANCE = 0.03
#: A frame whose scale is within this of what is known confirms it; one beyond it replaces it.
_SAME_SCALE = 0.10
#: How long after a frame the next one is thought to look the same way, and how far off it may look: this many widths
#: of the field, and some degrees.
POINTING_S = 2 * 3600.0
_POINTING_WIDTHS, _POINTING_DEG = 1.0, 1.0
#: The rigs that were used last are kept.
_MOST_RIGS = 200
#: No frame is of a later time, which calendars could not say: the year 5138.
_LATEST_S = 1e11
SOURCE = "earlier frames of this camera"


@dataclass(frozen=True, slots=True)
class Rig:
    """What is known of one rig: ``frames`` solved with it, the last at ``solved_s`` (seconds since 1970)."""

    key: str
    name: str
    width: int
    height: int
    pixscale_arcsec: float
    parity: int
    frames: int
    ra_deg: float
    dec_deg: float
    solved_s: float

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``nova rigs list --json`` prints."""
        return dataclasses.asdict(self)


def identify(field: Field) -> tuple[str, str] | None:
    """Return (key, name) of the rig that made a field; None where nothing tells.

    Pictures whose header names no camera are one rig by their folder: frames that lie side by side, of one size.
    """
    if not isinstance(field, Image):
        return None
    return identify_header(field.header, field.width, field.height, field.origin.path, is_fits_like=field.is_fits_like)


def identify_header(
    header: Mapping[str, HeaderValue], width: int, height: int, path: str | None, *, is_fits_like: bool
) -> tuple[str, str] | None:
    """Return (key, name) of the rig by a header and the size of its image in pixels, with no image read."""
    named = [(word, _text(header, word)) for word in _KEYWORDS]
    marks = [f"{word}={value}" for word, value in named if value]
    called = dict.fromkeys(value for word, value in named if value and word in _NAMES)
    # Cameras repeat their maker in the model: "Canon", "Canon EOS 70D".
    name = " ".join(a for a in called if not any(b.startswith(f"{a} ") for b in called))
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


class Rigs:
    """The file of rigs; nothing is read before it is needed, and no error of it ends a solve."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> list[Rig]:
        """Return the rigs, the one used last first."""
        return sorted(self._read().values(), key=lambda rig: rig.solved_s, reverse=True)

    def recall(self, field: Field, given: Hints, now_s: float | None = None) -> Hints:
        """Return hints with what is known of the field's rig: its scale first, the rest where nothing is given.

        If ``given`` holds a scale of the user's, no scale is added.
        """
        found = identify(field)
        rig = None if found is None else self._read().get(found[0])
        if rig is None:
            return given
        now_s = time.time() if now_s is None else now_s
        learned = _hints_of(rig, now_s)
        scales, positions = given.scales, given.positions
        if not is_said(scales):
            scales = (*learned.scales, *scales)
        return dataclasses.replace(
            given,
            scales=scales,
            positions=positions or learned.positions,
            parity=learned.parity if given.parity is None else given.parity,
        )

    def learn(self, field: Field, calibration: Calibration, now_s: float | None = None) -> None:
        """Remember what a solved frame taught."""
        found = identify(field)
        if found is None:
            return
        key, name = found
        with contextlib.suppress(OSError, OutputError), self._locked():
            rigs = self._read()
            rigs[key] = _taught(rigs.get(key), key, name, field, calibration, time.time() if now_s is None else now_s)
            self._write(rigs)

    def forget(self, keys: set[str] | None = None) -> int:
        """Forget these rigs, all where None; return how many there were.

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
            rigs = [_rig(entry) for entry in value["rigs"]]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {}
        return {rig.key: rig for rig in rigs if rig is not None}

    def _write(self, rigs: Mapping[str, Rig]) -> None:
        kept = sorted(rigs.values(), key=lambda rig: rig.solved_s, reverse=True)[:_MOST_RIGS]
        text = json.dumps({"format": FORMAT, "rigs": [rig.to_json() for rig in kept]}, indent=1)
        write_file(self.path, text.encode() + b"\n", durable=False)


def _rig(entry: Any) -> Rig | None:
    """Return the rig of an entry of the file, None where a value is none that can be."""
    try:
        rig = Rig(
            key=str(entry["key"]),
            name=str(entry["name"]),
            width=int(entry["width"]),
            height=int(entry["height"]),
            pixscale_arcsec=float(entry["pixscale_arcsec"]),
            parity=1 if entry["parity"] > 0 else -1,
            frames=int(entry["frames"]),
            ra_deg=float(entry["ra_deg"]),
            dec_deg=float(entry["dec_deg"]),
            solved_s=float(entry["solved_s"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    is_sane = 0 < rig.pixscale_arcsec < 1e5 and 0 <= rig.ra_deg <= 360 and -90 <= rig.dec_deg <= 90
    return rig if is_sane and 0 <= rig.solved_s < _LATEST_S else None


def is_said(hints: Sequence[ScaleHint | PositionHint]) -> bool:
    """Say whether hints are the user's own."""
    return any(hint.provenance is Provenance.USER for hint in hints)


def scale_around(pixscale_arcsec: float, source: str) -> ScaleHint:
    """Return what a frame's scale says of the next one of its rig."""
    low, high = (pixscale_arcsec * (1 + sign * _SCALE_TOLERANCE) for sign in (-1, 1))
    return ScaleHint(low, high, source, Provenance.EARLIER)


def position_near(ra_deg: float, dec_deg: float, width_deg: float, source: str) -> PositionHint:
    """Return where the frame after one with this centre, so wide, is thought to look."""
    radius_deg = _POINTING_WIDTHS * width_deg + _POINTING_DEG
    return PositionHint(Position(ra_deg, dec_deg, min(radius_deg, 90.0)), source, Provenance.EARLIER)


def _hints_of(rig: Rig, now_s: float) -> Hints:
    positions: tuple[PositionHint, ...] = ()
    if 0 <= now_s - rig.solved_s < POINTING_S:
        width_deg = rig.width * rig.pixscale_arcsec / 3600
        positions = (position_near(rig.ra_deg, rig.dec_deg, width_deg, SOURCE),)
    return Hints((scale_around(rig.pixscale_arcsec, SOURCE),), positions, parity=Parity(rig.parity))


def _taught(known: Rig | None, key: str, name: str, field: Field, calibration: Calibration, now_s: float) -> Rig:
    scale, parity, frames = calibration.pixscale, int(calibration.parity), 1
    if known is not None and abs(scale / known.pixscale_arcsec - 1) < _SAME_SCALE and parity == known.parity:
        frames = known.frames + 1
        # The mean of the last few frames: steadier than one, and it follows a slow drift.
        scale = known.pixscale_arcsec + (scale - known.pixscale_arcsec) / min(frames, 5)
    return Rig(key, name, field.width, field.height, scale, parity, frames, calibration.ra, calibration.dec, now_s)
