"""Combine hints with the portfolio: a lazy sequence of attempts at a field, best first.

Stars are extracted when an attempt is taken from the sequence, so that the first engine starts before the second
extraction.  Explanation: docs/explanation/how-it-solves.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from novacli.errors import UnavailableError
from novacli.extraction.detect import DetectionSettings
from novacli.extraction.extractor import ENOUGH_STARS, StarExtractor
from novacli.extraction.order import StarOrder
from novacli.hints import Hints, PositionHint, ScaleHint
from novacli.indexes.coverage import width_ranges_deg
from novacli.matchers.base import Matcher
from novacli.records.field import Field, Image
from novacli.records.params import SolveParams
from novacli.records.parity import Parity
from novacli.records.provenance import Provenance
from novacli.strategy.portfolio import BLIND, BLURRED_BINNING, POINTED, PROPOSED, SCALED, ImageSizes, Member
from novacli.text.quantities import angle_text
from solvehost.formats.axy import MAX_ARCSEC_PER_PIXEL, Attempt, Range, Schedule
from solvehost.formats.jobdir import MAX_ATTEMPTS
from solvehost.formats.star_table import Stars
from solvehost.indexes import selection
from solvehost.indexes.index_file import IndexFile
from solvehost.record import record

#: Images with more pixels than this count as large: members for ``ImageSizes.LARGE`` are tried.
LARGE_PX = 3_000_000
#: A field is about this many times as wide as the quads that solve it.
_FIELD_TO_QUAD = 8.0
#: No field is wider than this, in degrees.
_WIDEST_DEG = 90.0
#: Minimum odds to accept a match from a blind search: log-odds 32, while the engine's own default is 20.7.  A search of
#: 120 CPU seconds that finds nothing true ends in a false solution in 3 of 100 cases at the engine's threshold and in
#: 3 of 10,000 at this one (benchmarks/false_solutions.py).  Weaker matches are followed up by the race; the first match
#: of a very wide field can be as weak as 32.5, and a lens's distortion prevents its follow-up from confirming it.
_BLIND_ODDS = 1e14
#: A search within this radius, in degrees, covers so little of the sky that the engine's own odds are safe.
_NEAR_DEG = 30.0
#: How long blind attempts wait while hints are tried, in seconds.
_BLIND_DELAY_S = 0.5
#: At most this many combinations of hints are tried.
_MAX_CONSTRAINTS = 4
#: Order of the distortion that the engine fits by default: none but a linear one, which takes a third of the time of
#: order 2 and matches the same stars.  The refit decides later what order the stars support.
_TWEAK_ORDER = 1
#: The engine compares groups of four stars, so that fewer stars cannot be solved.
LEAST_STARS = 4


@record
class Constraint:
    """The hints that one group of attempts takes for granted; empty for blind attempts."""

    scale: ScaleHint | None = None
    position: PositionHint | None = None
    parity: Parity | None = None

    @property
    def is_blind(self) -> bool:
        """True if nothing is taken for granted."""
        return self == Constraint()

    @property
    def label(self) -> str:
        """The sources of its hints, such as ``FOCALLEN + XPIXSZ``; ``blind`` if there are none."""
        sources = [h.source for h in (self.scale, self.position) if h is not None]
        return " + ".join(dict.fromkeys(sources)) or ("parity" if self.parity else "blind")


_NO_HINTS = Constraint()


def constraints(hints: Hints, *, fallback: bool, is_tiled: bool = False) -> list[Constraint]:
    """Return the combinations of hints to try, most promising first; the last one is blind if ``fallback`` is set.

    A WCS in the header contributes its scale, position and parity.  To have the engine verify the WCS itself would take
    longer than the search that these leave, since it fits the distortion anew with every index file.

    The telescope may have been turned since an earlier frame, so its position is accompanied by its scale alone.  The
    scale alone comes first, since it is as quick (measured: 0.045 s of engine time either way).

    Parameters
    ----------
    hints
        All hints, best first.
    fallback
        True to add a blind constraint after the hints.
    is_tiled
        True if the index files are tiles of the sky; a position then selects a few of them, and comes before the scale
        alone.
    """
    position = hints.positions[0] if hints.positions else None
    hinted = [Constraint(scale, position, hints.parity) for scale in hints.scales or (None,)]
    if position is not None and position.provenance is Provenance.EARLIER and hints.scales:
        hinted.insert(1 if is_tiled else 0, Constraint(hints.scales[0], None, hints.parity))
    hinted += [Constraint(None, other, hints.parity) for other in hints.positions[1:]]
    hinted = [c for c in hinted if not c.is_blind][:_MAX_CONSTRAINTS]
    return hinted if hinted and not fallback else [*hinted, Constraint()]


@record
class _Plan:
    """An attempt without its stars, and the member that says how to extract them."""

    member: Member
    attempt: Attempt
    constraint: Constraint


def plan_attempts(
    extractor: StarExtractor,
    params: SolveParams,
    hints: Hints,
    files: Sequence[IndexFile],
    matcher: Matcher | None = None,
) -> Iterator[Attempt]:
    """Yield the attempts at a field, best first, each with its stars.

    An attempt is left out if no index file serves it, if it has too few stars, or if it repeats an earlier one.

    Parameters
    ----------
    extractor
        Makes the star lists of the field; used when an attempt is taken.
    params
        The user's parameters.
    hints
        The hints to use, best first.
    files
        The index files of the place that will solve.
    matcher
        Proposes where the field is; None for no such attempts.

    Raises
    ------
    UnavailableError
        No index file serves any attempt.
    """
    plans = _served_plans(extractor.field, params, hints, files, () if matcher is None else PROPOSED)
    if not plans:
        reason = next(misfits(extractor.field, hints, files), f"no installed index file fits it: {_remedy(files)}")
        raise UnavailableError(f"{extractor.field.origin.name}: {reason}")
    tried: list[tuple[DetectionSettings, StarOrder, Attempt]] = []
    for plan in plans:
        settings = detection_settings_for(extractor, plan.member, params)
        stars = extractor.stars(settings, plan.member.order)
        attempt = None if len(stars) < LEAST_STARS else _with_proposal(plan, stars, extractor.field, params, matcher)
        if attempt is None:
            continue
        search = (settings, extractor.effective_order(plan.member.order), _without_schedule(attempt))
        if search not in tried:
            schedule = replace(attempt.schedule, rank=len(tried))
            tried.append(search)
            yield replace(attempt, stars=stars, schedule=schedule)


def misfits(field: Field, hints: Hints, files: Sequence[IndexFile]) -> Iterator[str]:
    """Yield a remark for each scale hint at which no index file can match the field, with what to do about it."""
    for hint in hints.scales:
        scales = Range(hint.low_arcsec_per_pixel, hint.high_arcsec_per_pixel)
        quads = selection.quad_range_arcmin(field.width, field.height, scales)
        if not any(selection.overlaps(file.quads_arcmin, quads) for file in files):
            low, high = (angle_text(field.width * scale / 60) for scale in scales)
            width = low if low == high else f"{low} to {high}"
            yield f"no installed index file fits a field {width} wide ({hint.source}): {_remedy(files)}"


def _remedy(files: Sequence[IndexFile]) -> str:
    ranges = (f"{angle_text(low * 60)} to {angle_text(high * 60)}" for low, high in width_ranges_deg(files))
    widths = " and ".join(ranges)
    return f"those here solve fields {widths} wide; get others (data.astrometry.net) or correct the scale"


def _served_plans(
    field: Field, params: SolveParams, hints: Hints, files: Sequence[IndexFile], proposed: Sequence[Member]
) -> list[_Plan]:
    """Return the attempts that index files serve, in the order of their delays, at most ``MAX_ATTEMPTS``.

    The hinted groups share what the blind attempts leave.  The race takes attempts as they come: sorted by delay, the
    second hint and the blind attempts need not wait for all attempts at a first hint that may be wrong.
    """
    is_tiled = any(file.healpix >= 0 for file in files)
    to_try = constraints(hints, fallback=params.fallback, is_tiled=is_tiled)
    blind: list[_Plan] = []
    hinted: list[list[_Plan]] = []
    for constraint in to_try:
        delay_s = _BLIND_DELAY_S if constraint.is_blind and len(to_try) > 1 else 0.0
        members = _members(constraint, field, params, proposed)
        group = [_Plan(m, attempt_without_stars(field, params, m, constraint, delay_s), constraint) for m in members]
        served = [plan for plan in group if selection.select(plan.attempt, files)]
        if constraint.is_blind:
            blind = served
        else:
            hinted.append(served)
    share = (MAX_ATTEMPTS - len(blind)) // max(1, len(hinted))
    kept = [plan for group in hinted for plan in group[:share]]
    return sorted([*kept, *blind[:MAX_ATTEMPTS]], key=lambda plan: plan.attempt.schedule.delay_s)


def _with_proposal(
    plan: _Plan, stars: Stars, field: Field, params: SolveParams, matcher: Matcher | None
) -> Attempt | None:
    """Return the attempt of a plan; if its member asks for a proposal, the attempt there, or None if there is none."""
    if matcher is None or plan.member.pattern_stars is None:
        return plan.attempt
    scales = () if plan.constraint.scale is None else (plan.constraint.scale,)
    found = matcher.propose(stars, field.width, field.height, scales, plan.member.pattern_stars)
    if found is None or plan.constraint.parity not in (None, found.parity):
        return None
    constraint = Constraint(found.scales[0], found.positions[0], found.parity)
    attempt = attempt_without_stars(field, params, plan.member, constraint)
    return replace(attempt, schedule=replace(attempt.schedule, delay_s=plan.attempt.schedule.delay_s))


def _without_schedule(attempt: Attempt) -> Attempt:
    """Return the attempt without its label and its times, which do not change what the engine finds."""
    return replace(attempt, schedule=replace(attempt.schedule, label="", delay_s=0.0, rank=0, slice_s=None))


def _members(constraint: Constraint, field: Field, params: SolveParams, proposed: Sequence[Member]) -> Sequence[Member]:
    members: tuple[Member, ...] = BLIND
    if constraint.scale is not None:
        members = SCALED if constraint.position is None else POINTED
    is_large = isinstance(field, Image) and field.width * field.height > LARGE_PX and params.downsample is None
    wanted = (ImageSizes.ANY, ImageSizes.LARGE if is_large else ImageSizes.SMALL)
    more = proposed if constraint.position is None else ()
    return [member for member in (*members, *more) if member.image_sizes in wanted]


def attempt_without_stars(
    field: Field, params: SolveParams, member: Member, constraint: Constraint = _NO_HINTS, delay_s: float = 0.0
) -> Attempt:
    """Return the attempt that a member makes at a field, with an empty star list.

    Parameters
    ----------
    field
        The field, for its size.
    params
        The user's parameters.
    member
        The member of the portfolio.
    constraint
        The hints that the attempt takes for granted.
    delay_s
        Added to the member's own delay, seconds.
    """
    scale, position = constraint.scale, constraint.position
    # A proposal is the outcome of a search all over the sky, however small the region that it names.
    is_all_sky = (
        position is None or position.position.radius_deg > _NEAR_DEG or position.provenance is Provenance.PATTERN
    )
    odds = _BLIND_ODDS if is_all_sky else None
    return Attempt(
        width=field.width,
        height=field.height,
        stars=Stars.empty(),
        scales_arcsec_per_pixel=() if scale is None else (_scale_range(scale),),
        center_deg=None if position is None else (position.position.ra_deg, position.position.dec_deg),
        radius_deg=None if position is None else _radius_deg(position, scale, member, field),
        parity=None if constraint.parity is None else constraint.parity.value,
        tweak_order=_TWEAK_ORDER if params.tweak_order is None else params.tweak_order,
        crpix_center=params.crpix_center,
        depths=member.depths,
        code_tolerance=member.code_tolerance,
        odds_to_solve=odds,
        odds_to_keep=odds,
        verify_uniformize=member.uniformize,
        verify_dedup=False,
        schedule=Schedule(
            quads_arcmin=member.window,
            coarse_first=member.coarse_first,
            parallel=member.parallel,
            delay_s=member.delay_s + delay_s,
            slice_s=member.slice_s,
            label=f"{member.label} ({constraint.label})"[:60],
        ),
    )


def _scale_range(scale: ScaleHint) -> Range:
    """Return a scale range, arcsec/pixel, cut to the largest number that an axy may hold.

    A user who gives one end alone may give any number.
    """
    ends = (scale.low_arcsec_per_pixel, scale.high_arcsec_per_pixel)
    return Range(*(min(end, MAX_ARCSEC_PER_PIXEL) for end in ends))


def _radius_deg(position: PositionHint, scale: ScaleHint | None, member: Member, field: Field) -> float:
    """Return the largest distance of a quad's stars from the hint: the hint's own radius and half the field's diagonal.

    If the scale is unknown, the diagonal is that of the widest field for which the member's index files are meant.
    """
    half_px = math.hypot(field.width, field.height) / 2
    if scale is not None:
        half_deg = half_px * scale.high_arcsec_per_pixel / 3600
    else:
        half_deg = (member.window.high / 60 * _FIELD_TO_QUAD / 2) if member.window else _WIDEST_DEG
    return min(180.0, position.position.radius_deg + min(half_deg, _WIDEST_DEG))


def detection_settings_for(extractor: StarExtractor, member: Member, params: SolveParams) -> DetectionSettings:
    """Return how a member detects sources in the extractor's field.

    The user's binning replaces the member's.  Otherwise, if the member's binning shows few stars and no binning shows
    more, no binning is used.  A Bayer mosaic is always binned by an even factor.
    """
    field = extractor.field
    if not isinstance(field, Image):
        return DetectionSettings(1)
    least = 2 if field.is_mosaic else 1
    binning = member.binning if params.downsample is None else -(-params.downsample // least) * least
    settings = DetectionSettings(max(binning, least), member.threshold_sigma, local_noise=member.local_noise)
    if params.downsample is not None:
        return settings
    if least < settings.binning < BLURRED_BINNING and extractor.count(settings) < ENOUGH_STARS:
        return max((settings, replace(settings, binning=least)), key=extractor.count)
    return settings
