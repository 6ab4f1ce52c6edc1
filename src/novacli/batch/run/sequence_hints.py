"""Hints from earlier frames of a sequence for a frame, and from that frame for the next ones.

:class:`SequenceMemory` takes the place that :class:`novacli.rigs.store.RigStore` has for a single frame, and asks it if
the sequence has no hints for the camera.  The frame's header decides: hints of another camera are not used, nor the
position of another target.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from novacli.batch.records import SequenceHint
from novacli.pipeline.context import Memory
from novacli.records.calibration import Calibration
from novacli.records.field import Field
from novacli.records.hints import Hints, PositionHint
from novacli.rigs.store import are_from_user, earlier_position_hint, earlier_scale_hint, identify_rig
from novacli.text.angles import separation_deg

SOURCE = "earlier frame of the sequence"
#: Two frames show different targets if the pointings in their headers are further apart than this, in field widths.
_MAX_POINTING_WIDTHS = 0.5


class SequenceMemory:
    """Recalls hints for one frame, and learns from its solution.

    Parameters
    ----------
    earlier
        Hints from earlier frames of the sequence, the nearest in time first.
    rigs
        What nova learned from frames of earlier runs; None to leave that out.

    Attributes
    ----------
    hint
        The hint for the next frames; None until the frame is solved.
    """

    def __init__(self, earlier: Sequence[SequenceHint], rigs: Memory | None) -> None:
        self._earlier, self._rigs = earlier, rigs
        self._aimed_deg: tuple[float, float] | None = None
        self.hint: SequenceHint | None = None

    def recall(self, field: Field, given: Hints) -> Hints:
        """Return the hints of the header and the user, completed by those of the sequence.

        Hints of the sequence come before those of the header, and after those of the user.  If the sequence
        has none for the camera, the hints come from earlier runs.
        """
        self._aimed_deg = _first(given.positions)
        found = identify_rig(field)
        own = [] if found is None else [known for known in self._earlier if known.rig == found[0]]
        if not own:
            return given if self._rigs is None else self._rigs.recall(field, given)
        scales = given.scales
        if not are_from_user(scales):
            measured = own[0].pixscale_arcsec
            others = (s for s in scales if not s.low_arcsec_per_pixel <= measured <= s.high_arcsec_per_pixel)
            scales = (earlier_scale_hint(measured, SOURCE), *others)
        positions = given.positions
        if not are_from_user(positions):
            positions = self._positions(field, own) or positions
        parity = own[0].parity if given.parity is None else given.parity
        return dataclasses.replace(given, scales=scales, positions=positions, parity=parity)

    def _positions(self, field: Field, own: Sequence[SequenceHint]) -> tuple[PositionHint, ...]:
        target = _target(field)
        for known in own:
            width_deg = field.width * known.pixscale_arcsec / 3600
            if known.centre_deg is not None and known.target == target and self._is_aimed_alike(known, width_deg):
                return (earlier_position_hint(*known.centre_deg, width_deg, SOURCE),)
        return ()

    def _is_aimed_alike(self, known: SequenceHint, width_deg: float) -> bool:
        if known.aimed_deg is None or self._aimed_deg is None:
            return True
        return separation_deg(*known.aimed_deg, *self._aimed_deg) <= _MAX_POINTING_WIDTHS * width_deg

    def learn(self, field: Field, calibration: Calibration) -> None:
        """Store the hints that follow from the solved frame, for its sequence and for later runs."""
        if self._rigs is not None:
            self._rigs.learn(field, calibration)
        found = identify_rig(field)
        if found is not None:
            centre_deg = (calibration.ra, calibration.dec)
            self.hint = SequenceHint(
                found[0], _target(field), self._aimed_deg, centre_deg, calibration.pixscale, calibration.parity
            )


def _first(positions: Sequence[PositionHint]) -> tuple[float, float] | None:
    if not positions or are_from_user(positions):
        return None
    return positions[0].position.ra_deg, positions[0].position.dec_deg


def _target(field: Field) -> str:
    value = field.header.get("OBJECT")
    return value.strip().casefold()[:80] if isinstance(value, str) else ""
