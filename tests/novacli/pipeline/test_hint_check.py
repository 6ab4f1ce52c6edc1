"""What a solution says of the hints that it did not need."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from novacli.batch.run import sequence_hints
from novacli.pipeline.hint_check import refuted
from novacli.rigs import store
from novacli.solution.reading import Calibration

FOUND = Calibration(
    ra=187.2, dec=56.7, radius=1.8, pixscale=10.0, orientation=0.0, parity=1.0, width_arcsec=1e4, height_arcsec=8e3,
    up_deg_e_of_n=0.0,
)  # fmt: skip


def scale(low: float, high: float, source: str = "FOCALLEN + XPIXSZ") -> dict[str, Any]:
    return {"kind": "scale", "low_arcsec": low, "high_arcsec": high, "source": source}


def position(ra: float, dec: float, radius: float, source: str = "--ra/--dec") -> dict[str, Any]:
    return {"kind": "position", "ra": ra, "dec": dec, "radius": radius, "source": source}


@pytest.mark.parametrize(
    "hint",
    [
        scale(9, 11),
        scale(10.05, 12),  # by less than lenses are known
        position(187.2, 50.0, 15.0),
        {"kind": "wcs", "source": "WCS"},
        {"kind": "parity", "parity": -1.0},
        scale(1, 2, store.SOURCE),
        position(0, 0, 1, sequence_hints.SOURCE),
    ],
)
def test_hints_that_are_right_or_of_no_one_are_passed_over(hint: dict[str, Any]) -> None:
    assert list(refuted([hint], FOUND)) == []


@pytest.mark.parametrize(
    ("hint", "note"),
    [
        (scale(4, 5.5), 'the scale by FOCALLEN + XPIXSZ is wrong: 4 to 5.5"/pixel, and it is 10"'),
        (scale(12.3456, 12.3456), 'the scale by FOCALLEN + XPIXSZ is wrong: 12.35"/pixel, and it is 10"'),
        (position(187.2, -3.3, 15), "the position by --ra/--dec is wrong: the centre is 60° from there"),
    ],
)
def test_a_hint_that_is_wrong_is_told_with_what_is_so(hint: dict[str, Any], note: str) -> None:
    assert list(refuted([hint], FOUND)) == [note]


def test_one_hint_of_a_kind_that_is_right_excuses_the_others() -> None:
    """A focal length with a pixel size is read in two ways where pixels are binned."""
    assert list(refuted([scale(4, 5), scale(9, 11), position(0, 0, 1), position(187.2, 56.0, 1)], FOUND)) == []
    assert len(list(refuted([scale(4, 5), scale(2, 3), position(0, 0, 1)], FOUND))) == 2


def test_right_ascensions_are_compared_across_0_hours() -> None:
    found = dataclasses.replace(FOUND, ra=359.9, dec=0.0)
    assert list(refuted([position(0.1, 0.0, 1.0)], found)) == []
