"""What to try at a field, in which order, with how much patience: a lazy sequence of attempts.

The order of the star list decides: the same engine on the same stars takes 0.1 s or a minute.  No order wins
everywhere, so a portfolio races: members that differ in order, in the index files they use and in how they compare
quads.  Docs: docs/explanation/how-it-solves.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from novacli.errors import UnavailableError
from novacli.extraction.sources import ENOUGH_STARS, Extraction, Order, Sources
from novacli.hints import Hints, PositionHint, ScaleHint
from novacli.indexes.coverage import width_ranges_deg
from novacli.records.field import Field, Image
from novacli.records.params import Parity, SolveParams
from novacli.records.provenance import Provenance
from novacli.text.quantities import angle_text
from solvehost.formats.axy import MAX_ARCSEC_PER_PIXEL, Attempt, Range, Schedule
from solvehost.formats.jobdir import MAX_ATTEMPTS
from solvehost.formats.star_table import Stars
from solvehost.indexes import selection
from solvehost.indexes.index_file import IndexFile

_TO_50 = ((1, 6), (7, 12), (13, 20), (21, 30), (31, 50))
_TO_200 = tuple((n, n + 9) for n in range(1, 200, 10))
#: Windows of quad diameters.  Debian's files up to 85 arcmin hold groups of four stars, which match little by chance
#: and cost next to nothing to look up; those beyond hold triangles, which match hundreds of times.
_FINE, _NOT_FINE, _COARSE = Range(0, 80), Range(80, 1e5), Range(340, 1e5)
#: Images with more pixels than this get an attempt at a quarter of their size, too.
_LARGE_PX = 3_000_000
#: Others get one at full size soon: sparse pictures of sharp stars lose too many of them to binning.  It costs little.
_PATIENT_S = 1.0
#: Binned by so much, a picture is looked at for stars so far out of focus that they fall to pieces at full size: there
#: may be few of them.
_BLURRED = 8
#: A field is about this many times as wide as the quads that solve it, and none is wider than this across.
_FIELD_TO_QUAD, _WIDEST_DEG = 8.0, 90.0
#: Minimum odds to accept a match from a blind search: log-odds 30, where the engine itself asks for 20.7.  A search of
#: 120 CPU seconds that finds nothing true ends in a false solution in 3 of 100 cases at the engine's threshold and in
#: 6 of 10,000 at this one (benchmarks/false_solutions.py).  The threshold must not be higher: the first match of a very
#: wide field can be weak (32.5 was seen), and only the second look raises it above 43.
_BLIND_ODDS = 1e13
#: A search within so many degrees of a place sees so little of the sky that the engine's own odds will do.
_NEAR_DEG = 30.0
#: How long blind attempts hold back while a hint is tried, in seconds.
_BLIND_DELAY_S = 0.5
#: Order of the distortion that the engine fits where nobody says; what stars support is decided after that.
_TWEAK_ORDER = 2
#: The engine compares groups of four stars; with fewer there is nothing to try.
LEAST_STARS = 4


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the portfolio: which stars in which order, which index files, and how the engine searches."""

    label: str
    order: Order
    window: Range | None
    coarse_first: bool = True
    depths: tuple[tuple[int, int], ...] = _TO_50
    code_tolerance: float | None = 0.005
    uniformize: bool | None = None
    parallel: bool = False
    binning: int = 2
    threshold_sigma: float = Extraction().threshold_sigma
    delay_s: float = 0.0
    slice_s: float | None = 0.15


#: Tried where nothing is known.  Chosen by simulated races over some seventy candidates on real and drawn fields
#: (benchmarks/portfolio.py); docs/explanation/how-it-solves.md has what each is for.
BLIND = (
    Member("coarse indexes by both ranks", Order.MIXED, _COARSE),
    Member("fine indexes by peak", Order.PEAK, _FINE, uniformize=False),
    Member("other indexes by peak", Order.PEAK, _NOT_FINE),
    Member("coarse indexes, central stars", Order.CENTRAL, _COARSE, delay_s=0.2),
    Member("coarse indexes by flux", Order.FLUX, _COARSE, code_tolerance=0.007, delay_s=0.3, slice_s=0.3),
    Member("coarse indexes, full size", Order.FLUX, _COARSE, binning=1, delay_s=0.5, slice_s=0.3),
    Member("quarter size by peak", Order.PEAK, None, coarse_first=False, binning=4, delay_s=0.5, slice_s=0.3),
    Member("all indexes by flux", Order.FLUX, None, depths=_TO_200, code_tolerance=None, delay_s=1.0, slice_s=0.3),
    Member(
        "full size by flux", Order.FLUX, None, depths=_TO_200, code_tolerance=None, binning=1, delay_s=2.0, slice_s=0.3
    ),
    Member("other indexes, eighth size", Order.PEAK, _NOT_FINE, binning=_BLURRED, delay_s=3.0, slice_s=0.3),
)
#: Tried where the scale is known: it says which index files fit, so that they need no windows.
SCALED = (
    Member("by both ranks", Order.MIXED, None),
    Member("by flux", Order.FLUX, None, delay_s=0.1),
    Member("by peak, thoroughly", Order.PEAK, None, depths=_TO_200, code_tolerance=None, delay_s=0.4, slice_s=0.3),
)
#: Tried where both scale and position are known: few quads are left to compare, so the search can be thorough.  Coarse
#: index files first: their quads span the field, so that a match is verified all over it at once.
POINTED = (
    Member("by peak", Order.PEAK, None, depths=_TO_200, code_tolerance=None, slice_s=0.1),
    Member("by flux", Order.FLUX, None, depths=_TO_200, code_tolerance=None, delay_s=0.2),
    Member("by flux, full size", Order.FLUX, None, depths=_TO_200, code_tolerance=None, binning=1, delay_s=0.4),
)


