"""Why an image was not solved, as far as is known."""

from __future__ import annotations

import enum

from solvehost.record import record


class Cause(enum.Enum):
    """A probable cause; the values are those of the JSON.

    ``FEW_STARS``: so few stars that a match needs nearly all of them to be in the index files.  ``CROWDED``: most of
    what was taken for stars lies in a small part of the image, as foregrounds, clouds and nebulae show it.
    ``CLUSTERED``: a match was rejected because it rests on clustered sources.
    """

    FEW_STARS = "few-stars"
    CROWDED = "crowded"
    CLUSTERED = "clustered"


@record
class RejectedMatch:
    """The best match of an unsolved image.

    ``ra`` and ``dec`` are the image's centre in degrees, ``pixscale`` is in arcsec per pixel.  ``logodds`` are lower
    than the ``required_logodds``, unless its sources are clustered.  ``attempt`` is the label of its attempt.
    """

    ra: float
    dec: float
    pixscale: float
    logodds: float
    required_logodds: float
    attempt: str


@record
class Diagnosis:
    """Why an image was not solved: the stars of its longest list, probable causes, and its best match if there is one.

    ``widths_deg`` are the widths of fields that the index files can solve, as (low, high) in degrees; empty if they are
    not known.
    """

    stars: int
    causes: tuple[Cause, ...] = ()
    match: RejectedMatch | None = None
    widths_deg: tuple[tuple[float, float], ...] = ()
