"""How each kind of line and label looks.

The colours are those of Okabe & Ito (2008), which readers with a colour vision deficiency tell apart on dark ground; in
addition each kind has a shape of its own.
"""

from __future__ import annotations

from novacli.catalog.sky_object import Kind
from solvehost.record import record

ORANGE, SKY_BLUE, GREEN, YELLOW, PURPLE = "#E69F00", "#56B4E9", "#2FBF94", "#F0E442", "#DD9BC2"
WHITE, GREY, BLACK = "#FFFFFF", "#B8C4CE", "#000000"
#: The ground of pictures without an image.
NIGHT = "#0B1320"


@record
class Style:
    """A line's colour, width in units of 1/1600 of the picture, opacity, dashes in the same units, and halo."""

    colour: str
    width: float = 1.6
    opacity: float = 1.0
    dash: tuple[float, ...] = ()
    halo: bool = True


STYLES = {
    "grid": Style(GREY, 1.0, 0.55, halo=False),
    "constellation": Style(SKY_BLUE, 1.3, 0.65, halo=False),
    "star": Style(SKY_BLUE, 1.5),
    "galaxy": Style(ORANGE, 1.7),
    "cluster": Style(YELLOW, 1.7),
    "sparse": Style(YELLOW, 1.7, dash=(1.8, 5.0)),
    "nebula": Style(GREEN, 1.7),
    "vague": Style(GREEN, 1.5, 0.9, dash=(8.0, 6.0)),
    "planetary": Style(PURPLE, 1.7),
    "other": Style(GREY, 1.5),
    "furniture": Style(WHITE, 2.0),
    "source": Style(SKY_BLUE, 1.5),
    "unmatched": Style(GREY, 1.0, 0.8),
    "reference": Style(ORANGE, 1.6),
    "residual": Style(WHITE, 1.8),
    "milkyway": Style(GREY, 2.2, 0.6, dash=(1.0, 6.0), halo=False),
    "outline": Style(ORANGE, 2.5),
    "frame": Style(GREY, 1.4, 0.9, halo=False),
    "dot": Style(WHITE, 0.0, 0.9, halo=False),
}

OF_KIND = {
    Kind.GALAXY: "galaxy",
    Kind.GALAXY_GROUP: "galaxy",
    Kind.OPEN_CLUSTER: "sparse",
    Kind.GLOBULAR_CLUSTER: "cluster",
    Kind.CLUSTER_WITH_NEBULA: "nebula",
    Kind.NEBULA: "nebula",
    Kind.SUPERNOVA_REMNANT: "nebula",
    Kind.DARK_NEBULA: "other",
    Kind.PLANETARY_NEBULA: "planetary",
    Kind.STAR: "star",
    Kind.OTHER: "other",
}
