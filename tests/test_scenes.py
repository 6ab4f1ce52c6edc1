"""Scenes for the benchmarks: they follow their seed, their truth is true, and every kind can be drawn."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import backgrounds
import cases
import overlays
import scenes
import truths
from cameras import FAULTS, OPTICS, SMEARS
from draft import Draft, convolved, path_kernel
from foregrounds import FOREGROUNDS
from overlays import OVERLAYS, Picture
from scenekinds import KINDS

from novacli.demo.catalogue import Catalogue
from novacli.demo.projection import Projection
from novacli.demo.psf import Psf
from novacli.demo.scene import STAR_COUNTS, Scene
from novacli.wcs import header
from solvehost.formats import fitsfile

#: Overlays that move the pixels of the sky.
MOVING = ("border", "crop", "enlarged", "reduced", "turned", "window")


@pytest.fixture(scope="module")
def sky() -> Catalogue:
    """Stars at random places, with the sky's number counts to magnitude 9.5."""
    rng = np.random.default_rng(5)
    directions = rng.normal(size=(200_000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    magnitudes, log_counts = np.array(STAR_COUNTS).T
    share = 10 ** np.interp(np.linspace(0, 9.5, 400), magnitudes, log_counts)
    drawn = np.interp(rng.uniform(share[0], share[-1], len(directions)), share, np.linspace(0, 9.5, 400))
    return Catalogue(Path("made"), "MAG", directions, drawn, np.zeros(3), 1.0)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make scenes small, so that they are drawn fast."""
    monkeypatch.setattr(scenes, "_SIZES_PX", ((200, 150),))


def test_effect_names_are_unique_and_known() -> None:
    tables = [FOREGROUNDS, SMEARS, OPTICS, FAULTS, OVERLAYS]
    names = [name for table in tables for name in table]
    assert len(set(names)) == len(names)
    assert {effect for kind in KINDS.values() for effect in kind.effects} <= set(names)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_drawn_and_written(kind: str, sky: Catalogue, tmp_path: Path) -> None:
    """The file has the size that its truth states."""
    scene = scenes.draw(3, 1, sky, kind)
    path = scenes.write(scene, tmp_path)
    (case,) = cases.from_paths([path])
    assert case.truth is not None
    assert case.truth.width_px == scene.truth["size"][0]
    if path.suffix == ".fits":
        assert fitsfile.read_primary_header(path)["NAXIS1"] == case.truth.width_px
    else:
        with Image.open(path) as image:
            assert list(image.size) == scene.truth["size"]


@pytest.mark.usefixtures("small")
def test_scenes_follow_their_seed_and_number(sky: Catalogue) -> None:
    once, again, other = (scenes.draw(seed, 1, sky) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once.picture, again.picture)
    assert once.truth == again.truth
    assert other.truth["ra"] != once.truth["ra"]
    kinds = [scenes.draw(1, number, sky).truth["kind"] for number in (1, 2, 1 + len(KINDS))]
    assert kinds == [*list(KINDS)[:2], next(iter(KINDS))]


@pytest.mark.usefixtures("small")
def test_foreground_does_not_move_the_stars(sky: Catalogue) -> None:
    """An effect has random numbers of its own, so two kinds of equal parameters show the same sky."""
    one, other = (scenes.draw(1, 1, sky, kind).truth for kind in ("tree", "wires"))
    assert (one["ra"], one["limit_mag"], one["wcs"]) == (other["ra"], other["limit_mag"], other["wcs"])


@pytest.mark.usefixtures("small")
def test_stars_can_be_drawn_in_a_real_picture(sky: Catalogue, tmp_path: Path) -> None:
    """Its bright half stays bright, its own star vanishes, and its leaves hide the stars behind them."""
    rng = np.random.default_rng(1)
    gray = np.full((150, 200), 60.0)
    gray[:, 100:] = 120
    gray[110:113, 30:33] = 255
    gray[:50, :50] = rng.uniform(0, 255, (50, 50))
    Image.fromarray(gray.astype(np.uint8)).save(tmp_path / "real.png")
    (path,) = backgrounds.pictures_in(tmp_path)
    draft = Draft(np.full((150, 200, 3), 100, np.float32), np.ones((150, 200), np.float32), 100, 10, 5, rng)
    backgrounds.add_background(draft, path)
    light = draft.light.mean(axis=2)
    assert light[100:, 120:].mean() > 3 * light[100:, :80].mean()
    assert light[111, 31] == pytest.approx(light[130, 50], rel=0.05)
    assert draft.clear[20, 20] == 0
    assert draft.clear[100, 150] == 1
    truth = scenes.draw(1, 1, sky, background=path).truth
    assert (truth["kind"], truth["background"]) == ("photograph", "real.png")


@pytest.mark.parametrize("name", MOVING)
def test_truth_moves_with_the_pixels(name: str) -> None:
    """A red spot is where the projection of the edited picture puts its position on the sky."""
    projection = Projection.of(Scene(80, 30, 40, 400, 300, rotation_deg=25, distortion_percent=3))
    spot = (215.0, 160.0)
    ra_deg, dec_deg = scenes._sky_at(projection, *spot)
    rows, columns = np.indices((300, 400)) + 1
    red = 255 * np.exp(-0.5 * np.hypot(columns - spot[0], rows - spot[1]) ** 2 / 9)
    image = Image.fromarray(np.stack([red, 0 * red, 0 * red], axis=2).astype(np.uint8))
    picture = Picture(image, projection, np.array([spot]), np.random.default_rng(8))
    OVERLAYS[name](picture)
    (x,), (y,) = picture.projection.sky_to_pixel(np.array([overlays.direction(ra_deg, dec_deg)]))
    rows, columns = np.indices(picture.size[::-1]) + 1
    near = np.hypot(columns - x, rows - y) < 30
    light = np.asarray(picture.image, float)[..., 0] * near
    found = ((light * columns).sum() / light.sum(), (light * rows).sum() / light.sum())
    assert (x, y) == pytest.approx(found, abs=0.2)
    if name != "turned":
        assert picture.stars_px[0] == pytest.approx(found, abs=0.2)


def test_truth_is_the_position_and_scale_of_the_written_wcs() -> None:
    """Calculated from the FITS cards by the package's own reader, off the lens's centre."""
    projection = Projection.of(Scene(80, 30, 30, 400, 300, rotation_deg=25, distortion_percent=3))
    projection = overlays.moved(projection, 1.5, 0.3, (-100.0, 40.0))
    size = (300, 200)
    truth = scenes._truth(projection, size)
    wcs = header.from_header({**truth["wcs"], "IMAGEW": size[0], "IMAGEH": size[1]})
    ra_deg, dec_deg = wcs.pixel_to_sky(150.5, 100.5)
    there = truths.Place(ra_deg, dec_deg, truth["pixscale_arcsec"], truth["parity"])
    assert truths.error(there, truths.Truth.of_drawing(truth)).center_px == pytest.approx(0, abs=1e-3)


def test_scale_tolerance_comes_from_the_truth() -> None:
    place = truths.Place(80.0, 30.0, 60.0, 1.0)
    answer = truths.Place(80.0, 30.0, 61.5, 1.0)
    assert not truths.error(answer, truths.Truth(place, 800)).is_small
    assert truths.error(answer, truths.Truth(place, 800, 0.04)).is_small


def test_convolution_keeps_light_and_position() -> None:
    light = np.zeros((40, 50, 3), np.float32)
    light[20, 30] = 100
    along = np.linspace(-4, 4, 50)
    smeared = convolved(light, path_kernel(along, 0 * along))[..., 0]
    assert smeared.sum() == pytest.approx(100, rel=1e-3)
    assert (smeared.sum(axis=0) * np.arange(50)).sum() / 100 == pytest.approx(30, abs=0.01)
    assert np.count_nonzero(smeared > 1) >= 8


def test_narrow_star_gives_each_pixel_the_light_on_its_area() -> None:
    """Much of a star half a pixel wide falls on one pixel; none is lost, wherever in the pixel the star is."""
    for x in (20.0, 20.3, 20.5):
        light = np.zeros((40, 40), np.float32)
        psf = Psf(0.8, (20.5, 20.5), 28.0)
        scenes._add_stars(light, np.array([x]), np.array([20.0]), np.array([1e4]), psf, 1.0)
        assert light.sum() == pytest.approx(1e4, rel=0.05)


def test_cases_draw_scenes_in_another_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in for ``scenes.py`` writes what the real one writes."""
    truth = {"ra": 1.0, "dec": 2.0, "pixscale_arcsec": 3.0, "parity": 1, "size": [4, 5], "scale_tol": 0.04}
    truth |= {"kind": "tree", "width_deg": 10.0, "stars_catalogue": 99}
    script = tmp_path / "scenes.py"
    script.write_text(
        "import sys, pathlib\npath = pathlib.Path(sys.argv[1], 'x' + sys.argv[3] + '.png')\n"
        f"path.with_name(path.name + '.truth.json').write_text({json.dumps(truth)!r})\nprint(path)\n"
    )
    monkeypatch.setattr(cases, "__file__", str(tmp_path / "cases.py"))
    first, second = cases.scenes(tmp_path, 2, 7)
    assert (first.name, second.name) == ("x--first=1.png", "x--first=2.png")
    assert first.truth == truths.Truth(truths.Place(1.0, 2.0, 3.0, 1), 4, 0.04)
    assert first.about == "tree, 10.0° wide, 99 stars"
    script.write_text("import sys; sys.exit('no stars today')")
    with pytest.raises(RuntimeError, match="scene 1 of seed 7 could not be drawn: no stars today"):
        next(cases.scenes(tmp_path, 1, 7))
