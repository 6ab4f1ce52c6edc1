"""Whole images and the truth about them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from novacli.demo import population
from novacli.demo.catalogue import Catalogue, Stars, find_index
from novacli.demo.drawing import Drawing, draw
from novacli.demo.projection import direction
from novacli.demo.psf import Psf, add_stars
from novacli.demo.scene import Camera, Scene
from solvehost.indexes.index_set import IndexSet

from .test_projection import astropy_wcs

SCENE = Scene(150, 40, width_px=400, height_px=300, seed=3, trail=False)
#: Of the empty sky, in counts: shot and read noise of the default camera.
NOISE_ADU = 26.0


@pytest.fixture(scope="module")
def drawing(sky: Catalogue) -> Drawing:
    return draw(SCENE, sky)


def _differ(one: Drawing, other: Drawing) -> float:
    return float(np.mean(one.pixels != other.pixels))


def test_equal_scenes_give_equal_images(drawing: Drawing, sky: Catalogue) -> None:
    again = draw(SCENE, sky)
    np.testing.assert_array_equal(again.pixels, drawing.pixels)
    assert again.truth == drawing.truth


def test_another_seed_gives_another_image(drawing: Drawing, sky: Catalogue) -> None:
    assert _differ(draw(dataclasses.replace(SCENE, seed=4), sky), drawing) > 0.9


def test_trail_changes_only_the_pixels_near_it(drawing: Drawing, sky: Catalogue) -> None:
    crossed = draw(dataclasses.replace(SCENE, trail=True), sky)
    assert crossed.truth.trail
    assert 0 < _differ(crossed, drawing) < 0.2


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("rotation_deg", "distortion", "width_deg"), [(0, 0, 3), (77, 3, 10), (200, -4, 40)])
def test_stars_are_at_the_pixels_of_the_true_wcs(
    sky: Catalogue, rotation_deg: float, distortion: float, width_deg: float, *, mirrored: bool
) -> None:
    """Centroids of bright isolated stars are within half a pixel, except one that another star may touch."""
    scene = dataclasses.replace(
        SCENE, rotation_deg=rotation_deg, distortion_percent=distortion, width_deg=width_deg, mirrored=mirrored
    )
    scene = dataclasses.replace(scene, width_px=1000, height_px=700)
    pixels, truth = draw(scene, sky)
    counts = pixels - np.median(pixels)
    offsets = [_centroid_offset(counts, x, y) for x, y in _bright_pixels(sky, scene, truth.wcs)]
    drawn = [o for o in offsets if o is not None]
    assert len(drawn) >= 4
    assert np.sort(drawn)[-2] < 0.5
    assert truth.parity == (1 if mirrored else -1)


def _centroid_offset(counts: NDArray[np.floating], x: float, y: float) -> float | None:
    """Return the distance of the centroid around a FITS pixel from it; None if the star was dropped."""
    column, row = round(x) - 1, round(y) - 1
    window = np.clip(counts[row - 4 : row + 5, column - 4 : column + 5] - 4 * NOISE_ADU, 0, None)
    rows, columns = np.indices(window.shape) - 4
    if window.sum() < 2000:
        return None
    dx, dy = ((window * axis).sum() / window.sum() for axis in (columns, rows))
    return float(np.hypot(column + 1 + dx - x, row + 1 + dy - y))


def _bright_pixels(sky: Catalogue, scene: Scene, cards: dict[str, str | int | float]) -> list[tuple[float, float]]:
    """Return the pixels of the brightest isolated catalogue stars, by astropy."""
    stars = sky.around(direction(scene.ra_deg, scene.dec_deg), np.radians(scene.half_diagonal_deg))
    stars = Stars(*(v[stars.magnitudes < scene.depth_mag] for v in (stars.directions, stars.magnitudes)))
    ra = np.degrees(np.arctan2(stars.directions[:, 1], stars.directions[:, 0]))
    dec = np.degrees(np.arcsin(stars.directions[:, 2]))
    x, y = astropy_wcs(cards).all_world2pix(ra, dec, 1, quiet=True)
    inside = (x > 20) & (x < scene.width_px - 20) & (y > 20) & (y < scene.height_px - 20)
    bright = [i for i in np.argsort(stars.magnitudes) if inside[i]][:12]
    alone = [i for i in bright if np.sort(np.hypot(x - x[i], y - y[i]))[1] > 14]
    return [(float(x[i]), float(y[i])) for i in alone]


def test_truth_states_the_scene_as_json(drawing: Drawing) -> None:
    truth = json.loads(json.dumps(drawing.truth.as_json()))
    assert (truth["ra"], truth["dec"], truth["width_deg"], truth["size"]) == (150, 40, 10, [400, 300])
    assert truth["pixscale_arcsec"] == pytest.approx(10 * 3600 / 400, rel=0.01)
    assert truth["wcs"]["CTYPE1"] == "RA---TAN"
    assert truth["wcs"]["CRPIX1"] == 200.5
    assert truth["stars_catalogue"] > 100
    assert truth["drawing_version"] == 1


def test_star_at_the_limit_has_a_signal_to_noise_ratio_of_five(
    write_index: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured with the profile as the weight, over many images."""
    monkeypatch.setattr(population, "MAGNITUDE_SCATTER", 0.0)
    monkeypatch.setattr(population, "DROPPED_FRACTION", 0.0)
    centre = direction(SCENE.ra_deg, SCENE.dec_deg)
    catalogue = Catalogue.open(write_index(centre[None, :], np.array([9.0])))
    quiet = dataclasses.replace(SCENE, limit_mag=9.0, camera=Camera(hot_pixel_fraction=0.0))
    signals = []
    for seed in range(20):
        pixels, truth = draw(dataclasses.replace(quiet, seed=seed), catalogue)
        window = pixels[143:158, 193:208] - pixels[130:171, 180:221].mean()
        weight = np.zeros((15, 15), np.float32)
        psf = Psf(truth.fwhm_px, (7.5, 7.5), 250)
        add_stars(weight, np.array([7.5]), np.array([7.5]), np.array([1e6]), psf, 1.0)
        signals.append((window * weight).sum() / (NOISE_ADU * np.sqrt((weight**2).sum())))
    assert np.mean(signals) == pytest.approx(5, abs=0.6)


def test_full_cloud_cover_hides_nearly_all_stars(sky: Catalogue) -> None:
    clear, clouded = (draw(dataclasses.replace(SCENE, clouds=c), sky).pixels.astype(float) for c in (0.0, 1.0))
    bright = [np.count_nonzero(p - np.median(p) > 500) for p in (clear, clouded)]
    assert bright[1] < 0.05 * bright[0]


@pytest.mark.engine
def test_orions_belt_is_three_bright_stars_in_a_line(real_indexes: IndexSet) -> None:
    catalogue = Catalogue.open(find_index(real_indexes.searched))
    pixels, truth = draw(Scene(84.0, -3.0, trail=False), catalogue)
    belt = [(85.1897, -1.9426), (84.0534, -1.2019), (83.0017, -0.2991)]
    places = [tuple(round(float(v)) for v in astropy_wcs(truth.wcs).all_world2pix(*star, 1)) for star in belt]
    assert all(pixels[y - 1, x - 1] > 30_000 for x, y in places)
    assert [x for x, _ in places] == sorted(x for x, _ in places)
