"""The true position of an image on the sky, and the error of an answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from solvehost.indexes import sphere

#: Tolerances of a right answer: centre as a fraction of the field's width, scale as a fraction of the scale.
CENTER_TOLERANCE, SCALE_TOLERANCE = 0.01, 0.01


@dataclass(frozen=True, slots=True)
class Place:
    """A centre (degrees, ICRS), a pixel scale and the sign of det(CD): the truth, or the answer of a program."""

    ra_deg: float
    dec_deg: float
    pixscale_arcsec: float
    parity: float


@dataclass(frozen=True, slots=True)
class Truth:
    """The true place of an image ``width_px`` wide; a parity of 0 is unknown.

    ``scale_tolerance`` is the largest error of a right scale, as a fraction; it is larger for distorted wide fields,
    where the scale depends on the place in the image.
    """

    place: Place
    width_px: int
    scale_tolerance: float = SCALE_TOLERANCE

    @classmethod
    def of_manifest(cls, row: Mapping[str, Any]) -> Truth | None:
        """Return the truth in a row of a corpus's manifest; None if the row has none."""
        if row.get("ra") is None or not row.get("width"):
            return None
        place = Place(row["ra"], row["dec"], row["pixscale_arcsec"], row.get("parity") or 0.0)
        return cls(place, row["width"], row.get("scale_tol", SCALE_TOLERANCE))

    @classmethod
    def of_drawing(cls, truth: Mapping[str, Any]) -> Truth:
        """Return the truth in the ``.truth.json`` beside a drawing of ``nova demo`` or ``scenes.py``."""
        place = Place(truth["ra"], truth["dec"], truth["pixscale_arcsec"], truth["parity"])
        return cls(place, truth["size"][0], truth.get("scale_tol", SCALE_TOLERANCE))


@dataclass(frozen=True, slots=True)
class Error:
    """The errors of an answer: centre in pixels and in field widths, scale as a fraction; and the scale's tolerance."""

    center_px: float
    center_widths: float
    scale: float
    parity_is_right: bool
    scale_tolerance: float = SCALE_TOLERANCE

    @property
    def is_small(self) -> bool:
        """True if the answer is right."""
        return self.parity_is_right and self.center_widths < CENTER_TOLERANCE and abs(self.scale) < self.scale_tolerance


def error(answer: Place, truth: Truth) -> Error:
    """Return the errors of an answer."""
    true = truth.place
    center_px = separation_deg(answer, true) * 3600 / true.pixscale_arcsec
    return Error(
        center_px=center_px,
        center_widths=center_px / truth.width_px,
        scale=answer.pixscale_arcsec / true.pixscale_arcsec - 1,
        parity_is_right=true.parity == 0 or math.copysign(1, answer.parity) == math.copysign(1, true.parity),
        scale_tolerance=truth.scale_tolerance,
    )


def separation_deg(a: Place, b: Place) -> float:
    """Return the angle between two centres."""
    return sphere.separation_deg((a.ra_deg, a.dec_deg), (b.ra_deg, b.dec_deg))
