"""Compare the hints with the solution: notes tell the user which of them were wrong, before they are given again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from novacli.jobs.request import JobRequest
from novacli.records.calibration import Calibration
from novacli.records.hints import Hint, PositionHint, ScaleHint
from novacli.records.params import Scale, ScaleUnit
from novacli.records.provenance import Provenance
from novacli.text.angles import separation_deg
from novacli.text.quantities import angle_text

#: Relative error of a scale that is not worth a note: focal lengths are not known better.
_TOLERANCE = 0.01
#: Unit → how a value in it is written.
_UNIT_TEXTS = {
    ScaleUnit.DEG_WIDTH: "{}° wide",
    ScaleUnit.ARCMIN_WIDTH: "{}′ wide",
    ScaleUnit.ARCSEC_PER_PIXEL: '{}"/pixel',
    ScaleUnit.FOCAL_MM: "{} mm (35-mm equivalent)",
}


def wrong_hints(hints: Sequence[Hint], found: Calibration, request: JobRequest) -> Iterator[str]:
    """Yield a note on the scale and one on the position, each only if all hints of that kind are wrong.

    A header may be read in two ways of which one is wrong.  Hints from earlier frames are ignored: the telescope may
    have been turned or changed since, and that is no mistake.

    Parameters
    ----------
    hints
        The hints of the job.
    found
        The calibration by the solution.
    request
        The job's request; a note on the user's scale uses the unit in which it was given.
    """
    scales = [h for h in hints if isinstance(h, ScaleHint) and h.provenance is not Provenance.EARLIER]
    positions = [h for h in hints if isinstance(h, PositionHint) and h.provenance is not Provenance.EARLIER]
    if scales and not any(_is_right_scale(hint, found) for hint in scales):
        yield f"the scale by {scales[0].source} is wrong: {_scale_comparison(scales[0], found, request)}"
    if positions and not any(_distance_deg(hint, found) <= hint.position.radius_deg for hint in positions):
        distance = angle_text(60 * _distance_deg(positions[0], found))
        yield f"the position by {positions[0].source} is wrong: the centre is {distance} from there"


def _is_right_scale(hint: ScaleHint, found: Calibration) -> bool:
    low, high = hint.low_arcsec_per_pixel * (1 - _TOLERANCE), hint.high_arcsec_per_pixel * (1 + _TOLERANCE)
    return low <= found.pixscale <= high


def _scale_comparison(hint: ScaleHint, found: Calibration, request: JobRequest) -> str:
    """Return the scale of a hint and the true one, in the unit that the user gave, else in arcsec/pixel."""
    given, source = None if request.params is None else request.params.scale, request.source
    if hint.provenance is not Provenance.USER or given is None or source is None:
        given, width = Scale(hint.low_arcsec_per_pixel, hint.high_arcsec_per_pixel, ScaleUnit.ARCSEC_PER_PIXEL), 1
    else:
        width = source.width
    true = f"{given.unit.from_arcsec_per_pixel(found.pixscale, width):.4g}"
    unit = _UNIT_TEXTS[given.unit]
    return f"{unit.format(_range_text(given))}, and it is {unit.format(true)}"


def _range_text(scale: Scale) -> str:
    low, high = (None if end is None else f"{end:.4g}" for end in (scale.low, scale.high))
    if low is None or high is None:
        return f"at most {high}" if low is None else f"at least {low}"
    return low if low == high else f"{low} to {high}"


def _distance_deg(hint: PositionHint, found: Calibration) -> float:
    return separation_deg(hint.position.ra_deg, hint.position.dec_deg, found.ra, found.dec)
