"""The stars that an image shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from novacli.demo.catalogue import Catalogue
from novacli.demo.population import (
    DROPPED_FRACTION,
    MAGNITUDE_SCATTER,
    DrawnStars,
    completeness_mag,
    populate,
    star_count,
)
from novacli.demo.projection import Projection, direction
from novacli.demo.scene import Scene
from novacli.errors import UsageError

from .conftest import COMPLETE_MAG, random_sky


def _populate(scene: Scene, catalogue: Catalogue) -> DrawnStars:
    return populate(scene, Projection.of(scene), catalogue, np.random.default_rng(scene.seed))


def test_a_few_per_cent_of_the_catalogue_are_dropped(sky: Catalogue) -> None:
    scene = Scene(100, 30, width_deg=20)
    drawn = _populate(scene, sky)
    stars = sky.around(direction(100, 30), Projection.of(scene).reach_rad)
    x, _ = Projection.of(scene).sky_to_pixel(stars.directions)
    share = 1 - drawn.catalogued / np.count_nonzero(np.isfinite(x))
    assert share == pytest.approx(DROPPED_FRACTION, abs=0.015)


def test_magnitudes_scatter_as_another_bandpass_would(write_index: Callable[..., Path]) -> None:
    directions, magnitudes = random_sky(200_000)
    catalogue = Catalogue.open(write_index(directions, np.full_like(magnitudes, 8.0)))
    drawn = _populate(Scene(0, 0, width_deg=30, limit_mag=7), catalogue)
    magnitudes = drawn.magnitudes[: drawn.catalogued]
    assert magnitudes.mean() == pytest.approx(8, abs=0.05)
    assert magnitudes.std() == pytest.approx(MAGNITUDE_SCATTER, rel=0.1)


def test_counts_beyond_the_catalogue_follow_the_skys_slope(sky: Catalogue) -> None:
    """The ratio of counts one and two magnitudes beyond the catalogue's limit is that of the mean sky."""
    drawn = _populate(Scene(200, -20, width_deg=10, limit_mag=12.5), sky)
    counts = [np.count_nonzero((drawn.magnitudes >= m) & (drawn.magnitudes < m + 1)) for m in (10.5, 11.5, 12.5)]
    expected = np.diff(star_count(np.array([10.5, 11.5, 12.5, 13.5])))
    np.testing.assert_allclose(np.array(counts) / counts[0], expected / expected[0], rtol=0.1)
    assert 0.3 < np.log10(counts[1] / counts[0]) < 0.45


def test_some_bright_stars_are_not_in_the_catalogue(sky: Catalogue) -> None:
    drawn = _populate(Scene(200, -20, width_deg=20, limit_mag=8), sky)
    strangers = drawn.magnitudes[drawn.catalogued :]
    assert 0.01 < np.count_nonzero(strangers < 9) / np.count_nonzero(drawn.magnitudes < 9) < 0.08


def test_added_stars_are_crowded_like_the_catalogue(write_index: Callable[..., Path]) -> None:
    directions, magnitudes = random_sky(300_000)
    # Nine stars out of ten are missing south of the equator.
    kept = (directions[:, 2] > 0) | (np.arange(len(directions)) % 10 == 0)
    catalogue = Catalogue.open(write_index(directions[kept], magnitudes[kept]))
    drawn = _populate(Scene(0, 0, width_deg=20, limit_mag=11), catalogue)
    added_y = drawn.y[drawn.catalogued :]
    north, south = np.count_nonzero(added_y > 434.5), np.count_nonzero(added_y < 334.5)
    assert 5 < north / south < 20


def test_positions_scatter_by_a_fraction_of_an_arcsecond(sky: Catalogue) -> None:
    scene = Scene(100, 30, width_deg=1)
    projection = Projection.of(scene)
    drawn = _populate(scene, sky)
    stars = sky.around(direction(100, 30), projection.reach_rad)
    x, y = projection.sky_to_pixel(stars.directions)
    n = drawn.catalogued
    nearest = np.nanmin(np.hypot(drawn.x[:n, None] - x, drawn.y[:n, None] - y), axis=1)
    assert 0 < np.median(nearest) * scene.pixscale_arcsec < 1


def test_completeness_is_where_the_counts_are_highest(sky: Catalogue) -> None:
    assert completeness_mag(np.asarray(sky.magnitudes, float)) == pytest.approx(COMPLETE_MAG, abs=0.3)


def test_an_empty_sky_gives_no_stars(write_index: Callable[..., Path]) -> None:
    one = Catalogue.open(write_index(direction(0, -90)[None, :], np.array([5.0])))
    assert len(_populate(Scene(0, 80), one).x) == 0


def test_more_stars_than_an_image_can_show_are_refused(sky: Catalogue) -> None:
    with pytest.raises(UsageError, match="--limit"):
        _populate(Scene(0, 0, width_deg=60, limit_mag=20), sky)
