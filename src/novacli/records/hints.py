"""Hints: what is known of a field before it is solved, each with its origin.

``source`` names the header keywords or options, for people; ``provenance`` is what code decides by.
"""

from __future__ import annotations

from novacli.records.params import Position
from novacli.records.parity import Parity
from novacli.records.provenance import Provenance
from solvehost.record import record


@record
class ScaleHint:
    """A range of pixel scales, in arcsec/pixel at the field's centre."""

    low_arcsec_per_pixel: float
    high_arcsec_per_pixel: float
    source: str
    provenance: Provenance = Provenance.HEADER


@record
class PositionHint:
    """A position on the sky; the field's centre is expected within its radius.

    The engine wants every star of a quad within its radius, so the code that writes ANERAD adds half the field's
    diagonal.  With provenance EARLIER the telescope may have been turned since.
    """

    position: Position
    source: str
    provenance: Provenance = Provenance.HEADER


@record
class WcsHint:
    """A celestial WCS in the header, which may give scale, position or parity; ``source`` names its form."""

    source: str
    provenance: Provenance = Provenance.HEADER


@record
class ParityHint:
    """The sign of det(CD)."""

    parity: Parity


Hint = ScaleHint | PositionHint | WcsHint | ParityHint


@record
class Hints:
    """All hints for a field; each tuple is best first.

    ``notes`` are one-line remarks on what was found but ignored, with the reason.
    """

    scales: tuple[ScaleHint, ...] = ()
    positions: tuple[PositionHint, ...] = ()
    wcs: WcsHint | None = None
    parity: Parity | None = None
    notes: tuple[str, ...] = ()

    def listed(self) -> tuple[Hint, ...]:
        """Return the hints as one list, which is how results have them."""
        wcs = () if self.wcs is None else (self.wcs,)
        parity = () if self.parity is None else (ParityHint(self.parity),)
        return (*self.scales, *self.positions, *wcs, *parity)
