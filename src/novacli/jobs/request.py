"""``job.json``: what was asked of a job.  Light: no numpy.

Its keys are specified in docs/reference/job-directory.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from novacli.errors import UsageError
from novacli.records.field import Field, Image
from novacli.records.hints import Hint
from novacli.records.json_fields import JsonFields, as_text
from novacli.records.params import SolveParams
from novacli.records.result import Result, SourceRecord, hint_from_json, hint_to_json, source_from_json, source_to_json
from novacli.records.status import UNSOLVED
from solvehost.formats.jobdir import REQUEST, JobDir
from solvehost.record import record

JOB_FORMAT = 1
#: A wall-clock limit outside this range is damaged.
_LEAST_S, _MOST_S = 1e-3, 1e9


@record
class JobRequest:
    """What was asked of a job.

    Attributes
    ----------
    input
        What the user named.
    created
        When the job was made: ISO 8601, UTC.
    source
        The image or star list that was read, None if that is not known.
    sha256
        Digest of its file in hexadecimal; None if there is no file, or if it could not be read.
    timeout_s
        Wall-clock seconds that the job may take.
    params
        What the user asked for; None if the file does not say so in a way that this version understands.
    hints, notes
        As results have them.
    is_fits_like
        True if the y axis points up when the image is displayed.
    place
        Where the job is to be solved, as ``--to`` takes it.
    """

    input: str = ""
    created: str | None = None
    source: SourceRecord | None = None
    sha256: str | None = None
    timeout_s: float = SolveParams().limit_s
    params: SolveParams | None = None
    hints: tuple[Hint, ...] = ()
    notes: tuple[str, ...] = ()
    is_fits_like: bool = True
    place: str = "local"

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        return {
            "format": JOB_FORMAT,
            "created": self.created,
            "input": self.input,
            "source": {**source_to_json(self.source), "sha256": self.sha256},
            "timeout_s": self.timeout_s,
            "params": {} if self.params is None else self.params.to_json(),
            "hints": [hint_to_json(hint) for hint in self.hints],
            "notes": list(self.notes),
            "is_fits_like": self.is_fits_like,
            "backend": self.place,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> JobRequest:
        """Parse job.json; values of the wrong type or out of range fall back to their defaults.

        In lists only the wrong items are left out, so that a damaged file costs as little as possible: the star lists
        of the job can be tried in any case.
        """
        usual = cls()
        fields = JsonFields(value)
        source = fields.or_else(fields.part, "source", JsonFields({}))
        return cls(
            input=fields.or_else(fields.text, "input", usual.input),
            created=fields.or_else(fields.text, "created", None),
            source=_source_or_none(source),
            sha256=source.or_else(source.text, "sha256", None),
            timeout_s=fields.or_else(lambda key: fields.number(key, _LEAST_S, _MOST_S), "timeout_s", usual.timeout_s),
            params=_params_or_none(value.get("params")),
            hints=fields.each_sound("hints", hint_from_json),
            notes=fields.each_sound("notes", as_text),
            is_fits_like=fields.or_else(fields.flag, "is_fits_like", usual.is_fits_like),
            place=fields.or_else(fields.text, "backend", "") or usual.place,
        )

    def draft(self, job: JobDir | None) -> Result:
        """Return the part of a result that the request alone determines; ``job`` is None if no job was made."""
        return Result(
            self.input,
            UNSOLVED,
            job=None if job is None else job.job_id,
            hints=self.hints,
            notes=self.notes,
            source=self.source,
            created=self.created,
        )


def _source_or_none(fields: JsonFields) -> SourceRecord | None:
    try:
        return source_from_json(fields)
    except ValueError:
        return None


def _params_or_none(value: object) -> SolveParams | None:
    try:
        return SolveParams.from_json(value) if value else None
    except UsageError:
        return None


def read_request(job: JobDir) -> JobRequest | None:
    """Return the request of a job, None if there is none."""
    value = job.read_json(REQUEST)
    return None if value is None else JobRequest.from_json(value)


def source_of(field: Field) -> SourceRecord:
    """Return the record of the image or star list that was read."""
    origin = field.origin
    return SourceRecord(
        path=None if origin.path is None else str(Path(origin.path).absolute()),
        format=origin.format,
        hdu=origin.hdu,
        kind="image" if isinstance(field, Image) else "stars",
        width=field.width,
        height=field.height,
    )


def sha256_of(path: str | None) -> str | None:
    """Return the SHA-256 of a file in hexadecimal, None if it cannot be read."""
    if path is None:
        return None
    import hashlib  # loads OpenSSL, which lists of jobs do not need

    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - a plain string may hold any bytes
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None
