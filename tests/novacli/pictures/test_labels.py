"""Labels never overlap, stay in the picture, and the important ones win."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import ImageFont

from novacli.catalog.deep_sky import deep_sky_objects
from novacli.catalog.sky_object import Kind
from novacli.catalog.stars import names_by_hip
from novacli.pictures.labels import Label, LabelPlacer, LabelRequest
from novacli.pictures.lettering import FONT_FILE, text_width


def overlaps(one: Label, other: Label) -> bool:
    (left, top, right, bottom), box = one.box, other.box
    return left < box[2] and box[0] < right and top < box[3] and box[1] < bottom


def request(x: float, y: float, text: str, rank: float = 0.0) -> LabelRequest:
    return LabelRequest(x, y, 8.0, text, "star", 16.0, rank)


@pytest.mark.parametrize("count", [20, 200, 500])
def test_no_two_labels_overlap(count: int) -> None:
    rng = np.random.default_rng(count)
    placer = LabelPlacer(1600, 1000)
    assert placer.put("reserved", "grid", 20.0, (700.0, 500.0))
    places = zip(rng.uniform(-20, 1620, count), rng.uniform(-20, 1020, count), strict=True)
    placer.place(request(x, y, f"NGC {n} of the field", n) for n, (x, y) in enumerate(places))
    assert len(placer.labels) > min(count, 150) * 0.6
    assert not any(overlaps(one, other) for one, other in itertools.combinations(placer.labels, 2))
    boxes = np.array([label.box for label in placer.labels])
    assert boxes.min() >= 0
    assert boxes[:, 2].max() <= 1600
    assert boxes[:, 3].max() <= 1000


def test_the_important_label_wins_whatever_the_order() -> None:
    """Thirty stars at one place: the first by rank is there, and has the best place."""
    for requests in (range(30), reversed(range(30))):
        placer = LabelPlacer(400, 300)
        placer.place(request(200, 150, f"star {n}", n) for n in requests)
        assert placer.labels[0].text == "star 0"
        assert placer.labels[0].box[0] > 200


def test_labels_avoid_what_is_drawn() -> None:
    placer = LabelPlacer(400, 300)
    line = np.stack([np.linspace(205, 390, 100), np.full(100, 150.0)], axis=1)
    placer.add_weight(line, 40.0)
    placer.place([request(200, 150, "beside a line")])
    box = placer.labels[0].box
    assert box[3] <= 152 or box[1] >= 148 or box[2] < 205


def test_the_font_has_all_letters_of_all_labels() -> None:
    font = ImageFont.truetype(str(FONT_FILE), 20)
    missing = bytes(font.getmask("\ufffe"))
    labels = {o.label for o in deep_sky_objects(-90, 90) if o.kind is not Kind.OTHER}
    labels |= {word for name, words in names_by_hip().values() for word in (*name, *words)}
    letters = set("".join(labels) + "0123456789°′″ʰᵐˢ+−×=.;:()") - {" "}
    assert sorted(letter for letter in letters if bytes(font.getmask(letter)) == missing) == []


def test_widths_grow_with_the_size_and_the_text() -> None:
    assert text_width("MM", 20) == pytest.approx(2 * text_width("M", 20))
    assert text_width("M", 40) == pytest.approx(2 * text_width("M", 20))
