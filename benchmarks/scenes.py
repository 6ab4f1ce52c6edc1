#!/usr/bin/env python3
"""Draw fields with what real pictures have, each with the true WCS: foregrounds, weather, poor optics, edits.

::

    scenekinds.py ─→ what to draw
    novacli.demo  ─→ the light of stars and sky
    foregrounds.py, cameras.py ─→ the light on the sensor, and its counts
    overlays.py   ─→ the finished picture

Number N of seed S is always the same scene; see README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from backgrounds import add_background, pictures_in
from cameras import FAULTS, OPTICS, SMEARS, as_mosaic, clipped, developed, without_mosaic
from draft import Color, Draft, log_uniform
from foregrounds import FOREGROUNDS
from overlays import OVERLAYS, Picture
from PIL import Image
from scenekinds import KINDS, PHOTOGRAPH, Kind

from novacli.demo import exposure
from novacli.demo.catalogue import Catalogue
from novacli.demo.population import DrawnStars, populate
from novacli.demo.projection import Projection
from novacli.demo.psf import Psf, add_stars
from novacli.demo.scene import Camera, Scene
from novacli.wcs.projection import plane_to_sky
from solvehost.formats import fitsfile
from solvehost.indexes.sphere import separation_deg

if TYPE_CHECKING:
    from cameras import Counts
    from draft import Plane
    from numpy.random import Generator
    from numpy.typing import NDArray

_T = TypeVar("_T")
#: Increases whenever the same seed and number give a different scene than before.
DRAWING_VERSION = 1
_SIZES_PX = ((507, 507), (640, 480), (800, 600), (1024, 768), (1280, 960), (1280, 960), (1600, 1066), (2048, 1366))
_DISTORTION_PERCENT_PER_10_DEG = 0.7
_JPEG_QUALITY = 92
#: One electron is one count.
_BIAS_ADU, _FULL_WELL_E = 300.0, 50_000.0
#: Colours of stars, each of which one star in three has.
_STAR_COLORS: tuple[Color, ...] = ((0.8, 0.95, 1.3), (1.0, 1.0, 1.0), (1.3, 0.95, 0.7))
#: Programs may state the scale at another place of a distorted field than the centre.
SCALE_TOLERANCE = 0.04
#: Stars narrower than this are drawn on finer pixels, so that each pixel receives the mean over its area.
_NARROW_FWHM_PX, _FINER = 1.7, 3
#: Shares of a star's light at equal steps along the tail that coma gives it.
_COMA_SHARES = (0.45, 0.2, 0.14, 0.1, 0.07, 0.04)
#: Number of effects that are drawn by lot for ``mixed``.
_MIXED = (3, 6)
_NOT_MIXED = ("defocused", "negative", "scratches", "mosaic", "aurora")


# --- Drawing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DrawnScene:
    """A scene: a picture, or counts of a sensor, and the truth about it as a JSON object."""

    name: str
    kind: Kind
    picture: Image.Image | NDArray[np.uint16]
    truth: dict[str, Any]


def draw(seed: int, number: int, catalogue: Catalogue, kind: str = "", background: Path | None = None) -> DrawnScene:
    """Draw one scene.

    Parameters
    ----------
    seed, number
        Determine the scene; the kinds follow one another by number, beginning with 1.
    catalogue
        The stars.
    kind
        A name in ``KINDS``; empty for the kind whose turn it is.
    background
        A real picture to draw the stars in, instead of the effects of a kind.
    """
    kind = kind or list(KINDS)[(number - 1) % len(KINDS)]
    one = KINDS[kind]
    if background is not None:
        kind, one = "photograph", PHOTOGRAPH
    sky_rng, effect_rng = (np.random.Generator(np.random.PCG64([seed, number, n])) for n in (1, 2))
    effects = one.effects if kind != "mixed" else _mixture(effect_rng)
    scene = _scene(one, sky_rng)
    projection = Projection.of(scene)
    stars = populate(scene, projection, catalogue, sky_rng)
    fwhm_px = log_uniform(sky_rng, *one.fwhm_px)
    draft = _draft(scene, one, stars, fwhm_px, (sky_rng, effect_rng))
    for effect in _of(SMEARS, effects):
        effect(draft)
    _add_sky(draft, scene, sky_rng)
    if background is not None:
        add_background(draft, background)
    for effect in _of(FOREGROUNDS | OPTICS, effects):
        effect(draft)
    counts = _counts(draft, one)
    for fault in _of(FAULTS, effects):
        fault(counts, effect_rng)
    shown = _shown(stars, scene, draft)
    picture: Image.Image | NDArray[np.uint16] = clipped(counts)
    size = (scene.width_px, scene.height_px)
    if one.file not in ("fits", "mosaic"):
        edited = _developed(counts, one, projection, shown, effect_rng)
        for overlay in _of(OVERLAYS, effects):
            overlay(edited)
        picture, projection, size = edited.image, edited.projection, edited.image.size
    truth = _truth(projection, size) | {
        "kind": kind, "effects": list(effects), "seed": seed, "number": number, "drawing_version": DRAWING_VERSION,
        "stars_catalogue": len(shown), "limit_mag": round(scene.depth_mag, 2), "fwhm_px": round(fwhm_px, 2),
    }  # fmt: skip
    if background is not None:
        truth["background"] = background.name
    return DrawnScene(f"scene-{kind.replace(' ', '-')}-{seed}-{number:04d}", one, picture, truth)


def _of(table: Mapping[str, _T], names: Sequence[str]) -> list[_T]:
    """Return those effects of a table that are named, in the order of the names."""
    return [table[name] for name in names if name in table]


def _mixture(rng: Generator) -> tuple[str, ...]:
    names = [n for n in (*FOREGROUNDS, *SMEARS, *OPTICS, *FAULTS, *OVERLAYS) if n not in _NOT_MIXED]
    return tuple(str(name) for name in rng.choice(names, rng.integers(*_MIXED), replace=False))


def _scene(kind: Kind, rng: Generator) -> Scene:
    width_px, height_px = _SIZES_PX[rng.integers(len(_SIZES_PX))]
    width_px, height_px = (side - side % 2 for side in (width_px, height_px))
    width_deg = log_uniform(rng, *kind.widths_deg)
    place = (360 * rng.random(), math.degrees(math.asin(2 * rng.random() - 1)))
    usual = Scene(*place, width_deg, width_px, height_px).depth_mag
    most = _DISTORTION_PERCENT_PER_10_DEG * width_deg / 10
    camera = Camera(sky_e=log_uniform(rng, 40, 1500), gain_e_per_adu=1.0, hot_pixel_fraction=1e-5, bias_adu=_BIAS_ADU)
    return Scene(
        *place,
        width_deg,
        width_px,
        height_px,
        rotation_deg=360 * rng.random(),
        # Pictures that are not FITS begin with the top row, so that an unmirrored sky has det(CD) > 0 in them.
        mirrored=bool(rng.random() < (0.5 if kind.file in ("fits", "mosaic") else 0.9)),
        distortion_percent=float(rng.uniform(-most, most)),
        limit_mag=float(np.clip(usual + rng.uniform(*kind.depths_mag), 0, 17)),
        camera=camera,
    )


def _draft(scene: Scene, kind: Kind, stars: DrawnStars, fwhm_px: float, rngs: tuple[Generator, Generator]) -> Draft:
    """Return a draft with the light of the stars alone."""
    sky_rng, effect_rng = rngs
    noise_e = math.hypot(math.sqrt(scene.camera.sky_e), scene.camera.read_noise_e)
    shape = (scene.height_px, scene.width_px)
    draft = Draft(
        light=np.zeros((*shape, 3), np.float32),
        clear=np.ones(shape, np.float32),
        sky_e=scene.camera.sky_e,
        noise_e=noise_e,
        px_per_deg=3600 / scene.pixscale_arcsec,
        rng=effect_rng,
    )
    growth = float(sky_rng.uniform(*kind.curvature))
    center = ((scene.width_px + 1) / 2, (scene.height_px + 1) / 2)
    psf = Psf(fwhm_px, center, scene.half_diagonal_px, 0.30 * growth, 0.12 * growth)
    limit_e = 5 * noise_e * max(psf.noise_pixels, 2.0) ** 0.5
    flux_e = limit_e * 10 ** (-0.4 * (stars.magnitudes - scene.depth_mag))
    colors = sky_rng.integers(0, len(_STAR_COLORS), len(stars.x))
    coma_px = float(sky_rng.uniform(*kind.coma_px))
    for n, color in enumerate(_STAR_COLORS):
        own = colors == n
        light = np.zeros(shape, np.float32)
        for x, y, share in _tails(stars.x[own], stars.y[own], psf, coma_px):
            _add_stars(light, x, y, share * flux_e[own], psf, noise_e)
        draft.add(light, color)
    return draft


def _tails(
    x: NDArray[np.float64], y: NDArray[np.float64], psf: Psf, coma_px: float
) -> list[tuple[NDArray[np.float64], NDArray[np.float64], float]]:
    """Return the positions and shares of the images that make up each star; one only without coma."""
    if not coma_px:
        return [(x, y, 1.0)]
    u, v = ((c - center) / psf.half_diagonal_px for c, center in zip((x, y), psf.center_px, strict=True))
    reach = coma_px * np.hypot(u, v)
    steps = np.linspace(0, 1, len(_COMA_SHARES))
    return [(x + t * reach * u, y + t * reach * v, share) for t, share in zip(steps, _COMA_SHARES, strict=True)]


def _add_stars(
    light: Plane, x: NDArray[np.float64], y: NDArray[np.float64], flux_e: NDArray[np.float64], psf: Psf, noise_e: float
) -> None:
    """Add stars to light, shape (height, width); narrow ones on finer pixels first."""
    if psf.fwhm_px >= _NARROW_FWHM_PX:
        add_stars(light, x, y, flux_e, psf, noise_e)
        return
    height, width = light.shape
    fine = np.zeros((height * _FINER, width * _FINER), np.float32)
    center = tuple(_FINER * (c - 0.5) + 0.5 for c in psf.center_px)
    fine_psf = Psf(_FINER * psf.fwhm_px, (center[0], center[1]), _FINER * psf.half_diagonal_px)
    add_stars(fine, _FINER * (x - 0.5) + 0.5, _FINER * (y - 0.5) + 0.5, flux_e, fine_psf, noise_e / _FINER)
    light += fine.reshape(height, _FINER, width, _FINER).sum(axis=(1, 3))


def _add_sky(draft: Draft, scene: Scene, rng: Generator) -> None:
    sky = exposure.draw_sky(scene, exposure.Conditions.draw(rng), rng)
    tint = (float(rng.uniform(0.8, 1.2)), 1.0, float(rng.uniform(0.8, 1.2)))
    draft.add(sky.glow, tint)
    draft.light *= sky.transmission[..., None]


def _counts(draft: Draft, kind: Kind) -> Counts:
    """Return the counts of a sensor without faults, shape (height, width)."""
    camera = Camera(gain_e_per_adu=1.0, hot_pixel_fraction=1e-5, bias_adu=_BIAS_ADU)
    light = draft.light.mean(axis=2) if kind.file in ("fits", "gray") else as_mosaic(draft.light)
    return exposure.expose(light, camera, draft.rng).astype(np.int32)


def _developed(
    counts: Counts, kind: Kind, projection: Projection, shown: NDArray[np.float64], rng: Generator
) -> Picture:
    """Return the picture that a camera or an amateur makes of a sensor's counts."""
    is_gray = kind.file == "gray"
    light = counts.astype(np.float32) - _BIAS_ADU if is_gray else without_mosaic(counts, _BIAS_ADU, _FULL_WELL_E)
    return Picture(Image.fromarray(developed(light, rng)), projection, shown, rng)


