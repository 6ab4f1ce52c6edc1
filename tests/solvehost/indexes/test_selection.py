"""Selecting the index files for an attempt, by the scale of their quads."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standin import make_attempt, make_index

from solvehost.formats.axy import Attempt, Range, Schedule
from solvehost.formats.star_table import Stars
from solvehost.indexes.index_file import IndexFile
from solvehost.indexes.selection import overlaps, quad_range_arcmin, select

SERIES = tuple(make_index(f"index-{n}", 2.0 * 1.4**n, 2.0 * 1.4 ** (n + 1)) for n in range(20))


def chosen(scales: tuple[Range, ...] = (), width: int = 1000, height: int = 800, **schedule: object) -> list[IndexFile]:
    attempt = Attempt(width, height, Stars.empty(), scales_arcsec_per_pixel=scales, schedule=Schedule(**schedule))  # type: ignore[arg-type]
    return list(select(attempt, SERIES))


scales = st.tuples(st.floats(0.05, 500), st.floats(1, 3)).map(lambda pair: Range(pair[0], pair[0] * pair[1]))


@given(scales, st.integers(50, 20_000), st.integers(50, 20_000))
def test_the_files_are_those_whose_quads_fit_into_the_field(scale: Range, width: int, height: int) -> None:
    """From a tenth of the smaller side at the lower scale to the diagonal at the upper one, as in the engine."""
    shortest, longest = 0.1 * min(width, height) * scale.low / 60, math.hypot(width, height) * scale.high / 60
    expected = [f for f in SERIES if f.quads_arcmin.low <= longest and f.quads_arcmin.high >= shortest]
    assert chosen((scale,), width, height) == expected[::-1]


@given(st.lists(scales, min_size=1, max_size=4))
def test_several_scales_select_every_file_that_one_of_them_selects(several: list[Range]) -> None:
    assert set(chosen(tuple(several))) >= {f for scale in several for f in chosen((scale,))}


@given(st.lists(st.floats(1, 2000), min_size=1, max_size=6, unique=True), st.none() | scales)
def test_adjacent_windows_share_no_file_and_miss_none(bounds: list[float], scale: Range | None) -> None:
    """Every file that fits the field is in exactly one window."""
    stated = (scale,) if scale else ()
    edges = [0.0, *sorted(bounds), 1e5]
    parts = [chosen(stated, quads_arcmin=Range(*pair)) for pair in itertools.pairwise(edges)]
    together = [f for part in parts for f in part]
    assert len(together) == len(set(together))
    assert set(together) == set(chosen(stated))


def test_files_come_in_the_order_that_the_attempt_asks_for() -> None:
    coarse, fine = chosen(coarse_first=True), chosen(coarse_first=False)
    assert fine == coarse[::-1]
    assert [f.middle_arcmin for f in fine] == sorted(f.middle_arcmin for f in fine)


def test_without_a_scale_fields_of_every_width_are_considered() -> None:
    """From 0.1 to 180 degrees, as in the engine."""
    fitting = quad_range_arcmin(1000, 800, None)
    assert fitting == pytest.approx((0.1 * 0.8 * 0.1 * 60, 180 * 60 * math.hypot(1, 0.8)))
    assert len(chosen()) == len([f for f in SERIES if overlaps(f.quads_arcmin, fitting)]) > 15


def test_a_quad_fraction_narrows_the_choice() -> None:
    attempt = make_attempt()
    narrow = select(
        Attempt(1000, 800, attempt.stars, scales_arcsec_per_pixel=(Range(10, 10),), quad_fraction=Range(0.5, 0.6)),
        SERIES,
    )
    assert set(narrow) < set(chosen((Range(10, 10),)))


def test_no_file_fits_a_very_small_field() -> None:
    assert chosen((Range(0.01, 0.02),)) == []
