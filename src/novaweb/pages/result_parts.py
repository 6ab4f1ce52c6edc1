"""The parts of the page of a solved picture: layers, files, calls for programs, and how far to trust the solution."""

from __future__ import annotations

import shlex

from novacli.text.angles import format_dec_dms, format_ra_hms
from novacli.text.quantities import angle_text
from novaweb.products.objects import ShownObject
from novaweb.submissions.models import Calibration, Job
from solvehost.record import record

#: The log-odds from which docs/explanation/trust.md calls a solution beyond reasonable doubt, and usually right.
_SURE, _USUALLY_RIGHT = 40.0, 32.0
#: Address of a file → what it is.
DOWNLOADS = {
    "wcs_file": "WCS (FITS header)",
    "new_fits_file": "Picture with its WCS (FITS)",
    "objects_file": "Objects in the field (CSV)",
    "corr_file": "Matched stars (FITS table)",
    "rdls_file": "Reference stars (FITS table)",
    "axy_file": "Stars found (FITS table)",
    "joblog": "Log",
}
PICTURES = {
    "annotated_display": "Annotated",
    "annotated_full": "Annotated, full size",
    "extraction_image_display": "Stars found",
    "red_green_image_display": "Stars found and reference stars",
    "sky_plot": "Place on the sky",
    "distortion_plot": "Distortion",
}
EXPORTS = {
    "csv_file": "Matched stars (CSV)",
    "ecsv_file": "Matched stars (ECSV, for astropy)",
    "ds9_file": "Regions for DS9",
    "head_file": "Header for SWarp and SCAMP",
    "tpv_file": "WCS with TPV distortion",
    "stcs_file": "Footprint (STC-S, for Aladin)",
    "stellarium_file": "Texture for Stellarium",
    "astap_file": "Solution as ASTAP writes it",
    "wtml_file": "Place for WorldWide Telescope",
}


@record
class Layer:
    """A layer of the picture; ``is_on`` if it is shown at first."""

    name: str
    title: str
    is_on: bool


LAYERS = (
    Layer("objects", "objects", True),
    Layer("stars", "named stars", True),
    Layer("constellations", "constellations", True),
    Layer("grid", "grid", True),
    Layer("matches", "matched stars", False),
)


@record
class ObjectRow:
    """An object in words."""

    name: str
    kind: str
    ra: str
    dec: str
    size: str
    magnitude: str


def links(files: dict[str, str], job: Job) -> list[tuple[str, str]]:
    """Return (address, what it is) of some files of a job."""
    return [(f"/{name}/{job.pk}", what) for name, what in files.items()]


def object_row(found: ShownObject) -> ObjectRow:
    """Return an object in words."""
    return ObjectRow(
        name=", ".join([found.name, *found.common_names]),
        kind=found.kind,
        ra=format_ra_hms(found.ra, 1),
        dec=format_dec_dms(found.dec, 0),
        size="" if found.major_arcmin is None else angle_text(found.major_arcmin),
        magnitude="" if found.magnitude is None else f"{found.magnitude:.1f}",
    )


def trust_text(job: Job) -> str:
    """Return how far the solution of a job can be trusted, by its log-odds."""
    if job.log_odds is None:
        return ""
    if job.log_odds >= _SURE:
        return "The match is beyond reasonable doubt."
    if job.log_odds >= _USUALLY_RIGHT:
        return "Few stars match. Such solutions are usually right; compare the layer of matched stars with the picture."
    return "This was accepted because size or position were known. Compare the layer of matched stars with the picture."


def command_text(job: Job, found: Calibration) -> str:
    """Return the command that solves the same picture with what is known of it now."""
    place = f"--ra {found.ra:.4f} --dec {found.dec:.4f} --radius {max(1.0, found.radius):.3g}"
    return f"nova submit {shlex.quote(job.image.original_name)} {place} -u app --scale-est {found.pixscale:.4g}"


def python_text(job: Job) -> str:
    """Return the lines of Python that solve the same picture."""
    return f"from novacli import solve\n\nprint(solve({job.image.original_name!r}).wcs)"