def _shown(stars: DrawnStars, scene: Scene, draft: Draft) -> NDArray[np.float64]:
    """Return FITS pixels of the catalogue stars that the picture shows, brightest first, shape (n, 2)."""
    x, y, magnitudes = (values[: stars.catalogued] for values in (stars.x, stars.y, stars.magnitudes))
    inside = (x >= 0.5) & (x < scene.width_px + 0.5) & (y >= 0.5) & (y < scene.height_px + 0.5)
    inside &= magnitudes <= scene.depth_mag
    places = np.stack([x, y], axis=1)[inside][np.argsort(magnitudes[inside])]
    column, row = (np.rint(places - 1).astype(int)).T
    return np.asarray(places[draft.clear[row, column] > 0.5])


# --- The truth -------------------------------------------------------------------------------------------------------


def _truth(projection: Projection, size: tuple[int, int]) -> dict[str, Any]:
    x, y = (side / 2 + 0.5 for side in size)
    ra_deg, dec_deg = _sky_at(projection, x, y)
    east, north = (separation_deg((ra_deg, dec_deg), _sky_at(projection, *p)) for p in ((x + 1, y), (x, y + 1)))
    return {
        "ra": ra_deg,
        "dec": dec_deg,
        "pixscale_arcsec": 3600 * math.sqrt(east * north),
        "parity": projection.parity.value,
        "width_deg": separation_deg(_sky_at(projection, 0.5, y), _sky_at(projection, size[0] + 0.5, y)),
        "size": list(size),
        "scale_tol": SCALE_TOLERANCE,
        "wcs": projection.cards(),
    }


