"""What a worker makes of what earlier frames of a sequence taught, and what its own frame teaches.

It takes the place that :class:`novacli.rigs.store.RigStore` has for a single frame, and asks it if the sequence knows
nothing of the camera. The header of the frame decides: hints of another camera are not used, nor the position of
another target.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from novacli.batch.records import SequenceHint
from novacli.pipeline.context import Memory
from novacli.records.calibration import Calibration
from novacli.records.field import Field
from novacli.records.hints import Hints, PositionHint
from novacli.records.params import Parity
from novacli.rigs.store import are_from_user, earlier_position_hint, earlier_scale_hint, identify_rig
from novacli.text.angles import separation_deg

SOURCE = "earlier frame of the sequence"
#: Headers that say of two frames that the telescope looked this many widths of the field apart speak of two targets.
_SAME_AIM_WIDTHS = 0.5


class SequenceMemory:
    """Hints from a sequence to a frame; ``taught`` is what the frame says of the next ones, once it is solved."""

    def __init__(self, earlier: Sequence[SequenceHint], rigs: Memory | None) -> None:
        self._earlier, self._rigs = earlier, rigs
        self._aimed_deg: tuple[float, float] | None = None
        self.taught: SequenceHint | None = None

    def recall(self, field: Field, given: Hints) -> Hints:
        """Return hints with what the sequence knows before what the header says; the user's word stands.

        Where it knows nothing of the camera, what was learned before the run is asked for.
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
        parity = Parity(own[0].parity) if given.parity is None else given.parity
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
        return separation_deg(*known.aimed_deg, *self._aimed_deg) <= _SAME_AIM_WIDTHS * width_deg

    def learn(self, field: Field, calibration: Calibration) -> None:
        """Note what the frame taught, for its sequence and for runs to come."""
        if self._rigs is not None:
            self._rigs.learn(field, calibration)
        found = identify_rig(field)
        if found is not None:
            centre_deg = (calibration.ra, calibration.dec)
            self.taught = SequenceHint(
                found[0], _target(field), self._aimed_deg, centre_deg, calibration.pixscale, int(calibration.parity)
            )


def _first(positions: Sequence[PositionHint]) -> tuple[float, float] | None:
    if not positions or are_from_user(positions):
        return None
    return positions[0].position.ra_deg, positions[0].position.dec_deg


def _target(field: Field) -> str:
    value = field.header.get("OBJECT")
    return value.strip().casefold()[:80] if isinstance(value, str) else ""
