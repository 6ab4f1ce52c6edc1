"""What the solution shows to be wrong of the hints: said in a note, since whoever gave them will give them again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from novacli.records.hints import EARLIER
from novacli.solution.reading import Calibration
from novacli.text.angles import separation_deg
from novacli.text.quantities import angle_text

#: A scale is no worse for being off by so much: lenses are not better known.
_SLACK = 0.01

Hint = Mapping[str, Any]


def refuted(hints: Sequence[Hint], found: Calibration) -> Iterator[str]:
    """Yield a note on the scale and on the position of the hints, as results list them, where all of a kind are wrong.

    A header may be read in two ways of which one is wrong.  What is remembered of earlier frames is passed over: a
    telescope that was turned or changed is nobody's mistake.
    """
    said = [hint for hint in hints if not str(hint.get("source", "")).startswith(EARLIER)]
    scales, positions = ([hint for hint in said if hint.get("kind") == kind] for kind in ("scale", "position"))
    if scales and not any(_is_right_scale(hint, found) for hint in scales):
        low, high = (f"{scales[0][end]:.4g}" for end in ("low_arcsec", "high_arcsec"))
        stated = low if low == high else f"{low} to {high}"
        yield f'the scale by {scales[0]["source"]} is wrong: {stated}"/pixel, and it is {found.pixscale:.4g}"'
    if positions and not any(_apart_deg(hint, found) <= hint["radius"] for hint in positions):
        apart = angle_text(60 * _apart_deg(positions[0], found))
        yield f"the position by {positions[0]['source']} is wrong: the centre is {apart} from there"


def _is_right_scale(hint: Hint, found: Calibration) -> bool:
    return bool(hint["low_arcsec"] * (1 - _SLACK) <= found.pixscale <= hint["high_arcsec"] * (1 + _SLACK))


def _apart_deg(hint: Hint, found: Calibration) -> float:
    return separation_deg(hint["ra"], hint["dec"], found.ra, found.dec)
