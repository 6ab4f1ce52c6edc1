"""Compass and scale bar."""

from __future__ import annotations

import pytest

from novacli.pictures.canvas import Canvas
from novacli.pictures.furniture import angle_text, draw_compass, draw_scale_bar
from novacli.pictures.viewport import make_viewport
from novacli.text.angles import separation_deg
from novacli.wcs.tansip import TanSip


@pytest.mark.parametrize(
    ("parity", "is_fits_like", "east"), [(1, True, -1), (-1, True, 1), (1, False, -1), (-1, False, 1)]
)
def test_the_compass_shows_north_and_east(parity: int, is_fits_like: bool, east: int) -> None:
    """Of an unmirrored sky, east is left of north; rows from the top turn north down."""
    solution = TanSip((80.0, -60.0), (300.5, 200.5), ((-parity * 0.01, 0.0), (0.0, 0.01)), 600, 400)
    viewport = make_viewport(solution, width=1600, longer_side=0, is_fits_like=is_fits_like)
    canvas = Canvas(viewport.width, viewport.height)
    draw_compass(canvas, viewport)
    places = {label.text: label.box for label in canvas.labels}
    assert set(places) == {"N", "E"}
    assert (places["E"][0] - places["N"][0]) * east > 30
    assert (places["E"][1] > places["N"][1]) == is_fits_like


def test_the_bar_has_the_length_that_it_states() -> None:
    solution = TanSip((10.0, 40.0), (300.5, 200.5), ((-0.005, 0.0), (0.0, 0.005)), 600, 400)
    viewport = make_viewport(solution, width=1600, longer_side=0, is_fits_like=True)
    canvas = Canvas(viewport.width, viewport.height)
    draw_scale_bar(canvas, viewport)
    xs = [float(point.split()[0]) for point in canvas.shapes[0].path[1:].split("L")]
    centre = viewport.height / 2
    half = (max(xs) - min(xs)) / 2
    ends = [viewport.to_sky(viewport.width / 2 + shift, centre) for shift in (-half, half)]
    assert canvas.labels[0].text == "30′"
    assert separation_deg(*ends[0], *ends[1]) * 60 == pytest.approx(30, rel=0.005)


@pytest.mark.parametrize(("arcsec", "text"), [(5, "5″"), (120, "2′"), (5400, "1.5°"), (108000, "30°")])
def test_angles_as_text(arcsec: float, text: str) -> None:
    assert angle_text(arcsec) == text
