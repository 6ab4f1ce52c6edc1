"""Draw a scene as an image, with the truth about it; the scene's seed determines every random number."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from novacli.demo import exposure
from novacli.demo.catalogue import Catalogue
from novacli.demo.population import DrawnStars, populate
from novacli.demo.projection import CardValue, Projection
from novacli.demo.psf import Psf, add_stars
from novacli.demo.scene import Scene
from novacli.records.parity import Parity
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

#: Increases whenever the same scene gives a different image than before.
DRAWING_VERSION = 1
#: Signal-to-noise ratio of a star at the limiting magnitude.
LIMIT_SIGMA = 5.0
#: Seeds of the random streams: one for each part of an image, so that adding a trail does not move the stars.
_STREAMS = {"stars": 1, "conditions": 2, "clouds": 3, "trail": 4, "sensor": 5}


@record
class Truth:
    """The true parameters of an image.

    Attributes
    ----------
    ra, dec
        Centre, degrees, ICRS.
    width_deg, height_deg
        Angles on the sky between opposite edges, through the centre, without distortion.
    pixscale_arcsec
        Pixel scale at the centre, arcsec per pixel.
    rotation_deg
        Position angle of +y, degrees east of north.
    parity
        Sign of det(CD); -1 for an unmirrored FITS image.
    wcs
        The whole solution, distortion included, as FITS cards.
    size
        Width and height, pixels.
    stars_catalogue, stars_uncatalogued
        Number of stars inside the image down to the limiting magnitude.
    """

    ra: float
    dec: float
    width_deg: float
    height_deg: float
    pixscale_arcsec: float
    rotation_deg: float
    parity: Parity
    distortion_percent: float
    wcs: dict[str, CardValue]
    size: tuple[int, int]
    seed: int
    stars_catalogue: int
    stars_uncatalogued: int
    limit_mag: float
    fwhm_px: float
    trail: bool
    clouds: float
    catalogue: str
    band: str
    drawing_version: int = DRAWING_VERSION

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object; ``size`` is [width, height]."""
        return dataclasses.asdict(self) | {"size": list(self.size)}


class Drawing(NamedTuple):
    """An image, uint16, shape (height, width), row 0 is y = 1; and the truth about it."""

    pixels: NDArray[np.uint16]
    truth: Truth


def draw(scene: Scene, catalogue: Catalogue) -> Drawing:
    """Draw a scene with the stars of a catalogue.

    The same scene, catalogue and drawing version give the same image on every machine (numpy's PCG64), except that
    another processor's rounding may change a pixel by one count.

    Raises
    ------
    UsageError
        If the scene asks for more stars than an image can show.
    """
    projection = Projection.of(scene)
    conditions = exposure.Conditions.draw(_stream(scene, "conditions"))
    stars = populate(scene, projection, catalogue, _stream(scene, "stars"))
    trail_chance = _stream(scene, "trail")
    has_trail = exposure.has_trail(scene, trail_chance)
    light = _light(scene, stars, conditions, trail_chance if has_trail else None)
    pixels = exposure.expose(light, scene.camera, _stream(scene, "sensor"))
    return Drawing(pixels, _truth(scene, projection, conditions, stars, catalogue, has_trail=has_trail))


def _stream(scene: Scene, part: str) -> Generator:
    return np.random.Generator(np.random.PCG64([scene.seed, _STREAMS[part]]))


def _light(
    scene: Scene, stars: DrawnStars, conditions: exposure.Conditions, trail_chance: Generator | None
) -> NDArray[np.float32]:
    """Return the light on the sensor, electrons, shape (height, width)."""
    sky_noise = float(np.hypot(np.sqrt(scene.camera.sky_e), scene.camera.read_noise_e))
    center = ((scene.width_px + 1) / 2, (scene.height_px + 1) / 2)
    psf = Psf(conditions.fwhm_px, center, scene.half_diagonal_px)
    limit_e = LIMIT_SIGMA * sky_noise * psf.noise_pixels**0.5
    flux_e = limit_e * 10 ** (-0.4 * (stars.magnitudes - scene.depth_mag))
    light = np.zeros((scene.height_px, scene.width_px), np.float32)
    add_stars(light, stars.x, stars.y, flux_e, psf, sky_noise)
    sky = exposure.draw_sky(scene, conditions, _stream(scene, "clouds"))
    light *= sky.clouds
    if trail_chance is not None:
        exposure.add_trail(light, sky_noise, trail_chance)
    light += sky.glow
    light *= sky.transmission
    return light


def _truth(
    scene: Scene,
    projection: Projection,
    conditions: exposure.Conditions,
    stars: DrawnStars,
    catalogue: Catalogue,
    *,
    has_trail: bool,
) -> Truth:
    shown = (stars.x >= 0.5) & (stars.x <= scene.width_px + 0.5) & (stars.y >= 0.5) & (stars.y <= scene.height_px + 0.5)
    shown &= stars.magnitudes <= scene.depth_mag
    return Truth(
        ra=scene.ra_deg,
        dec=scene.dec_deg,
        width_deg=scene.width_deg,
        height_deg=scene.height_deg,
        pixscale_arcsec=scene.pixscale_arcsec,
        rotation_deg=scene.rotation_deg,
        parity=projection.parity,
        distortion_percent=scene.distortion_percent,
        wcs=projection.cards(),
        size=(scene.width_px, scene.height_px),
        seed=scene.seed,
        stars_catalogue=int(np.count_nonzero(shown[: stars.catalogued])),
        stars_uncatalogued=int(np.count_nonzero(shown[stars.catalogued :])),
        limit_mag=scene.depth_mag,
        fwhm_px=conditions.fwhm_px,
        trail=has_trail,
        clouds=scene.clouds,
        catalogue=catalogue.path.name,
        band=catalogue.band,
    )
