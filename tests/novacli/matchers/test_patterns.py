"""Wide fields are recognised by patterns of their brightest stars."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
from made_patterns import HEIGHT, WIDTH, make_database, stars_seen

from novacli import config
from novacli.matchers import database, patterns
from novacli.matchers.patterns import PatternMatcher, installed_matcher
from novacli.records.hints import ScaleHint
from novacli.records.parity import Parity
from novacli.records.provenance import Provenance
from solvehost.formats.star_table import Stars
from solvehost.indexes import sphere

CENTER_DEG = (83.0, 5.0)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(database, "NARROWEST_DEG", 45.0)
    return tmp_path / "patterns.bin"


@pytest.fixture
def catalogue(file: Path) -> Any:
    return make_database(file)


def scale_of(width_deg: float) -> float:
    """Return the scale, arcsec/pixel, at the centre of a pinhole camera's field."""
    return math.degrees(2 * math.tan(math.radians(width_deg / 2)) / WIDTH) * 3600


@pytest.mark.parametrize("parity", Parity)
@pytest.mark.parametrize("turned_deg", [0.0, 130.0])
def test_a_field_of_unknown_width_is_recognised(catalogue: Any, file: Path, parity: Parity, turned_deg: float) -> None:
    stars = stars_seen(catalogue, CENTER_DEG, 52.0, parity, turned_deg)
    found = PatternMatcher(file).propose(stars, WIDTH, HEIGHT)
    assert found is not None
    assert found.parity is parity
    position = found.positions[0].position
    assert sphere.separation_deg((position.ra_deg, position.dec_deg), CENTER_DEG) < 0.1
    assert 1 < position.radius_deg < 5
    scale = found.scales[0]
    assert scale.low_arcsec_per_pixel < scale_of(52.0) < scale.high_arcsec_per_pixel
    assert {scale.provenance, found.positions[0].provenance} == {Provenance.PATTERN}


def test_the_order_of_the_list_decides_which_stars_make_patterns(catalogue: Any, file: Path) -> None:
    """Twelve stars that are no stars end the search if they come first, however faint they are."""
    stars = stars_seen(catalogue, CENTER_DEG, 52.0, Parity.POSITIVE)
    noise = [(97.0 * n % WIDTH + 1, 61.0 * n % HEIGHT + 1) for n in range(1, 13)]
    x, y = stars.x[:0], stars.y[:0]
    x.extend([*(place[0] for place in noise), *stars.x])
    y.extend([*(place[1] for place in noise), *stars.y])
    flux = stars.flux[:0]
    flux.extend([*([0.1] * 12), *stars.flux])
    matcher = PatternMatcher(file)
    assert matcher.propose(Stars(x, y, flux), WIDTH, HEIGHT) is None
    assert matcher.propose(stars, WIDTH, HEIGHT) is not None


def test_a_scale_that_excludes_the_field_finds_nothing(catalogue: Any, file: Path) -> None:
    stars = stars_seen(catalogue, CENTER_DEG, 52.0, Parity.POSITIVE)
    matcher = PatternMatcher(file)
    right = ScaleHint(0.95 * scale_of(52.0), 1.05 * scale_of(52.0), "test")
    narrow = ScaleHint(1.0, 2.0, "test")
    assert matcher.propose(stars, WIDTH, HEIGHT, [right]) is not None
    assert matcher.propose(stars, WIDTH, HEIGHT, [narrow]) is None


def test_the_widths_that_are_tried_cover_the_database_without_gaps() -> None:
    widths = list(patterns._widths_deg(1000, 800, ()))
    reach = [(w * (1 - patterns._WIDTH_TOLERANCE), w * (1 + patterns._WIDTH_TOLERANCE)) for w in widths]
    assert reach[0][0] <= database.NARROWEST_DEG
    assert reach[-1][1] >= database.WIDEST_DEG
    assert all(after[0] <= before[1] for before, after in itertools.pairwise(reach))
    assert len(widths) < 13


def test_a_known_scale_leaves_few_widths() -> None:
    [width_deg] = patterns._widths_deg(1000, 800, [ScaleHint(70.0, 74.0, "test")])
    assert width_deg == pytest.approx(19.8, abs=0.3)


@pytest.mark.parametrize("content", [None, b"", b"T3DB no database"])
def test_a_missing_or_damaged_database_proposes_nothing(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "patterns.bin"
    if content is not None:
        file.write_bytes(content)
    assert PatternMatcher(file).propose(Stars.empty(), WIDTH, HEIGHT) is None


def test_there_is_a_matcher_if_there_is_a_database_and_the_setting_allows_it(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path)}
    settings = config.load(env)
    assert installed_matcher(settings) is None
    file = database.database_file(settings.folders)
    file.parent.mkdir(parents=True)
    file.touch()
    assert installed_matcher(settings) is not None
    assert installed_matcher(config.load({**env, "NOVA_PATTERNS": "false"})) is None
