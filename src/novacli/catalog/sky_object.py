"""The records of what is on the sky and where it is in an image."""

from __future__ import annotations

import enum

from solvehost.record import record


class Kind(enum.Enum):
    """What an object is, in the words that users read."""

    GALAXY = "galaxy"
    GALAXY_GROUP = "group of galaxies"
    OPEN_CLUSTER = "open cluster"
    GLOBULAR_CLUSTER = "globular cluster"
    CLUSTER_WITH_NEBULA = "cluster with nebula"
    NEBULA = "nebula"
    PLANETARY_NEBULA = "planetary nebula"
    SUPERNOVA_REMNANT = "supernova remnant"
    DARK_NEBULA = "dark nebula"
    STAR = "star"
    OTHER = "other"


@record
class SkyObject:
    """An object of a catalogue.

    Attributes
    ----------
    names
        All designations, the best known first, such as ``("M 31", "NGC 224", "PGC 2557")``.
    common_names
        Such as ``("Andromeda Galaxy",)``; empty for most.
    kind
        What it is.
    ra_deg, dec_deg
        ICRS, degrees; of stars at the epoch that was asked for.
    magnitude
        V, or B if V is not known; None if neither is.
    major_arcmin, minor_arcmin
        Axes of its ellipse; None if they are not known.  An object with one of them is round.
    position_angle_deg
        Direction of the major axis, degrees east of north; None if it is not known.
    source
        Word of the catalogue, see :mod:`novacli.catalog.sources`.
    """

    names: tuple[str, ...]
    common_names: tuple[str, ...]
    kind: Kind
    ra_deg: float
    dec_deg: float
    magnitude: float | None
    major_arcmin: float | None
    minor_arcmin: float | None
    position_angle_deg: float | None
    source: str

    @property
    def label(self) -> str:
        """What a picture writes beside it."""
        if self.kind is Kind.STAR:
            return self.common_names[0] if self.common_names else self.names[0]
        return f"{self.names[0]} {self.common_names[0]}" if self.common_names else self.names[0]


@record
class FieldObject:
    """An object with its place in an image.

    ``x`` and ``y`` are FITS pixels (the first centre is 1).  ``inside`` is True if this place is in the image; an
    object whose ellipse reaches into the image is listed, too.
    """

    sky: SkyObject
    x: float
    y: float
    inside: bool
