"""Every picture of the registry: labels, contents, files."""

from __future__ import annotations

import itertools
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import made_results as made
import numpy as np
import pytest
from PIL import Image

from novacli.errors import UnavailableError
from novacli.exports.registry import SolvedField
from novacli.pictures import svg
from novacli.pictures.canvas import Canvas
from novacli.pictures.output import ENDINGS
from novacli.pictures.plotting import PlotOptions, plot
from novacli.pictures.registry import MODULES, Picture, all_pictures
from novacli.solution.tables import astropy_wcs

PICTURES = {picture.name: picture for picture in all_pictures()}
SMALL = PlotOptions(width=700, is_stretched=True, date=None, created="2024-05-01")
Draw = Callable[..., Canvas]


def circles(canvas: Canvas, style: str) -> np.ndarray:
    """Return (x, y, radius) of the circles of a style."""
    pattern = re.compile(r"M([-\d.]+) ([-\d.]+)a([\d.]+)")
    found = [tuple(map(float, m.groups())) for s in canvas.shapes if s.style == style if (m := pattern.match(s.path))]
    left, y, radius = np.array(found).T
    return np.stack([left + radius, y, radius], axis=1)


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_labels_never_overlap_and_stay_inside(picture: Picture, draw: Draw) -> None:
    for side in (1600, 500):
        canvas = draw(picture, longer_side=side)
        boxes = [label.box for label in canvas.labels]
        for one, other in itertools.combinations(boxes, 2):
            assert one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
        assert all(b[0] >= 0 and b[1] >= 0 and b[2] <= canvas.width and b[3] <= canvas.height for b in boxes)
        assert canvas.shapes


def test_pictures_are_named_after_their_modules() -> None:
    assert [name.rpartition(".")[2] for name in MODULES] == list(PICTURES)


@pytest.mark.parametrize("is_fits_like", [False, True])
def test_stars_are_marked_where_astropy_has_them(is_fits_like: bool, draw: Draw, field: SolvedField) -> None:
    """Mizar and Alkaid; their proper motion from J2000 to J2024 is below 0.02 pixel."""
    canvas = draw(PICTURES["annotated"], is_fits_like=is_fits_like)
    drawn = circles(canvas, "star")
    wcs = astropy_wcs(field.solution.tan_sip)
    for ra, dec in ((200.98142, 54.92535), (206.88516, 49.31327)):
        x, y = wcs.all_world2pix(ra, dec, 0)
        down = 507 - (y + 0.5) if is_fits_like else y + 0.5
        place = np.array([(x + 0.5) * 1600 / 719, down * 1128 / 507])
        assert np.hypot(*(drawn[:, :2] - place).T).min() < 0.2


def test_the_annotated_picture_names_what_is_known(draw: Draw) -> None:
    texts = {label.text for label in draw(PICTURES["annotated"]).labels}
    wanted = {"Mizar", "Dubhe", "M 51 Whirlpool Galaxy", "M 97 Owl Nebula", "N", "E", "5°", "12ʰ", "+60°"}
    assert wanted - texts == set()


def test_the_match_shows_residuals_and_counts(draw: Draw) -> None:
    canvas = draw(PICTURES["match"])
    assert len(circles(canvas, "source")) == 10 + 1  # one in the legend
    assert canvas.labels[0].text == "10 of 5 stars are matched"


def test_a_solution_without_distortion_says_so(draw: Draw, field: SolvedField) -> None:
    assert "largest arrow" in draw(PICTURES["distortion"]).labels[1].text
    object.__setattr__(field.solution, "tan_sip", made.solution_of(made.wcs_fits(sip=False)))
    assert [label.text for label in draw(PICTURES["distortion"]).labels] == ["the solution has no distortion"]


def test_the_map_of_the_sky_marks_the_place(draw: Draw) -> None:
    canvas = draw(PICTURES["sky"])
    texts = [label.text for label in canvas.labels]
    assert texts[0].startswith("12ʰ28ᵐ")
    assert {"Orion", "Crux", "Ursa Major"} - set(texts) == set()


@pytest.mark.parametrize("ending", ENDINGS)
def test_files_of_every_kind_are_written(ending: str, field: SolvedField, tmp_path: Path) -> None:
    target = tmp_path / f"a{ending}"
    plot(PICTURES["annotated"], field, SMALL, target)
    content = target.read_bytes()
    assert b"CC-BY-SA-4.0" in content or ending == ".pdf"
    if ending == ".pdf":
        assert content.startswith(b"%PDF")
    elif ending == ".svg":
        root = ET.fromstring(content)
        assert root.get("width") == "700"
        assert {"Mizar", "Dubhe"} <= {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
        assert content.count(b"data:") == 2
    else:
        with Image.open(target) as picture:
            assert (picture.size, picture.mode) == ((700, 494), "RGB")


def test_the_drawing_is_on_the_image(field: SolvedField, tmp_path: Path) -> None:
    """Lines are bright; elsewhere the image shows through."""
    target = tmp_path / "a.png"
    plot(PICTURES["grid"], field, SMALL, target)
    with Image.open(target) as picture:
        pixels = np.asarray(picture).astype(int)
    assert abs(np.median(pixels) - 75) < 3
    assert pixels.max() > 200


def test_the_width_can_be_chosen(field: SolvedField, tmp_path: Path) -> None:
    for width, size in ((0, (719, 507)), (300, (300, 212))):
        options = PlotOptions(width=width, is_stretched=True, date=None, created=None)
        plot(PICTURES["stars"], field, options, tmp_path / "a.png")
        with Image.open(tmp_path / "a.png") as picture:
            assert picture.size == size


def test_svg_is_written_without_resvg_and_others_name_the_extra(
    field: SolvedField, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    plot(PICTURES["grid"], field, SMALL, tmp_path / "a.svg")
    with pytest.raises(UnavailableError, match=r"pip install 'novacli\[pictures\]', or name the file .svg"):
        plot(PICTURES["grid"], field, SMALL, tmp_path / "a.png")


def test_texts_are_escaped() -> None:
    canvas = Canvas(200, 100)
    canvas.write((5, 5), "<a & b>", "grid", 20)
    assert "&lt;a &amp; b&gt;" in svg.overlay(canvas)
