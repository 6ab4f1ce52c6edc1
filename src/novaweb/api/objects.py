"""The objects in the field of a job: names, and annotations with their places."""

from __future__ import annotations

from django.http import HttpRequest

from novaweb.api.requests import answers, reader
from novaweb.products.objects import ShownObject, objects_of
from novaweb.submissions.models import Calibration, Job
from novaweb.submissions.visibility import job_or_404

#: The lists of names have the names of this many objects.
_MAX_NAMED = 100


def names_in(found: Job) -> list[str]:
    """Return the names of the best known objects in the field of a job, in the order of the alphabet."""
    names = {name for shown in objects_of(found)[:_MAX_NAMED] for name in (shown.name, *shown.common_names)}
    return sorted(names)


@answers
def machine_tags(request: HttpRequest, number: int) -> object:
    """Return the names of the objects in the field of a job."""
    return {"tags": names_in(job_or_404(reader(request), number))}


@answers
def objects_in_field(request: HttpRequest, number: int) -> object:
    """Return the names of the objects in the field of a job."""
    return {"objects_in_field": names_in(job_or_404(reader(request), number))}


@answers
def annotated_objects(request: HttpRequest, number: int) -> object:
    """Return the objects in the field of a job with their places, in FITS pixels, and radii in pixels."""
    found = job_or_404(reader(request), number)
    solution = Calibration.objects.filter(job=found).first()
    if solution is None:
        return {"annotations": []}
    return {"annotations": [_annotation(shown, solution.pixscale) for shown in objects_of(found)]}


def _annotation(shown: ShownObject, pixscale: float) -> dict[str, object]:
    """Return an annotation; some clients depend on the order of its keys."""
    is_star = shown.kind == "star"
    place: dict[str, object] = {
        "type": "bright" if is_star else "ngc",
        "names": shown.names,
        "pixelx": shown.x,
        "pixely": shown.y,
        "radius": 0.0 if is_star else 30.0 * (shown.major_arcmin or 0.0) / pixscale,
    }
    return place if shown.magnitude is None else {**place, "vmag": shown.magnitude}
