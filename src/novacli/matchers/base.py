"""What a matcher does: propose the place of a field from its stars alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from novacli.records.hints import Hints, ScaleHint
from solvehost.formats.star_table import Stars


class Matcher(Protocol):
    """Proposes the place of a field; slower and surer means decide whether it is there."""

    def propose(
        self, stars: Stars, width: int, height: int, scales: Sequence[ScaleHint] = (), pattern_stars: int = 12
    ) -> Hints | None:
        """Return one scale, one position and the parity of a field, or None if nothing is recognised.

        Parameters
        ----------
        stars
            The field's stars, best first, in FITS pixel coordinates.
        width, height
            Size of the field, pixels.
        scales
            Ranges of pixel scales to look in; all scales by default.
        pattern_stars
            Of how many stars, the first of the list, patterns are made.
        """
        ...
