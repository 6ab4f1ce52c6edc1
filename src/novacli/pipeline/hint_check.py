"""Compare the hints with the solution: a note tells the user which of them were wrong, before they are given again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from novacli.records.calibration import Calibration
from novacli.records.hints import Hint, PositionHint, ScaleHint
from novacli.records.provenance import Provenance
from novacli.text.angles import separation_deg
from novacli.text.quantities import angle_text

#: Relative error of a scale that is not worth a note: focal lengths are not known better.
_SLACK = 0.01


def refuted(hints: Sequence[Hint], found: Calibration) -> Iterator[str]:
    """Yield a note on the scale and one on the position, each only if all hints of that kind are wrong.

    A header may be read in two ways of which one is wrong.  Hints from earlier frames are ignored: the telescope may
    have been turned or changed since, and that is no mistake.
    """
    scales = [h for h in hints if isinstance(h, ScaleHint) and h.provenance is not Provenance.EARLIER]
    positions = [h for h in hints if isinstance(h, PositionHint) and h.provenance is not Provenance.EARLIER]
    if scales and not any(_is_right_scale(hint, found) for hint in scales):
        low, high = (f"{end:.4g}" for end in (scales[0].low_arcsec_per_pixel, scales[0].high_arcsec_per_pixel))
        stated = low if low == high else f"{low} to {high}"
        yield f'the scale by {scales[0].source} is wrong: {stated}"/pixel, and it is {found.pixscale:.4g}"'
    if positions and not any(_apart_deg(hint, found) <= hint.position.radius_deg for hint in positions):
        apart = angle_text(60 * _apart_deg(positions[0], found))
        yield f"the position by {positions[0].source} is wrong: the centre is {apart} from there"


def _is_right_scale(hint: ScaleHint, found: Calibration) -> bool:
    low, high = hint.low_arcsec_per_pixel * (1 - _SLACK), hint.high_arcsec_per_pixel * (1 + _SLACK)
    return low <= found.pixscale <= high


def _apart_deg(hint: PositionHint, found: Calibration) -> float:
    return separation_deg(hint.position.ra_deg, hint.position.dec_deg, found.ra, found.dec)