@dataclass(frozen=True, slots=True)
class Constraint:
    """What one group of attempts takes for granted; empty for blind ones."""

    scale: ScaleHint | None = None
    position: PositionHint | None = None
    parity: Parity | None = None

    @property
    def is_blind(self) -> bool:
        """True where nothing is taken for granted."""
        return self == Constraint()

    @property
    def label(self) -> str:
        """Where it comes from, in the user's words."""
        sources = [h.source for h in (self.scale, self.position) if h is not None]
        return " + ".join(dict.fromkeys(sources)) or ("parity" if self.parity else "blind")


def constraints(hints: Hints, *, fallback: bool, is_tiled: bool = False) -> list[Constraint]:
    """Return what is taken for granted, most promising first; a blind one last, unless hints are to be trusted.

    A WCS in the header serves by its scale, position and parity.  To have the engine verify it costs more than the
    search that these leave: it fits the distortion anew with every index file.  With the position of an earlier frame
    goes its scale alone, for the telescope may have been turned: first, since that is as quick (measured: 0.045 s of
    engine time either way), but where a position picks a few files out of many (``is_tiled``).
    """
    position = hints.positions[0] if hints.positions else None
    known = [Constraint(scale, position, hints.parity) for scale in hints.scales or (None,)]
    if position is not None and position.provenance is Provenance.EARLIER and hints.scales:
        known.insert(1 if is_tiled else 0, Constraint(hints.scales[0], None, hints.parity))
    known += [Constraint(None, other, hints.parity) for other in hints.positions[1:]]
    known = [c for c in known if not c.is_blind][:4]
    return known if known and not fallback else [*known, Constraint()]


@dataclass(frozen=True, slots=True)
class _Plan:
    """An attempt before stars are looked for, and the member that says how they will be."""

    member: Member
    attempt: Attempt


def attempts(sources: Sources, params: SolveParams, hints: Hints, files: Sequence[IndexFile]) -> Iterator[Attempt]:
    """Yield the attempts at a field, best first; stars are extracted when an attempt that needs them is taken.

    Left out are attempts that no index file serves, that have too few stars, or that repeat an earlier one.

    Raises
    ------
    UnavailableError
        Where no index file serves any attempt.
    """
    plans = _plans(sources.field, params, hints, files)
    if not plans:
        why = next(misfits(sources.field, hints, files), f"no installed index file fits it: {_remedy(files)}")
        raise UnavailableError(f"{sources.field.origin.name}: {why}")
    tried: list[tuple[Extraction, Order, Attempt]] = []
    for plan in plans:
        extraction = extraction_for(sources, plan.member, params)
        wanted = (extraction, sources.order(plan.member.order), _search_of(plan.attempt))
        stars = sources.stars(extraction, plan.member.order)
        if len(stars) >= LEAST_STARS and wanted not in tried:
            schedule = replace(plan.attempt.schedule, rank=len(tried))
            tried.append(wanted)
            yield replace(plan.attempt, stars=stars, schedule=schedule)


def misfits(field: Field, hints: Hints, files: Sequence[IndexFile]) -> Iterator[str]:
    """Yield a remark for each scale hint at which no index file can match the field: what it means, what to do."""
    for hint in hints.scales:
        span = Range(hint.low_arcsec_per_pixel, hint.high_arcsec_per_pixel)
        quads = selection.quad_range_arcmin(field.width, field.height, span)
        if not any(selection.overlaps(file.quads_arcmin, quads) for file in files):
            low, high = (angle_text(field.width * scale / 60) for scale in span)
            width = low if low == high else f"{low} to {high}"
            yield f"no installed index file fits a field {width} wide ({hint.source}): {_remedy(files)}"