def _sky_at(projection: Projection, x: float, y: float) -> tuple[float, float]:
    """Return the position (ra, dec), degrees, at a FITS pixel."""
    u, v = x - projection.crpix[0], y - projection.crpix[1]
    shrink = 1 - projection.cubic * (u * u + v * v)
    (a, b), (c, d) = projection.cd
    return plane_to_sky(shrink * (a * u + b * v), shrink * (c * u + d * v), projection.crval)


# --- Files and commands ----------------------------------------------------------------------------------------------


def write(scene: DrawnScene, folder: Path) -> Path:
    """Write a scene's picture and, beside it, its truth; return the path of the picture."""
    is_fits = not isinstance(scene.picture, Image.Image)
    path = folder / f"{scene.name}.{'fits' if is_fits else 'jpg' if scene.kind.file == 'jpg' else 'png'}"
    if isinstance(scene.picture, Image.Image):
        scene.picture.save(path, quality=_JPEG_QUALITY)
    else:
        path.write_bytes(_fits_bytes(scene.picture, is_mosaic=scene.kind.file == "mosaic"))
    path.with_name(path.name + ".truth.json").write_text(json.dumps(scene.truth, indent=1) + "\n")
    return path


def _fits_bytes(counts: NDArray[np.uint16], *, is_mosaic: bool) -> bytes:
    height, width = counts.shape
    cards: dict[str, fitsfile.CardValue] = {
        "SIMPLE": True, "BITPIX": 16, "NAXIS": 2, "NAXIS1": width, "NAXIS2": height, "BZERO": 32768.0, "BSCALE": 1.0,
    } | ({"BAYERPAT": "RGGB"} if is_mosaic else {})  # fmt: skip
    stored = (counts.astype(np.int32) - 32768).astype(">i2")
    header = fitsfile.end_header([fitsfile.card(key, value) for key, value in cards.items()])
    return header + fitsfile.pad_data(stored.tobytes())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to write the pictures and their truths")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the scenes (default: 1)")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="number of the first scene (default: 1)")
    parser.add_argument("--count", type=int, default=len(KINDS), metavar="N", help="scenes (default: one of each kind)")
    parser.add_argument("--kind", default="", choices=["", *KINDS], metavar="NAME", help="draw this kind alone")
    parser.add_argument(
        "--backgrounds", type=Path, metavar="DIR", help="draw the stars in the pictures of this folder, in turn"
    )
    parser.add_argument("--index", type=Path, metavar="FILE", help="index file to take the stars from")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    catalogue = Catalogue.open(options.index or _deepest_index())
    pictures = [] if options.backgrounds is None else pictures_in(options.backgrounds)
    for number in range(options.first, options.first + options.count):
        background = pictures[(number - 1) % len(pictures)] if pictures else None
        print(write(draw(options.seed, number, catalogue, options.kind, background), options.folder), flush=True)
    return 0


def _deepest_index() -> Path:
    import reporting

    from novacli.demo.catalogue import find_index

    return find_index(reporting.installed_indexes())


if __name__ == "__main__":
    sys.exit(main())
