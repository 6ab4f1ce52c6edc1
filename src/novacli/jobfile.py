"""``job.json``: what was asked of a job, and the hints and the source in it, which results repeat.  Light: no numpy.

Its keys are specified in docs/reference/job-directory.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from novacli.field import Field, Image
from novacli.hints import Hints
from novacli.params import SolveParams
from novacli.result import UNSOLVED, Result
from solvehost.jobdir import JobDir

JOB_FORMAT = 1


def request_json(
    draft: Result, params: SolveParams, sha256: str | None, *, is_fits_like: bool, place: str
) -> dict[str, Any]:
    """Return the request: ``sha256`` is that of the image's file, ``place`` where it is to be solved."""
    return {
        "format": JOB_FORMAT,
        "created": draft.created,
        "input": draft.input,
        "source": {**draft.source, "sha256": sha256},
        "timeout_s": params.timeout_s,
        "params": params.to_json(),
        "hints": draft.hints,
        "notes": draft.notes,
        "is_fits_like": is_fits_like,
        "backend": place,
    }


def draft_of(job: JobDir, request: dict[str, Any]) -> Result:
    """Return what is known of a job by its request alone."""
    return Result(
        str(request.get("input", "")),
        UNSOLVED,
        job=job.job_id,
        hints=request.get("hints") or [],
        notes=list(request.get("notes") or []),
        source={key: value for key, value in (request.get("source") or {}).items() if key != "sha256"},
        created=request.get("created"),
    )


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


def source_json(field: Field) -> dict[str, Any]:
    """Return what results say of the image or list that was read."""
    origin = field.origin
    return {
        "path": None if origin.path is None else str(Path(origin.path).absolute()),
        "format": origin.format,
        "hdu": origin.hdu,
        "kind": "image" if isinstance(field, Image) else "stars",
        "width": field.width,
        "height": field.height,
    }
