"""What a user may ask: ranges, units, and the words for parity."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novacli.errors import UsageError
from novacli.records.params import Position, Scale, ScaleUnit, SolveParams
from novacli.records.parity import Parity


@pytest.mark.parametrize(("word", "sign"), [("neg", 1), ("pos", -1)])
def test_parity_words_are_solve_fields_own_and_run_against_the_determinant(word: str, sign: int) -> None:
    """``neg`` finds an unmirrored JPEG, whose det(CD) is above zero."""
    parity = Parity.from_word(word)
    assert parity is not None
    assert parity.value == sign
    assert parity.word == word


def test_both_parities_are_none_in_particular() -> None:
    assert Parity.from_word("both") is None


def test_an_unknown_parity_is_refused() -> None:
    with pytest.raises(UsageError, match="use pos, neg or both"):
        Parity.from_word("left")


@pytest.mark.parametrize(
    ("unit", "value", "arcsec_per_pixel"),
    [
        (ScaleUnit.ARCSEC_PER_PIXEL, 2.5, 2.5),
        (ScaleUnit.DEG_WIDTH, 2.0, 7.2),
        (ScaleUnit.ARCMIN_WIDTH, 30.0, 1.8),
        (ScaleUnit.FOCAL_MM, 18.0, 324.0),  # 36 mm of film behind 18 mm: 90 degrees
    ],
)
def test_each_unit_means_the_same_on_1000_pixels(unit: ScaleUnit, value: float, arcsec_per_pixel: float) -> None:
    low, high = Scale(value, value, unit).arcsec_per_pixel(1000)
    assert low == high == pytest.approx(arcsec_per_pixel)


def test_a_longer_focal_length_is_a_smaller_scale() -> None:
    low, high = Scale(50, 200, ScaleUnit.FOCAL_MM).arcsec_per_pixel(1000)
    assert low is not None
    assert high is not None
    assert low < high
    assert Scale(50, None, ScaleUnit.FOCAL_MM).arcsec_per_pixel(1000) == (None, high)


def test_an_open_end_stays_open() -> None:
    assert Scale(None, 3.6).arcsec_per_pixel(3600) == (None, pytest.approx(3.6))


@given(st.floats(1e-3, 1e3), st.floats(0.1, 99.9))
def test_an_estimate_lies_in_the_middle_of_its_range(estimate: float, percent: float) -> None:
    scale = Scale.from_estimate(estimate, percent, ScaleUnit.ARCSEC_PER_PIXEL)
    assert scale.low is not None
    assert scale.high is not None
    assert 0 < scale.low < estimate < scale.high
    assert (scale.low + scale.high) / 2 == pytest.approx(estimate)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scale(3, 2), "3 to 2 is upside down: its lower end comes first"),
        (lambda: Scale(0, 2), "lower scale 0 is not above zero"),
        (lambda: Scale(None, -1), "upper scale -1 is not above zero"),
        (lambda: Scale(math.nan, 1), "lower scale nan is not above zero"),
        (lambda: Scale(1, math.inf), "upper scale inf is not above zero"),
        (lambda: Scale.from_estimate(1, 100, ScaleUnit.DEG_WIDTH), "outside 0 to 100"),
        (lambda: Scale.from_estimate(1, math.nan, ScaleUnit.DEG_WIDTH), "outside 0 to 100"),
        (lambda: Scale.from_estimate(-1, 20, ScaleUnit.DEG_WIDTH), "-1 is not above zero"),
        (lambda: Position(361, 0), "right ascension 361 is outside 0 to 360 degrees"),
        (lambda: Position(math.nan, 0), "right ascension nan"),
        (lambda: Position(0, 95), "declination 95 is outside -90 to 90 degrees"),
        (lambda: Position(0, 0, 0), "search radius 0 is outside"),
        (lambda: Position(0, 0, 181), "search radius 181 is outside"),
        (lambda: SolveParams(downsample=0), "downsample factor 0 is outside 1 to 64"),
        (lambda: SolveParams(tweak_order=10), "tweak order 10 is outside"),
        (lambda: SolveParams(max_stars=3), "3 stars are too few"),
        (lambda: SolveParams(timeout_s=0), "time-out 0 is not above zero"),
        (lambda: SolveParams(timeout_s=math.nan), "time-out nan is not above zero"),
    ],
)
def test_what_is_out_of_range_is_refused_with_what_to_check(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def test_the_limits_themselves_are_fine() -> None:
    assert Position(360, -90, 180).radius_deg == 180
    assert Scale(2, 2).low == 2
    assert SolveParams(downsample=64, tweak_order=0, max_stars=4).tweak_order == 0


@pytest.mark.parametrize(
    "params",
    [
        SolveParams(),
        SolveParams(scale=Scale(1, 2, ScaleUnit.FOCAL_MM), position=Position(10, -20, 3), parity=Parity.POSITIVE),
        SolveParams(
            scale=Scale(None, 2), blind=True, fallback=False, downsample=3, size=(640, 480), indexes=("a", "b")
        ),
    ],
)
def test_parameters_survive_json(params: SolveParams) -> None:
    assert SolveParams.from_json(json.loads(json.dumps(params.to_json()))) == params


@pytest.mark.parametrize(
    "change", [{"mood": 1}, {"scale": 3}, {"parity": 7}, {"position": {"ra_deg": 1}}, {"size": [1]}]
)
def test_parameters_of_another_version_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"not understood|takes"):
        SolveParams.from_json({**SolveParams().to_json(), **change})
