"""One input's result, and its JSON: the record behind ``--json``, ``result.json`` and the table.

The JSON is made and read back only here.  Its keys are specified in docs/reference/json.md and in
src/novacli/reports/results/schema.json.
"""

from __future__ import annotations

import dataclasses
from dataclasses import field
from typing import Any

from novacli.errors import NovaError
from novacli.records.calibration import Calibration, Match
from novacli.records.diagnosis import Cause, Diagnosis, RejectedMatch
from novacli.records.hints import Hint, ParityHint, PositionHint, ScaleHint, WcsHint
from novacli.records.json_fields import JsonFields
from novacli.records.params import Position
from novacli.records.parity import Parity
from novacli.records.provenance import Provenance
from novacli.records.status import REMOTE, SOLVED, UNSOLVED
from novacli.records.timing import AttemptTiming, Timing
from solvehost.record import record

#: Version of the JSON.  Adding a key does not change it; results written before it existed have no ``schema``.
SCHEMA = 1

_EXIT_CODES = {SOLVED: 0, UNSOLVED: 1, REMOTE: 0}


@record
class ErrorRecord:
    """An error as results have it; ``exit_code`` is the one that this input alone would give."""

    message: str
    exit_code: int
    retry_is_safe: bool


@record
class SourceRecord:
    """The image or star list that was read.

    ``path`` is absolute, None for standard input and URLs; ``hdu`` is the 0-based FITS HDU; ``kind`` is "image" or
    "stars"; ``width`` and ``height`` are in pixels.
    """

    path: str | None
    format: str
    hdu: int | None
    kind: str
    width: int
    height: int


@record
class Result:
    """The result of one input.

    Attributes
    ----------
    input
        What the user named: a path, a URL or ``-``.
    status
        solved, unsolved, failed, or remote if a server has the job.
    job
        Id of the job, None if none was made.
    reason
        Why an unsolved image is unsolved: exhausted, time-limit, cancelled or no-stars.
    calibration, match
        Of a solved image.
    hints
        What was known beforehand, best first.
    timing
        Durations of the steps.
    files
        Absolute paths of what was written, by the names in docs/reference/json.md.
    error
        Of a failed input, or of a solved one whose output could not be written.
    notes
        One-line remarks for the user.
    source
        What was read; None if nothing could be.
    created
        When the job was begun: ISO 8601, UTC.
    server
        The server that solved the job, None for this machine.
    diagnosis
        Why an image with a job is unsolved, as far as is known.
    """

    input: str
    status: str
    job: str | None = None
    reason: str | None = None
    calibration: Calibration | None = None
    match: Match | None = None
    hints: tuple[Hint, ...] = ()
    timing: Timing = field(default_factory=Timing)
    files: dict[str, str] = field(default_factory=dict)
    error: ErrorRecord | None = None
    notes: tuple[str, ...] = ()
    source: SourceRecord | None = None
    created: str | None = None
    server: str | None = None
    diagnosis: Diagnosis | None = None

    @property
    def exit_code(self) -> int:
        """The exit code that this input alone would give."""
        if self.error is not None:
            return self.error.exit_code
        return _EXIT_CODES.get(self.status, 70)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "schema": SCHEMA,
            "input": self.input,
            "status": self.status,
            "job": self.job,
            "reason": self.reason,
            "calibration": None if self.calibration is None else _calibration_to_json(self.calibration),
            "match": None if self.match is None else _match_to_json(self.match),
            "hints": [hint_to_json(hint) for hint in self.hints],
            "timing": _timing_to_json(self.timing),
            "files": dict(self.files),
            "error": None if self.error is None else dataclasses.asdict(self.error),
            "notes": list(self.notes),
            "source": source_to_json(self.source),
            "created": self.created,
            "server": self.server,
            "diagnosis": None if self.diagnosis is None else _diagnosis_to_json(self.diagnosis),
        }

    @classmethod
    def from_json(cls, value: object) -> Result:
        """Return the record of a JSON object; unknown keys are ignored, missing ones have their defaults.

        Raises
        ------
        ValueError
            If ``input`` or ``status`` is missing, or a value has the wrong type or is out of range.
        """
        fields = JsonFields(value)
        return cls(
            input=fields.text("input"),
            status=fields.text("status"),
            job=fields.optional(fields.text, "job"),
            reason=fields.optional(fields.text, "reason"),
            calibration=_calibration_from_json(fields.part("calibration")) if fields.has("calibration") else None,
            match=_match_from_json(fields.part("match")) if fields.has("match") else None,
            hints=fields.each("hints", hint_from_json),
            timing=_timing_from_json(fields.part("timing")) if fields.has("timing") else Timing(),
            files=_files_from_json(value),
            error=_error_from_json(fields.part("error")) if fields.has("error") else None,
            notes=fields.texts("notes"),
            source=source_from_json(fields.part("source")) if fields.has("source") else None,
            created=fields.optional(fields.text, "created"),
            server=fields.optional(fields.text, "server"),
            diagnosis=_diagnosis_from_json(fields.part("diagnosis")) if fields.has("diagnosis") else None,
        )


