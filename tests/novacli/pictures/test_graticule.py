"""Lines of right ascension and declination."""

from __future__ import annotations

import numpy as np
import pytest

from novacli.pictures.canvas import Canvas
from novacli.pictures.graticule import dec_text, draw_graticule, ra_text, sky_range
from novacli.pictures.viewport import Viewport, make_viewport
from novacli.wcs.tansip import TanSip


def viewport(ra: float, dec: float, width_deg: float, turn_deg: float = 0.0, parity: int = 1) -> Viewport:
    scale, turn = width_deg / 600, np.radians(turn_deg)
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    solution = TanSip((ra, dec), (300.5, 200.5), ((-parity * cos, sin), (parity * sin, cos)), 600, 400)
    return make_viewport(solution, width=1200, longer_side=0, is_fits_like=True)


@pytest.mark.parametrize(("ra", "step", "text"), [
    (65.0, 1200, "4ʰ20ᵐ"), (359.9999999, 3600, "0ʰ"), (-15.0, 7200, "23ʰ"), (10.0, 30, "0ʰ40ᵐ00ˢ"),
    (0.5 / 240, 0.5, "0ʰ00ᵐ00.5ˢ"),
])  # fmt: skip
def test_right_ascensions_as_text(ra: float, step: float, text: str) -> None:
    assert ra_text(ra, step) == text


@pytest.mark.parametrize(("dec", "step", "text"), [
    (41.5, 0.5, "+41°30′"), (-0.5, 0.5, "−0°30′"), (0.0, 1, "0°"), (-80, 10, "−80°"), (89.75, 1 / 240, "+89°45′00″"),
])  # fmt: skip
def test_declinations_as_text(dec: float, step: float, text: str) -> None:
    assert dec_text(dec, step) == text


@pytest.mark.parametrize(
    ("view", "wanted"),
    [
        (viewport(56, 24, 10), {"+24°", "+26°", "3ʰ40ᵐ"}),
        (viewport(56, 24, 10, turn_deg=130, parity=-1), {"+24°", "+26°", "3ʰ40ᵐ"}),
        (viewport(0.01, 0, 3), {"0°00′", "0ʰ00ᵐ", "23ʰ56ᵐ"}),
        (viewport(100, 89.5, 5), {"0ʰ", "6ʰ", "12ʰ", "18ʰ"}),
        (viewport(100, -90, 60, turn_deg=200), {"0ʰ", "6ʰ", "12ʰ", "18ʰ", "−80°"}),
        (viewport(250, -30, 80), {"16ʰ", "−30°", "−45°"}),
        (viewport(10, 41, 0.05), {"+41°00′30″"}),
    ],
    ids=["10 degrees", "turned and mirrored", "across 0h", "north pole", "south pole", "80 degrees", "3 arcmin"],
)
def test_lines_are_labelled_where_they_enter(view: Viewport, wanted: set[str]) -> None:
    canvas = Canvas(view.width, view.height)
    draw_graticule(canvas, view)
    texts = [label.text for label in canvas.labels]
    assert wanted - set(texts) == set()
    assert len(texts) == len(set(texts))
    assert len(texts) <= 26


def test_a_pole_in_the_picture_has_all_right_ascensions() -> None:
    assert sky_range(viewport(100, 89.5, 5)).ra_reach == 180
    assert sky_range(viewport(100, 89.5, 5)).dec_high == 90
    assert sky_range(viewport(100, 70, 5)).ra_reach < 12


def test_lines_of_declination_pass_through_their_places() -> None:
    """The path of each line is on the parallel: the distance from the pole is the same at all of its points."""
    view = viewport(100, 89.5, 5)
    canvas = Canvas(view.width, view.height)
    draw_graticule(canvas, view)
    points = [tuple(map(float, point.split())) for point in canvas.shapes[0].path[1:].split("L")]
    declinations = [view.to_sky(x, y)[1] for x, y in points]
    assert np.ptp(declinations) < 0.002
