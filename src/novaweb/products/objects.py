"""The objects in the field of a solved job, as the API and the pages have them."""

from __future__ import annotations

import json
from typing import Any

from novacli.errors import NotSolvedError, RetryLaterError
from novaweb.products.maker import product_of
from novaweb.products.registry import OBJECTS
from novaweb.submissions.models import Job
from solvehost.record import record


@record
class ShownObject:
    """An object in an image.

    Attributes
    ----------
    name
        The best known designation.
    common_names, designations
        All names.
    kind
        The kind of object, ``star`` for stars.
    ra, dec
        Its place on the sky, degrees, ICRS.
    x, y
        Its place in the image, FITS pixels: the centre of the first pixel is (1, 1).
    major_arcmin
        Its longer diameter; None if it is not known.
    magnitude
        V, or B if V is not known.
    """

    name: str
    common_names: list[str]
    designations: list[str]
    kind: str
    ra: float
    dec: float
    x: float
    y: float
    major_arcmin: float | None
    magnitude: float | None

    @property
    def names(self) -> list[str]:
        """The designations, then the common names."""
        return [*self.designations, *self.common_names]


def objects_of(job: Job) -> list[ShownObject]:
    """Return the objects in the field of a job, the best known first; none if it is not solved."""
    try:
        text = product_of(OBJECTS, job).read_text(encoding="utf-8")
        return [_object(row) for row in json.loads(text)["objects"]]
    except (NotSolvedError, RetryLaterError, OSError, ValueError, LookupError):
        return []


def _object(row: dict[str, Any]) -> ShownObject:
    names = ("name", "common_names", "designations", "ra", "dec", "x", "y", "major_arcmin", "magnitude")
    return ShownObject(kind=row["type"], **{name: row[name] for name in names})