def error_of(exc: NovaError) -> ErrorRecord:
    """Return the record of an error."""
    return ErrorRecord(str(exc), exc.exit_code, exc.retry_is_safe)


def hint_to_json(hint: Hint) -> dict[str, Any]:
    """Return the JSON object of a hint."""
    if isinstance(hint, ParityHint):
        return {"kind": "parity", "parity": float(hint.parity.value)}
    origin = {"source": hint.source, "provenance": hint.provenance.value}
    if isinstance(hint, ScaleHint):
        low, high = hint.low_arcsec_per_pixel, hint.high_arcsec_per_pixel
        return {"kind": "scale", "low_arcsec": low, "high_arcsec": high, **origin}
    if isinstance(hint, PositionHint):
        place = hint.position
        return {"kind": "position", "ra": place.ra_deg, "dec": place.dec_deg, "radius": place.radius_deg, **origin}
    return {"kind": "wcs", **origin}


def hint_from_json(value: object) -> Hint:
    """Return the hint of a JSON object.

    Raises
    ------
    ValueError
        If it is no hint, or one that is out of range.
    """
    fields = JsonFields(value, "a hint")
    kind = fields.text("kind")
    if kind == "parity":
        return ParityHint(Parity(int(fields.number("parity"))))
    source = fields.text("source")
    provenance = Provenance(fields.text("provenance")) if fields.has("provenance") else _provenance_of(source)
    if kind == "scale":
        low = fields.number("low_arcsec", low=0)
        return ScaleHint(low, fields.number("high_arcsec", low=low), source, provenance)
    if kind == "position":
        ra, dec = fields.number("ra", 0, 360), fields.number("dec", -90, 90)
        return PositionHint(Position(ra, dec, fields.number("radius", 1e-9, 180)), source, provenance)
    if kind == "wcs":
        return WcsHint(source, provenance)
    raise ValueError(f"{kind!r:.40} is no kind of hint")


def _provenance_of(source: str) -> Provenance:
    """Return the provenance of a hint by its source; for files written before hints had a provenance."""
    if source.startswith("--"):
        return Provenance.USER
    return Provenance.EARLIER if source.startswith("earlier frame") else Provenance.HEADER


def source_to_json(source: SourceRecord | None) -> dict[str, Any]:
    """Return the JSON object of what was read; an empty one for None."""
    return {} if source is None else dataclasses.asdict(source)


def source_from_json(fields: JsonFields) -> SourceRecord | None:
    """Return the record of what was read, None for an empty object.

    Raises
    ------
    ValueError
        If a value has the wrong type or is out of range.
    """
    if not fields.has("format"):
        return None
    return SourceRecord(
        path=fields.optional(fields.text, "path"),
        format=fields.text("format"),
        hdu=fields.whole("hdu", 0) if fields.has("hdu") else None,
        kind=fields.text("kind"),
        width=fields.whole("width", 1),
        height=fields.whole("height", 1),
    )


def _calibration_to_json(calibration: Calibration) -> dict[str, Any]:
    return {**dataclasses.asdict(calibration), "parity": float(calibration.parity)}


