"""The origin of a hint, for code; the ``source`` beside it is for people."""

from __future__ import annotations

import enum


class Provenance(enum.Enum):
    """Kind of origin of a hint; the values stand in the JSON."""

    #: An option of the command, or a parameter of the Python API.
    USER = "user"
    #: A FITS header or EXIF tags.
    HEADER = "header"
    #: Frames of the same camera or sequence that were solved before.
    EARLIER = "earlier"
    #: The field's own stars: a matcher proposed it, and no one has confirmed it.
    PATTERN = "pattern"
