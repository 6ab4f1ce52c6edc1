"""The attempts at a field and their order: hints first, blind attempts after them, stars only when needed."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_sky import scattered, star_picture
from numpy.typing import NDArray

from novacli.errors import UnavailableError
from novacli.extraction.detect import DetectionSettings, detect_sources
from novacli.extraction.extractor import StarExtractor
from novacli.hints import Hints, PositionHint, ScaleHint
from novacli.inputs import from_array
from novacli.records.field import Image, Origin, StarList
from novacli.records.params import Position, SolveParams
from novacli.records.parity import Parity
from novacli.records.provenance import Provenance
from novacli.strategy import attempts as strategy
from novacli.strategy.attempts import LEAST_STARS, constraints
from novacli.strategy.portfolio import BLIND, POINTED, PROPOSED, SCALED, ImageSizes
from solvehost.formats import axy
from solvehost.formats.axy import Attempt, Range
from solvehost.formats.jobdir import MAX_ATTEMPTS
from solvehost.formats.star_table import Stars
from solvehost.indexes.index_file import IndexFile

SHAPE = (300, 400)
PICTURE = star_picture(scattered(40, SHAPE), SHAPE, flux=9000)
SCALE = ScaleHint(55.0, 65.0, "FOCALLEN + XPIXSZ")
PLACE = PositionHint(Position(84.0, -3.0, 5.0), "OBJCTRA/OBJCTDEC")


def make_index(name: str, low_arcmin: float, high_arcmin: float) -> IndexFile:
    return IndexFile(Path("/indexes") / name, 4100, -1, 1, Range(low_arcmin, high_arcmin), 1000, 1000, 10_000)


#: Quads from 22 arcmin to 33 degrees, as the Tycho-2 series has them.
TYCHO = tuple(make_index(f"index-{n:02d}.fits", 22 * 2 ** (n / 2), 30 * 2 ** (n / 2)) for n in range(13))


def planned(
    hints: Hints | None = None,
    params: SolveParams | None = None,
    files: Sequence[IndexFile] = TYCHO,
    picture: NDArray[np.generic] = PICTURE,
) -> list[Attempt]:
    params = params or SolveParams()
    extractor = StarExtractor(from_array(picture), params.max_stars)
    return list(strategy.plan_attempts(extractor, params, hints or Hints(), files))


def renumbered(attempts: Iterable[Attempt]) -> list[Attempt]:
    """Return attempts with the ranks 0, 1, 2…"""
    return [dataclasses.replace(a, schedule=dataclasses.replace(a.schedule, rank=n)) for n, a in enumerate(attempts)]


def is_blind(attempt: Attempt) -> bool:
    return not attempt.scales_arcsec_per_pixel and attempt.center_deg is None and attempt.parity is None


# --- Blind ---------------------------------------------------------------------------------------------------------


def test_blind_attempts_take_nothing_for_granted() -> None:
    attempts = planned()
    assert attempts
    assert all(is_blind(a) and a.radius_deg is None for a in attempts)
    assert all(a.schedule.label.endswith("(blind)") for a in attempts)


def test_a_blind_search_needs_higher_odds_than_one_near_a_position() -> None:
    hinted = planned(Hints(scales=(SCALE,), positions=(PLACE,)))
    odds = [(a.center_deg is None, a.odds_to_solve, a.odds_to_keep) for a in hinted]
    assert set(odds) == {(True, 1e14, 1e14), (False, None, None)}
    anywhere = PositionHint(Position(84.0, -3.0, 180.0), "--ra/--dec")
    assert {a.odds_to_solve for a in planned(Hints(positions=(anywhere,)))} == {1e14}


def test_every_attempt_has_stars_and_the_size_of_the_field() -> None:
    for attempt in planned(Hints(scales=(SCALE,), positions=(PLACE,))):
        assert len(attempt.stars) >= LEAST_STARS
        assert (attempt.width, attempt.height) == (400, 300)
        assert axy.parse(axy.to_bytes(attempt)).schedule == attempt.schedule


def test_ranks_number_the_attempts() -> None:
    ranks = [a.schedule.rank for a in planned(Hints(scales=(SCALE,)))]
    assert ranks == list(range(len(ranks)))


def test_the_first_blind_attempts_use_every_index_file() -> None:
    """The windows of those that begin at once cover all scales."""
    windows = sorted({m.window for m in BLIND if m.delay_s == 0 and m.window is not None})
    assert windows[0].low == 0
    assert all(b.low <= a.high for a, b in itertools.pairwise(windows))
    assert windows[-1].high >= 180 * 60


def test_attempts_differ_in_the_order_of_their_stars() -> None:
    orders = {tuple(a.stars.x) for a in planned()}
    assert len(orders) > 1


def test_no_search_is_repeated() -> None:
    """A star list has one brightness and no binning, so that members which differ in these alone repeat each other."""
    column = np.linspace(10, 390, 30)
    field = StarList(column, column[::-1] * 0.7, None, 400, 300, {}, Origin("list.csv", None, "text"))
    attempts = list(strategy.plan_attempts(StarExtractor(field), SolveParams(), Hints(), TYCHO))
    bare = [dataclasses.replace(a.schedule, label="", delay_s=0, rank=0, slice_s=None) for a in attempts]
    searches = [dataclasses.replace(a, schedule=s) for a, s in zip(attempts, bare, strict=True)]
    assert not any(a in searches[:n] for n, a in enumerate(searches))
    assert len(attempts) == len(
        {m.label for m in BLIND}
        - {
            "full size by flux",
            "quarter size by peak",
            "coarse indexes, full size",
            "coarse indexes by both ranks",
            "coarse indexes, star-like by peak",
            "coarse indexes, local noise",
            "fine indexes, full size",
            "other indexes, eighth size",
        }
    )


# --- Proposals of a matcher ----------------------------------------------------------------------------------------


class StandInMatcher:
    """Proposes one place, or nothing; ``asked`` keeps the scales and the numbers of stars that it was asked with."""

    def __init__(self, found: Hints | None) -> None:
        self.found = found
        self.asked: list[tuple[tuple[ScaleHint, ...], int]] = []

    def propose(
        self, stars: Stars, width: int, height: int, scales: Sequence[ScaleHint] = (), pattern_stars: int = 12
    ) -> Hints | None:
        assert (width, height) == (400, 300)
        assert len(stars) >= LEAST_STARS
        self.asked.append((tuple(scales), pattern_stars))
        return self.found


PROPOSAL = Hints(
    scales=(ScaleHint(90.0, 100.0, "star pattern", Provenance.PATTERN),),
    positions=(PositionHint(Position(120.0, 40.0, 0.5), "star pattern", Provenance.PATTERN),),
    parity=Parity.POSITIVE,
)


def planned_with(
    matcher: StandInMatcher, hints: Hints | None = None, params: SolveParams | None = None
) -> list[Attempt]:
    extractor = StarExtractor(from_array(PICTURE))
    return list(strategy.plan_attempts(extractor, params or SolveParams(), hints or Hints(), TYCHO, matcher))


def test_an_attempt_looks_where_the_matcher_proposes() -> None:
    attempts = planned_with(StandInMatcher(PROPOSAL))
    there = [a for a in attempts if a.center_deg is not None]
    assert [a.schedule.label for a in there] == [
        f"{m.label} (star pattern)" for m in PROPOSED if m.image_sizes is not ImageSizes.LARGE
    ]
    for attempt in there:
        assert attempt.center_deg == (120.0, 40.0)
        assert attempt.scales_arcsec_per_pixel == (Range(90.0, 100.0),)
        assert attempt.parity == Parity.POSITIVE
        assert attempt.radius_deg is not None
        assert attempt.radius_deg < 10


def test_a_proposal_needs_the_odds_of_a_blind_search() -> None:
    """It comes from a search all over the sky, so the small region that it names makes no match more likely."""
    attempts = planned_with(StandInMatcher(PROPOSAL))
    assert {(a.odds_to_solve, a.odds_to_keep) for a in attempts} == {(1e14, 1e14)}


def test_the_matcher_is_asked_after_the_first_attempts() -> None:
    matcher = StandInMatcher(PROPOSAL)
    attempts = strategy.plan_attempts(StarExtractor(from_array(PICTURE)), SolveParams(), Hints(), TYCHO, matcher)
    first = [next(attempts), next(attempts)]
    assert all(is_blind(attempt) for attempt in first)
    assert not matcher.asked


def test_without_a_proposal_the_attempts_are_those_without_a_matcher() -> None:
    assert planned_with(StandInMatcher(None)) == planned()


def test_the_matcher_looks_at_known_scales_first_and_at_all_others_with_the_blind_attempts() -> None:
    matcher = StandInMatcher(None)
    planned_with(matcher, Hints(scales=(SCALE,)))
    assert [scales for scales, _ in matcher.asked] == [(SCALE,), (SCALE,), (), ()]


def test_hints_that_name_the_place_are_tried_without_a_matcher() -> None:
    matcher = StandInMatcher(PROPOSAL)
    planned_with(matcher, Hints(scales=(SCALE,), positions=(PLACE,)), SolveParams(fallback=False))
    assert not matcher.asked


def test_a_proposal_of_the_wrong_parity_is_dropped() -> None:
    hints = Hints(parity=Parity.NEGATIVE)
    attempts = planned_with(StandInMatcher(PROPOSAL), hints, SolveParams(fallback=False))
    assert attempts
    assert all(a.center_deg is None for a in attempts)


# --- Hints ---------------------------------------------------------------------------------------------------------


def test_blind_attempts_follow_the_hinted_ones() -> None:
    """A wrong hint does not leave the image unsolved."""
    attempts = planned(Hints(scales=(SCALE,), positions=(PLACE,)))
    assert attempts[0].scales_arcsec_per_pixel == (Range(55.0, 65.0),)
    assert attempts[0].center_deg == (84.0, -3.0)
    blind = [is_blind(a) for a in attempts]
    assert blind == sorted(blind)
    assert any(blind)


def test_blind_attempts_do_not_wait_for_all_attempts_at_a_position() -> None:
    attempts = planned(Hints(positions=(PLACE,)))
    delays = [a.schedule.delay_s for a in attempts]
    assert delays == sorted(delays)
    blind = [is_blind(a) for a in attempts]
    assert not all(blind[blind.index(True) :])
    assert not any(blind[:3])


def test_the_second_hint_does_not_wait_for_all_attempts_at_the_first() -> None:
    """The mount may have moved: one attempt at the scale alone, one at the earlier position, then the others."""
    elsewhere = dataclasses.replace(PLACE, provenance=Provenance.EARLIER)
    hints = Hints(scales=(SCALE,), positions=(elsewhere,))
    first, second, *others = planned(hints)
    assert (first.center_deg, first.scales_arcsec_per_pixel) == (None, (Range(55.0, 65.0),))
    assert second.center_deg is not None
    tiles = [dataclasses.replace(file, healpix=n, nside=1) for file in TYCHO for n in range(12)]
    assert [a.center_deg is None for a in planned(hints, files=tiles)[:2]] == [False, True]
    hinted = [a.schedule.delay_s for a in (first, second, *others) if not is_blind(a)]
    assert hinted == sorted(hinted)


def test_blind_attempts_give_hints_a_head_start() -> None:
    delays = [a.schedule.delay_s for a in planned(Hints(scales=(SCALE,))) if is_blind(a)]
    assert min(delays) > 0
    assert min(a.schedule.delay_s for a in planned()) == 0


def test_without_fallback_hints_are_trusted() -> None:
    attempts = planned(Hints(positions=(PLACE,)), SolveParams(fallback=False))
    assert attempts
    assert not any(map(is_blind, attempts))


def test_without_fallback_and_without_hints_all_attempts_are_blind() -> None:
    assert all(map(is_blind, planned(params=SolveParams(fallback=False))))


def test_scale_and_position_together_are_searched_thoroughly() -> None:
    """Few quads are left to compare, so that the first attempt uses 200 stars."""
    attempts = planned(Hints(scales=(SCALE,), positions=(PLACE,)), SolveParams(fallback=False))
    assert len(attempts) == len(POINTED)
    assert all(a.depths[-1][1] == 200 for a in attempts)


@pytest.mark.parametrize("parity", Parity)
def test_parity_is_the_sign_of_the_determinant(parity: Parity) -> None:
    hinted = renumbered(a for a in planned(Hints(parity=parity)) if not is_blind(a))
    assert hinted
    assert {a.parity for a in hinted} == {parity.value}
    alone = renumbered(planned(Hints(parity=parity), SolveParams(fallback=False)))
    assert alone[: len(hinted)] == hinted  # beside blind ones there is no room for the last of them
    assert len(hinted) > len(alone) / 2


def test_with_a_scale_no_attempt_has_a_window_of_index_files() -> None:
    """The scale selects the index files; the last attempt is thorough."""
    attempts = planned(Hints(scales=(SCALE,)), SolveParams(fallback=False))
    assert len(attempts) == len(SCALED)
    assert all(a.schedule.quads_arcmin is None for a in attempts)
    assert attempts[-1].depths[-1][1] == 200


def test_each_scale_hint_is_tried_and_named() -> None:
    other = ScaleHint(110.0, 130.0, "FOCALLEN + XPIXSZ, times binning")
    labels = [a.schedule.label for a in planned(Hints(scales=(SCALE, other)))]
    assert any(other.source in label for label in labels)
    assert all(label.isascii() and len(label) <= 60 for label in labels)


@pytest.mark.parametrize("is_tiled", [False, True])
def test_the_scale_of_an_earlier_frame_is_tried_without_its_position(is_tiled: bool) -> None:
    """The telescope may have been turned since; the position in a header is that of the frame itself.

    The scale alone comes first, unless the position selects the index files.
    """
    earlier = dataclasses.replace(PLACE, provenance=Provenance.EARLIER)
    hints = Hints(scales=(SCALE,), positions=(earlier,), parity=Parity.POSITIVE)
    found = constraints(hints, fallback=True, is_tiled=is_tiled)
    pair = [(SCALE, None, Parity.POSITIVE), (SCALE, earlier, Parity.POSITIVE)]
    expected = [*(reversed(pair) if is_tiled else pair), (None, None, None)]
    assert [(c.scale, c.position, c.parity) for c in found] == expected
    assert len(constraints(Hints(scales=(SCALE,), positions=(PLACE,)), fallback=True)) == 2
    assert len(constraints(Hints(positions=(earlier,)), fallback=True)) == 2


@pytest.mark.parametrize("scales", range(5))
@pytest.mark.parametrize("places", range(5))
def test_any_number_of_hints_leaves_room_for_all_blind_attempts(scales: int, places: int) -> None:
    """There are at most 24 attempts, and at least one for each hint."""
    hints = Hints(
        scales=tuple(ScaleHint(n * 20.0, n * 20.0 + 10, f"scale {n}") for n in range(1, scales + 1)),
        positions=tuple(PositionHint(Position(n * 10.0, 0.0, 5.0), f"place {n}") for n in range(1, places + 1)),
    )
    attempts = planned(hints)
    assert len(attempts) <= MAX_ATTEMPTS
    assert [a.stars for a in attempts if is_blind(a)] == [a.stars for a in planned()]
    wanted = {c.label for c in constraints(hints, fallback=True)}
    assert {a.schedule.label.partition("(")[2].rstrip(")") for a in attempts} == wanted


def test_the_search_radius_includes_half_a_diagonal() -> None:
    """The centre lies within the hint's radius, and a quad's stars within half a diagonal of the centre."""
    (first, *_) = planned(Hints(scales=(SCALE,), positions=(PLACE,)))
    half_diagonal_deg = math.hypot(400, 300) / 2 * 65.0 / 3600
    assert first.radius_deg == pytest.approx(5.0 + half_diagonal_deg)


def test_without_a_scale_the_radius_is_for_the_widest_field_of_the_index_files() -> None:
    for attempt in planned(Hints(positions=(PLACE,)), SolveParams(fallback=False)):
        window = attempt.schedule.quads_arcmin
        quad_deg = 90.0 if window is None else min(90.0, window.high / 60 * 4)
        assert attempt.radius_deg == pytest.approx(min(180.0, 5.0 + quad_deg))


def test_no_radius_exceeds_180_degrees() -> None:
    everywhere = PositionHint(Position(0.0, 90.0, 180.0), "--ra/--dec")
    assert {a.radius_deg for a in planned(Hints(positions=(everywhere,))) if not is_blind(a)} == {180.0}


def test_a_scale_range_is_cut_to_what_an_axy_may_hold() -> None:
    """As of --scale-high 1e9: the race would refuse the axy, and the image would stay unsolved."""
    attempts = planned(Hints(scales=(ScaleHint(55.0, 4.5e9, "--scale-high"),)), SolveParams(fallback=False))
    assert {axy.parse(axy.to_bytes(a)).scales_arcsec_per_pixel for a in attempts} == {(Range(55.0, 1e5),)}


# --- Index files ---------------------------------------------------------------------------------------------------


def test_attempts_that_no_index_file_serves_are_left_out() -> None:
    fine = [f for f in TYCHO if f.middle_arcmin < 60]
    assert {a.schedule.label for a in planned(files=fine)} < {a.schedule.label for a in planned()}


@pytest.mark.parametrize("files", [TYCHO, TYCHO[:1]])
def test_if_no_index_file_fits_the_error_names_the_fields_that_can_be_solved(files: Sequence[IndexFile]) -> None:
    """It does not say that there are no stars."""
    narrow = Hints(scales=(ScaleHint(0.2, 0.4, "--scale-low/--scale-high"),))
    with pytest.raises(
        UnavailableError, match=r"^array: no installed index file fits a field 1\.3′ to 2\.7′ wide"
    ) as e:
        planned(narrow, SolveParams(fallback=False), files)
    assert "those here solve fields 44′ to " in str(e.value)
    assert "data.astrometry.net" in str(e.value)
    assert e.value.exit_code == 69


def test_a_gap_between_index_files_is_named_in_the_error() -> None:
    files = (make_index("a.fits", 2, 3), make_index("b.fits", 400, 600))
    narrow = Hints(scales=(ScaleHint(10.0, 11.0, "PIXSCALE"),))
    with pytest.raises(UnavailableError, match="those here solve fields 4′ to 30′ and 13° to 100° wide"):
        planned(narrow, SolveParams(fallback=False), files)


def test_with_fallback_a_scale_that_no_index_file_fits_is_a_remark() -> None:
    narrow = Hints(scales=(ScaleHint(0.2, 0.4, "FOCALLEN + XPIXSZ"), SCALE))
    assert any(map(is_blind, planned(narrow)))
    (remark,) = strategy.misfits(from_array(PICTURE), narrow, TYCHO)
    assert "(FOCALLEN + XPIXSZ)" in remark


# --- Stars ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def detections(monkeypatch: pytest.MonkeyPatch) -> list[DetectionSettings]:
    """The settings of every detection, as it happens."""
    seen: list[DetectionSettings] = []

    def detect(image: Image, settings: DetectionSettings) -> NDArray[np.void]:
        seen.append(settings)
        return detect_sources(image, settings)

    monkeypatch.setattr("novacli.extraction.extractor.detect_sources", detect)
    return seen


def test_sources_are_detected_only_when_an_attempt_is_taken(detections: list[DetectionSettings]) -> None:
    attempts = strategy.plan_attempts(StarExtractor(from_array(PICTURE)), SolveParams(), Hints(), TYCHO)
    assert detections == []
    next(attempts)
    assert detections == [DetectionSettings(2)]
    list(attempts)
    assert detections == [
        DetectionSettings(2),
        DetectionSettings(1),
        DetectionSettings(1, 8.0, local_noise=True),
        DetectionSettings(8),
    ]


def test_if_no_index_file_fits_nothing_is_detected(detections: list[DetectionSettings]) -> None:
    with pytest.raises(UnavailableError, match="no installed index file fits"):
        planned(files=(make_index("a.fits", 1e-4, 2e-4),))
    assert detections == []


@pytest.mark.parametrize("count", range(LEAST_STARS + 2))
def test_an_image_is_tried_if_it_has_four_stars(count: int) -> None:
    picture = star_picture(scattered(count, SHAPE), SHAPE, flux=9000)
    assert bool(planned(picture=picture)) == (count >= LEAST_STARS)


def test_the_unbinned_image_is_used_if_the_binned_one_shows_few_stars(detections: list[DetectionSettings]) -> None:
    """Binning hides faint sharp stars and shows faint wide ones, so that the longer list is used."""
    sharp = star_picture(scattered(15, SHAPE), SHAPE, flux=700, fwhm=1.2, noise=8)
    (first, *_) = planned(picture=sharp)
    assert detections[:2] == [DetectionSettings(2), DetectionSettings(1)]
    image = from_array(sharp)
    assert len(first.stars) == max(
        len(detect_sources(image, DetectionSettings(1))), len(detect_sources(image, DetectionSettings(2)))
    )
    blurred = star_picture(scattered(15, SHAPE), SHAPE, flux=1500, fwhm=8, noise=8)
    (first, *_) = planned(picture=blurred)
    image = from_array(blurred)
    assert len(detect_sources(image, DetectionSettings(2))) > len(detect_sources(image, DetectionSettings(1)))
    assert len(first.stars) == len(detect_sources(image, DetectionSettings(2)))


def test_a_large_image_is_tried_at_a_quarter_of_its_size(detections: list[DetectionSettings]) -> None:
    shape = (1800, 2000)
    picture = np.random.default_rng(1).normal(100, 3, shape).astype(np.float32)
    for x, y in scattered(60, shape, margin=20, apart=60):
        picture[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4] += 500
    planned(picture=picture)
    assert detections == [DetectionSettings(2), DetectionSettings(4), DetectionSettings(1), DetectionSettings(8)]


def test_few_defocused_stars_at_an_eighth_of_the_size_are_kept() -> None:
    """Rings, as of a telescope far out of focus: each is several sources at full size, and one at an eighth."""
    shape = (800, 1000)
    y, x = np.mgrid[: shape[0], : shape[1]]
    picture = np.random.default_rng(1).normal(100, 4, shape).astype(np.float32)
    places = scattered(12, shape, margin=60, apart=120)
    for star_x, star_y in places:
        far = np.hypot(x - star_x, y - star_y)
        picture[(far < 12) & (far > 8)] += 25
    last = planned(picture=picture)[-1]
    assert last.schedule.label.startswith("other indexes, eighth size")
    assert len(last.stars) == len(places)
    assert len(detect_sources(from_array(picture), DetectionSettings(1))) > 2 * len(places)


def test_the_user_s_binning_replaces_every_other(detections: list[DetectionSettings]) -> None:
    planned(params=SolveParams(downsample=3))
    assert {settings.binning for settings in detections} == {3}


@pytest.mark.parametrize(("asked", "used"), [(None, 2), (1, 2), (2, 2), (3, 4)])
def test_a_bayer_mosaic_is_binned_by_an_even_factor(
    asked: int | None, used: int, detections: list[DetectionSettings]
) -> None:
    """At an odd factor its colours would look like a pattern of stars."""
    image = from_array(PICTURE, {"BAYERPAT": "RGGB"})
    list(strategy.plan_attempts(StarExtractor(image), SolveParams(downsample=asked), Hints(), TYCHO))
    assert {e.binning for e in detections} == {used, 8} if asked is None else {used}


def test_the_largest_number_of_stars_holds_for_every_attempt() -> None:
    assert {len(a.stars) for a in planned(params=SolveParams(max_stars=9))} == {9}


@pytest.mark.parametrize("changes", [{"tweak_order": 0}, {"tweak_order": 4}, {"crpix_center": True}])
def test_parameters_of_the_fit_reach_every_attempt(changes: dict[str, Any]) -> None:
    for attempt in planned(Hints(scales=(SCALE,)), SolveParams(**changes)):
        assert {name: getattr(attempt, name) for name in changes} == changes


def test_without_a_wish_the_engine_fits_no_distortion() -> None:
    """Its fit takes most of its time, and the distortion is fitted again afterwards."""
    assert {a.tweak_order for a in planned(Hints(scales=(SCALE,), positions=(PLACE,)))} == {1}