def _calibration_from_json(fields: JsonFields) -> Calibration:
    return Calibration(
        ra=fields.number("ra", 0, 360),
        dec=fields.number("dec", -90, 90),
        radius=fields.number("radius", 0),
        pixscale=fields.number("pixscale", 0),
        orientation=fields.number("orientation"),
        parity=Parity.of(fields.number("parity", -1, 1)),
        width_arcsec=fields.number("width_arcsec", 0),
        height_arcsec=fields.number("height_arcsec", 0),
        up_deg_e_of_n=fields.number("up_deg_e_of_n"),
    )


def _match_to_json(match: Match) -> dict[str, Any]:
    return {
        "index": match.index,
        "n": match.n,
        "rms_arcsec": match.rms_arcsec,
        "heldout_rms_arcsec": match.heldout_rms_arcsec,
        "corner_error_arcsec": match.corner_error_arcsec,
        "logodds": match.logodds,
        "sip_order": match.sip_order,
        "attempt": match.attempt,
    }


def _match_from_json(fields: JsonFields) -> Match:
    return Match(
        index=fields.text("index"),
        index_id=None,
        n=fields.whole("n", 0),
        rms_arcsec=fields.optional(fields.number, "rms_arcsec"),
        logodds=fields.optional(fields.number, "logodds"),
        sip_order=fields.whole("sip_order", 0, 9) if fields.has("sip_order") else 0,
        heldout_rms_arcsec=fields.optional(fields.number, "heldout_rms_arcsec"),
        corner_error_arcsec=fields.optional(fields.number, "corner_error_arcsec"),
        attempt=fields.optional(fields.text, "attempt"),
    )


def _diagnosis_to_json(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "stars": diagnosis.stars,
        "causes": [cause.value for cause in diagnosis.causes],
        "match": None if diagnosis.match is None else dataclasses.asdict(diagnosis.match),
        "widths_deg": [list(widths) for widths in diagnosis.widths_deg],
    }


def _diagnosis_from_json(fields: JsonFields) -> Diagnosis:
    """Return the record of a diagnosis; causes that a later version has added are left out."""
    known = {cause.value: cause for cause in Cause}
    return Diagnosis(
        stars=fields.whole("stars", 0),
        causes=tuple(known[text] for text in fields.texts("causes") if text in known),
        match=_rejected_from_json(fields.part("match")) if fields.has("match") else None,
        widths_deg=fields.each("widths_deg", _widths_from_json),
    )


def _rejected_from_json(fields: JsonFields) -> RejectedMatch:
    return RejectedMatch(
        ra=fields.number("ra", 0, 360),
        dec=fields.number("dec", -90, 90),
        pixscale=fields.number("pixscale", 0),
        logodds=fields.number("logodds"),
        required_logodds=fields.number("required_logodds"),
        attempt=fields.text("attempt"),
    )


def _widths_from_json(value: object) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(width, int | float) for width in value):
        raise ValueError(f"{value!r:.40} is no range of widths")
    return float(value[0]), float(value[1])


def _timing_to_json(timing: Timing) -> dict[str, Any]:
    steps = {key: value for key, value in dataclasses.asdict(timing).items() if value is not None}
    return steps if timing.attempts is None else {**steps, "attempts": list(steps["attempts"])}


def _timing_from_json(fields: JsonFields) -> Timing:
    steps = [f.name for f in dataclasses.fields(Timing) if f.name != "attempts"]
    attempts = fields.each("attempts", _attempt_from_json) if fields.has("attempts") else None
    return Timing(**{step: fields.optional(fields.number, step) for step in steps}, attempts=attempts)


def _attempt_from_json(value: object) -> AttemptTiming:
    fields = JsonFields(value, "an attempt")
    return AttemptTiming(fields.text("label"), fields.text("outcome"), fields.number("seconds"), fields.number("cpu_s"))


def _error_from_json(fields: JsonFields) -> ErrorRecord:
    return ErrorRecord(fields.text("message"), fields.whole("exit_code", 1, 255), fields.flag("retry_is_safe"))


def _files_from_json(value: Any) -> dict[str, str]:
    files = value.get("files") or {}
    fields = JsonFields(files, "files")
    return {str(name): fields.text(name) for name in files}