def _remedy(files: Sequence[IndexFile]) -> str:
    ranges = (f"{angle_text(low * 60)} to {angle_text(high * 60)}" for low, high in width_ranges_deg(files))
    return f"those here solve fields {' and '.join(ranges)} wide; get others (data.astrometry.net) or mend the scale"


def _plans(field: Field, params: SolveParams, hints: Hints, files: Sequence[IndexFile]) -> list[_Plan]:
    """Return what index files can serve, best first; hints share what the blind attempts leave of ``MAX_ATTEMPTS``.

    All come in the order of their delays, for a race takes them as they come: where the first hint is wrong, neither
    the second nor the blind attempts are kept waiting by all that could be tried with the first.
    """
    is_tiled = any(file.healpix >= 0 for file in files)
    given = constraints(hints, fallback=params.fallback, is_tiled=is_tiled)
    blind: list[_Plan] = []
    hinted: list[list[_Plan]] = []
    for constraint in given:
        delay_s = _BLIND_DELAY_S if constraint.is_blind and len(given) > 1 else 0.0
        members = _members(constraint, field, params)
        group = [_Plan(m, without_stars(field, params, m, constraint, delay_s)) for m in members]
        served = [plan for plan in group if selection.select(plan.attempt, files)]
        if constraint.is_blind:
            blind = served
        else:
            hinted.append(served)
    each = (MAX_ATTEMPTS - len(blind)) // max(1, len(hinted))
    known = [plan for group in hinted for plan in group[:each]]
    return sorted([*known, *blind[:MAX_ATTEMPTS]], key=lambda plan: plan.attempt.schedule.delay_s)


def _search_of(attempt: Attempt) -> Attempt:
    """Return the attempt without what makes no difference to what the engine finds: its name and its turn."""
    return replace(attempt, schedule=replace(attempt.schedule, label="", delay_s=0.0, rank=0, slice_s=None))


def _members(constraint: Constraint, field: Field, params: SolveParams) -> Sequence[Member]:
    members: tuple[Member, ...] = BLIND
    if constraint.scale is not None:
        members = SCALED if constraint.position is None else POINTED
    is_large = isinstance(field, Image) and field.width * field.height > _LARGE_PX and params.downsample is None
    return [member for member in members if _suits(member, is_large=is_large)]


def _suits(member: Member, *, is_large: bool) -> bool:
    """Say whether a member is for an image of that size: a quarter of a large one, all of a small one, and soon."""
    if member.binning == 2 or member.delay_s >= _PATIENT_S:
        return True
    return (member.binning > 2) == is_large


def without_stars(
    field: Field, params: SolveParams, member: Member, constraint: Constraint = Constraint(), delay_s: float = 0.0
) -> Attempt:
    """Return the attempt that a member makes at a field, its stars still to be looked for."""
    scale, position = constraint.scale, constraint.position
    odds = None if position is not None and position.position.radius_deg <= _NEAR_DEG else _BLIND_ODDS
    scales = () if scale is None else (_writable(scale),)
    return Attempt(
        width=field.width,
        height=field.height,
        stars=Stars.empty(),
        scales_arcsec_per_pixel=scales,
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


def _writable(scale: ScaleHint) -> Range:
    """Return a scale within what an axy may hold: who gives one end alone may well give a wild number."""
    ends = (scale.low_arcsec_per_pixel, scale.high_arcsec_per_pixel)
    return Range(*(min(end, MAX_ARCSEC_PER_PIXEL) for end in ends))


def _radius_deg(position: PositionHint, scale: ScaleHint | None, member: Member, field: Field) -> float:
    """Return how far from the hint a quad's stars may lie: the hint's radius for the centre, and half a diagonal.

    Where the scale is unknown, the diagonal is that of the widest field for which the member's index files are meant.
    """
    half_px = math.hypot(field.width, field.height) / 2
    if scale is not None:
        half_deg = half_px * scale.high_arcsec_per_pixel / 3600
    else:
        half_deg = (member.window.high / 60 * _FIELD_TO_QUAD / 2) if member.window else _WIDEST_DEG
    return min(180.0, position.position.radius_deg + min(half_deg, _WIDEST_DEG))


def extraction_for(sources: Sources, member: Member, params: SolveParams) -> Extraction:
    """Return the member's extraction: the user's binning, else its own; unbinned where that finds few stars and more.

    A Bayer mosaic is binned by an even factor in any case.
    """
    field = sources.field
    if not isinstance(field, Image):
        return Extraction(1)
    least = 2 if field.is_mosaic else 1
    if params.downsample is not None:
        return Extraction(-(-params.downsample // least) * least, member.threshold_sigma)
    chosen = Extraction(max(member.binning, least), member.threshold_sigma)
    if least < chosen.binning < _BLURRED and sources.count(chosen) < ENOUGH_STARS:
        return max((chosen, replace(chosen, binning=least)), key=sources.count)
    return chosen
