"""``job.json``: what was asked of a job, and the hints and the source in it, which results repeat.  Light: no numpy.

Its keys are specified in docs/reference/job-directory.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from novacli.hints import Hints
from novacli.records.field import Field, Image
from novacli.records.params import SolveParams
from novacli.records.result import UNSOLVED, Result
from solvehost.formats.jobdir import REQUEST, JobDir

JOB_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked of a job.

    ``source`` describes the image or list and ``sha256`` is that of its file, ``params`` and ``hints`` are as in JSON,
    ``place`` is where it is to be solved.
    """

    input: str = ""
    created: str | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    sha256: str | None = None
    timeout_s: float = SolveParams().timeout_s
    params: Mapping[str, Any] = field(default_factory=dict)
    hints: Sequence[dict[str, Any]] = field(default_factory=list)
    notes: Sequence[str] = field(default_factory=list)
    is_fits_like: bool = True
    place: str = "local"

    def to_json(self) -> dict[str, Any]:
        """Return what stands in the file."""
        return {
            "format": JOB_FORMAT,
            "created": self.created,
            "input": self.input,
            "source": {**self.source, "sha256": self.sha256},
            "timeout_s": self.timeout_s,
            "params": dict(self.params),
            "hints": list(self.hints),
            "notes": list(self.notes),
            "is_fits_like": self.is_fits_like,
            "backend": self.place,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Request:
        """Return the request in a file; what is damaged counts as not said."""
        known = {key: value[key] for key, kind in _KINDS.items() if isinstance(value.get(key), kind)}
        source = dict(known.pop("source", {}))
        sha256 = source.pop("sha256", None)
        return cls(
            source=source,
            sha256=sha256 if isinstance(sha256, str) else None,
            place=known.pop("backend", None) or "local",
            **known,
        )

    def draft(self, job: JobDir) -> Result:
        """Return what is known of the result of a job by its request alone."""
        return Result(
            self.input,
            UNSOLVED,
            job=job.job_id,
            hints=list(self.hints),
            notes=list(self.notes),
            source=dict(self.source),
            created=self.created,
        )


_KINDS: dict[str, type | tuple[type, ...]] = {
    "input": str, "created": str, "source": dict, "timeout_s": (int, float), "params": dict, "hints": list,
    "notes": list, "is_fits_like": bool, "backend": str,
}  # fmt: skip


def read_request(job: JobDir) -> Request | None:
    """Return the request of a job, None where there is none."""
    value = job.read_json(REQUEST)
    return None if value is None else Request.from_json(value)


def hints_json(given: Hints) -> list[dict[str, Any]]:
    """Return the hints as results list them, each with where it came from."""
    scales = [
        {
            "kind": "scale",
            "low_arcsec": s.low_arcsec_per_pixel,
            "high_arcsec": s.high_arcsec_per_pixel,
            "source": s.source,
        }
        for s in given.scales
    ]
    positions = [
        {
            "kind": "position",
            "ra": p.position.ra_deg,
            "dec": p.position.dec_deg,
            "radius": p.position.radius_deg,
            "source": p.source,
        }
        for p in given.positions
    ]
    wcs = [{"kind": "wcs", "source": given.wcs.source}] if given.wcs is not None else []
    parity = [{"kind": "parity", "parity": float(given.parity.value)}] if given.parity is not None else []
    return [*scales, *positions, *wcs, *parity]


def source_json(read: Field) -> dict[str, Any]:
    """Return what results say of the image or list that was read."""
    origin = read.origin
    return {
        "path": None if origin.path is None else str(Path(origin.path).absolute()),
        "format": origin.format,
        "hdu": origin.hdu,
        "kind": "image" if isinstance(read, Image) else "stars",
        "width": read.width,
        "height": read.height,
    }


def sha256_of(path: str | None) -> str | None:
    """Return a file's SHA-256 in hexadecimal, None where it cannot be read."""
    if path is None:
        return None
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - a plain string may hold any bytes
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None
