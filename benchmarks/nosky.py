"""Images that match no place on the sky, drawn by kind and number: every solution of one of them is wrong.

A mirrored sky would be solved correctly; so real stars are sheared or stretched (which no similarity undoes), moved, or
given the y coordinate of another star.  A narrow part of a sheared sky can still be recognised, and so can a sky behind
clouds: :class:`TrueSky` holds the true position of each image, which distinguishes such a solution from a false one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from draft import Draft
from foregrounds import FOREGROUNDS

from novacli.demo import exposure
from novacli.demo.catalogue import Catalogue
from novacli.demo.population import populate
from novacli.demo.projection import Projection
from novacli.demo.psf import Psf, add_stars
from novacli.demo.scene import Camera, Scene
from solvehost.indexes.sphere import separation_deg

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

#: Increases whenever the same kind and number give a different image than before.
DRAWING_VERSION = 1
SIZES_PX = ((640, 480), (800, 600), (1024, 768), (1280, 960), (1000, 1000), (1600, 1200), (2208, 1472))
#: Total light of a star at the limiting magnitude, electrons.
_LIMIT_E = 550.0
#: Slope of the number counts: log10 of the ratio of counts one magnitude apart.
_SLOPE = 0.35
_SKY_WIDTHS_DEG = (1.0, 40.0)


@dataclass(frozen=True, slots=True)
class TrueSky:
    """The true position of a distorted image of the sky: centre and width in degrees, undistorted arcsec per pixel."""

    ra_deg: float
    dec_deg: float
    width_deg: float
    pixscale_arcsec: float

    def is_at(self, ra_deg: float, dec_deg: float, pixscale_arcsec: float) -> bool:
        """Return True if a match is at the position that the image was made from, and therefore not false.

        The centres must be within half a width and the scales within a factor of two.  By chance that happens to one
        match in a thousand for a field 10 degrees wide, and to one in 70 for one of 40 degrees.
        """
        apart_deg = separation_deg((self.ra_deg, self.dec_deg), (ra_deg, dec_deg))
        return apart_deg < self.width_deg / 2 and 0.5 < pixscale_arcsec / self.pixscale_arcsec < 2


@dataclass(frozen=True, slots=True)
class NoSky:
    """A picture: uint16, shape (height, width); ``drawn`` says of how many stars or spots it was made."""

    kind: str
    number: int
    pixels: NDArray[np.uint16]
    drawn: int
    truth: TrueSky | None = None

    @property
    def name(self) -> str:
        """Return the name in reports."""
        return f"{self.kind}-{self.number:04d}"


@dataclass(frozen=True, slots=True)
class _Spots:
    """What shines: FITS pixels, electrons, light besides (or none), the truth, where there is one, and what hides it.

    ``clouds`` is as in a scene; None leaves it to chance.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux_e: NDArray[np.float64]
    light: NDArray[np.float32] | None = None
    truth: TrueSky | None = None
    clouds: float | None = None


_Draw = Callable[["Generator", int, int, Catalogue], _Spots]


def draw(kind: str, number: int, catalogue: Catalogue) -> NoSky:
    """Draw the picture ``number`` of a kind in ``KINDS``; equal arguments give equal pictures."""
    rng = np.random.Generator(np.random.PCG64([DRAWING_VERSION, list(KINDS).index(kind), number]))
    width, height = SIZES_PX[rng.integers(len(SIZES_PX))]
    spots = KINDS[kind](rng, width, height, catalogue)
    camera = Camera()
    noise_e = math.hypot(math.sqrt(camera.sky_e), camera.read_noise_e)
    clouds = 0.3 if rng.random() < 1 / 6 else 0.0
    scene = Scene(0.0, 0.0, 10.0, width, height, clouds=clouds if spots.clouds is None else spots.clouds)
    conditions = exposure.Conditions.draw(rng)
    light = np.zeros((height, width), np.float32) if spots.light is None else spots.light
    psf = Psf(conditions.fwhm_px, ((width + 1) / 2, (height + 1) / 2), scene.half_diagonal_px)
    add_stars(light, spots.x, spots.y, spots.flux_e, psf, noise_e)
    if rng.random() < exposure.TRAIL_SHARE / 2:
        exposure.add_trail(light, noise_e, rng)
    sky = exposure.draw_sky(scene, conditions, rng)
    light = (light * sky.clouds + sky.glow) * sky.transmission
    return NoSky(kind, number, exposure.expose(light, camera, rng), len(spots.x), spots.truth)


def _fluxes(rng: Generator, count: int) -> NDArray[np.float64]:
    """Return random brightnesses that follow the sky's number counts, to slightly below the limit."""
    return np.asarray(0.6 * _LIMIT_E * rng.uniform(1e-6, 1, count) ** (-0.4 / _SLOPE))


def _log_uniform(rng: Generator, low: float, high: float) -> float:
    return float(low * (high / low) ** rng.random())


# --- Stars where no sky has them -------------------------------------------------------------------------------------


def _random(rng: Generator, width: int, height: int, _catalogue: Catalogue) -> _Spots:
    count = round(_log_uniform(rng, 8, 6000))
    return _Spots(rng.uniform(0.5, width + 0.5, count), rng.uniform(0.5, height + 0.5, count), _fluxes(rng, count))


def _clustered(rng: Generator, width: int, height: int, _catalogue: Catalogue) -> _Spots:
    count, clusters = round(_log_uniform(rng, 30, 3000)), round(_log_uniform(rng, 2, 60))
    home = rng.integers(0, clusters, count)
    spread = width * rng.uniform(0.01, 0.12, clusters)[home]
    centers = rng.uniform(0, 1, (clusters, 2)) * (width, height)
    x, y = (centers[home, axis] + rng.normal(0, spread) for axis in (0, 1))
    return _Spots(x, y, _fluxes(rng, count))


@dataclass(frozen=True, slots=True)
class _Sky:
    """Return real stars around the centre of an image and far beyond its edges; ``truth`` is that before distortion."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux_e: NDArray[np.float64]
    truth: TrueSky


def _real(rng: Generator, width: int, height: int, catalogue: Catalogue) -> _Sky:
    ra_deg, dec_deg = 360 * rng.random(), math.degrees(math.asin(2 * rng.random() - 1))
    width_deg = _log_uniform(rng, *_SKY_WIDTHS_DEG)
    limit = Scene(ra_deg, dec_deg, width_deg, width, height).depth_mag + rng.uniform(-2.0, 1.2)
    scene = Scene(
        ra_deg, dec_deg, 2 * width_deg, 2 * width, 2 * height, limit_mag=float(limit), rotation_deg=360 * rng.random(),
        mirrored=bool(rng.random() < 0.5),
    )  # fmt: skip
    projection = Projection.of(scene)
    stars = populate(scene, projection, catalogue, rng)
    flux_e = _LIMIT_E * 10 ** (-0.4 * (stars.magnitudes - limit))
    truth = TrueSky(ra_deg, dec_deg, width_deg, scene.pixscale_arcsec)
    return _Sky(stars.x - width / 2, stars.y - height / 2, flux_e, truth)


def _moved(sky: _Sky, matrix: NDArray[np.float64], width: int, height: int) -> _Spots:
    """Return the sky with a matrix applied about the image's centre, cropped to slightly more than the image."""
    center = np.array([(width + 1) / 2, (height + 1) / 2])
    x, y = matrix @ (np.stack([sky.x, sky.y]) - center[:, None]) + center[:, None]
    return _inside(x, y, sky, width, height)


def _inside(x: NDArray[np.float64], y: NDArray[np.float64], sky: _Sky, width: int, height: int) -> _Spots:
    seen = (x > -20) & (x < width + 20) & (y > -20) & (y < height + 20)
    return _Spots(x[seen], y[seen], sky.flux_e[seen], truth=sky.truth)


def _turn(angle_rad: float) -> NDArray[np.float64]:
    return np.array([[math.cos(angle_rad), -math.sin(angle_rad)], [math.sin(angle_rad), math.cos(angle_rad)]])


def _sheared(rng: Generator, width: int, height: int, catalogue: Catalogue) -> _Spots:
    shear = np.array([[1.0, rng.uniform(0.5, 1.4) * rng.choice([-1, 1])], [0.0, 1.0]])
    turn = _turn(rng.uniform(0, math.pi))
    return _moved(_real(rng, width, height, catalogue), turn @ shear @ turn.T, width, height)


def _stretched(rng: Generator, width: int, height: int, catalogue: Catalogue) -> _Spots:
    factor = rng.uniform(1.25, 1.8)
    turn = _turn(rng.uniform(0, math.pi))
    return _moved(_real(rng, width, height, catalogue), turn @ np.diag([factor, 1 / factor]) @ turn.T, width, height)


def _swapped(rng: Generator, width: int, height: int, catalogue: Catalogue) -> _Spots:
    """Exchange the y coordinates of stars, which keeps the crowding of rows and columns."""
    spots = _moved(_real(rng, width, height, catalogue), np.eye(2), width, height)
    return _Spots(spots.x, rng.permutation(spots.y), spots.flux_e)


def _scattered(rng: Generator, width: int, height: int, catalogue: Catalogue) -> _Spots:
    """Move each star slightly, but far more than any lens does; clusters and voids stay in place."""
    sky = _real(rng, width, height, catalogue)
    spread = width * rng.uniform(0.02, 0.08)
    x, y = (axis + rng.normal(0, spread, len(axis)) for axis in (sky.x, sky.y))
    return _inside(x, y, sky, width, height)


def _clouded(rng: Generator, width: int, height: int, catalogue: Catalogue) -> _Spots:
    """Draw real sky behind clouds: a few stars are visible, and wisps of cloud are detected as stars."""
    spots = _moved(_real(rng, width, height, catalogue), np.eye(2), width, height)
    return replace(spots, clouds=float(rng.uniform(0.8, 1.0)))


# --- What else a picture may show ------------------------------------------------------------------------------------


def _noise(rng: Generator, width: int, height: int, _catalogue: Catalogue) -> _Spots:
    """Draw sky background alone, with warm clusters of pixels, cosmic-ray hits and bad columns."""
    light = np.zeros((height, width), np.float32)
    for _ in range(round(_log_uniform(rng, 5, 1500))):
        tall, wide = rng.integers(1, 5, 2)
        row, column = rng.integers(0, height - 5), rng.integers(0, width - 5)
        light[row : row + tall, column : column + wide] += np.float32(rng.exponential(1500))
    for column in rng.integers(0, width, rng.integers(0, 6)):
        light[rng.integers(0, height) :, column] += np.float32(rng.exponential(300))
    nothing = np.zeros(0)
    return _Spots(nothing, nothing, nothing, light)


def _pattern(
    rng: Generator, width: int, height: int, x: NDArray[np.float64], y: NDArray[np.float64], *, turned: bool = True
) -> _Spots:
    """Return the spots of a pattern about (0, 0): rotated, shifted, jittered, incomplete, of similar brightness."""
    turn = _turn(rng.uniform(0, math.pi) if turned else 0.0)
    x, y = turn @ np.stack([x, y]) + np.array([[rng.uniform(0.3, 0.7) * width], [rng.uniform(0.3, 0.7) * height]])
    jitter = rng.choice([0.0, 0.3, 1.0, 3.0])
    x, y = x + rng.normal(0, jitter, len(x)), y + rng.normal(0, jitter, len(y))
    seen = (x > 0) & (x < width) & (y > 0) & (y < height) & (rng.random(len(x)) > rng.choice([0.0, 0.05, 0.3]))
    x, y = x[seen][:6000], y[seen][:6000]
    even = _LIMIT_E * _log_uniform(rng, 4, 60) * (1 + rng.uniform(0, 0.5) * x / width)
    return _Spots(x, y, even if rng.random() < 0.5 else 4 * _fluxes(rng, len(x)))


def _grid(rng: Generator, width: int, height: int, _catalogue: Catalogue) -> _Spots:
    """A square, oblong or hexagonal grid."""
    step = width / _log_uniform(rng, 4, 45)
    reach = math.ceil(math.hypot(width, height) / step)
    column, row = (axis.ravel().astype(float) for axis in np.meshgrid(*[np.arange(-reach, reach + 1)] * 2))
    aspect = rng.choice([1.0, math.sqrt(0.75), rng.uniform(0.5, 1.0)])
    shift = rng.choice([0.0, 0.5])
    return _pattern(rng, width, height, step * (column + shift * (row % 2)), step * aspect * row)


def _rows(rng: Generator, width: int, height: int, _catalogue: Catalogue) -> _Spots:
    """Rows of spots, as from windows, traffic, or a sensor's columns; even or uneven along each row."""
    rows, each = round(_log_uniform(rng, 1, 30)), round(_log_uniform(rng, 6, 80))
    along = np.linspace(-0.5, 0.5, each) if rng.random() < 0.5 else rng.uniform(-0.5, 0.5, each)
    x = np.concatenate([along * width * rng.uniform(0.5, 1.2) for _ in range(rows)])
    y = np.repeat(rng.uniform(-0.5, 0.5, rows) * height, each)
    return _pattern(rng, width, height, x, y, turned=bool(rng.random() < 0.5))


def _rings(rng: Generator, width: int, height: int, _catalogue: Catalogue) -> _Spots:
    """Rings about one centre, or a spiral; the spots of a ring are evenly spaced."""
    rings = round(_log_uniform(rng, 1, 16))
    each = round(_log_uniform(rng, 6, 90))
    angle = np.tile(np.arange(each) * 2 * math.pi / each, rings)
    ring = np.repeat(np.arange(1, rings + 1), each) + rng.choice([0.0, 1.0]) * angle / (2 * math.pi)
    radius = ring / (rings + 1) * height * rng.uniform(0.4, 0.9)
    return _pattern(rng, width, height, radius * np.cos(angle), radius * np.sin(angle))


def _text(rng: Generator, width: int, height: int, _catalogue: Catalogue) -> _Spots:
    """Lines of letters of an invented alphabet, five dots wide and seven high."""
    alphabet, share = rng.random((14, 7, 5)) < 0.4, rng.uniform(0.2, 0.8)
    dot = max(2, round(width / _log_uniform(rng, 120, 600)))
    columns, lines = width // (6 * dot), height // (10 * dot)
    page = np.zeros((lines * 10, columns * 6), np.float32)
    for line in range(lines):
        for column in range(columns):
            if rng.random() < share:
                page[line * 10 : line * 10 + 7, column * 6 : column * 6 + 5] = alphabet[rng.integers(14)]
    light = np.zeros((height, width), np.float32)
    big = np.kron(page, np.ones((dot, dot), np.float32))
    light[: big.shape[0], : big.shape[1]] = big * np.float32(_log_uniform(rng, 300, 5000))
    nothing = np.zeros(0)
    return _Spots(nothing, nothing, nothing, _blurred(light, int(rng.integers(0, 4))))


def _cat(rng: Generator, width: int, height: int, _catalogue: Catalogue) -> _Spots:
    """A cat of curves: head, ears, eyes, whiskers, body, tail, and its fur of short strokes."""
    curves = _cat_curves(rng)
    turn, scale = _turn(rng.uniform(-0.5, 0.5)), height * rng.uniform(0.2, 0.4)
    hairs = round(_log_uniform(rng, 40, 1200))
    root = rng.normal(0, 0.6, (hairs, 2)) * (0.8, 1.0) - (0, 0.4)
    lean = rng.normal(0, 0.03, (hairs, 2))
    curves += [np.linspace(r, r + d, 12) for r, d in zip(root, lean, strict=True)]
    light = np.zeros((height, width), np.float32)
    center = (width * rng.uniform(0.4, 0.6), height * rng.uniform(0.4, 0.6))
    for curve in curves:
        x, y = np.rint(scale * turn @ curve.T + np.array(center)[:, None]).astype(int)
        seen = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        light[y[seen], x[seen]] += np.float32(_log_uniform(rng, 150, 4000))
    nothing = np.zeros(0)
    return _Spots(nothing, nothing, nothing, _blurred(light, int(rng.integers(1, 4))))


def _cat_curves(rng: Generator) -> list[NDArray[np.float64]]:
    """Return points along the strokes of a cat whose head has a radius of 0.5 about (0, 0.6); y points up."""

    def arc(x: float, y: float, a: float, b: float, start: float = 0.0, end: float = 2 * math.pi) -> list[list[float]]:
        return [[x + a * math.cos(t), y + b * math.sin(t)] for t in np.linspace(start, end, 300)]

    head, body = arc(0, 0.6, 0.5, 0.45), arc(0, -0.7, 0.7, 0.95)
    eyes = [arc(side * 0.2, 0.7, r, 1.4 * r) for side in (-1, 1) for r in (0.09, 0.03)]
    ears = [[[s * a, b] for a, b in ((0.15, 1.0), (0.35, 1.35), (0.45, 0.85))] for s in (-1, 1)]
    whiskers = [[[s * 0.1, 0.45], [s * 0.75, 0.45 + tilt]] for s in (-1, 1) for tilt in (-0.15, 0.0, 0.15)]
    tail = [[0.7 + 0.25 * t, -1.4 + 0.5 * t * math.sin(2 * t)] for t in np.linspace(0, rng.uniform(2, 4), 300)]
    strokes = [np.array(points) for points in (head, body, *eyes, tail)]
    return strokes + [_along(np.array(points)) for points in (*ears, *whiskers)]


def _along(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([np.linspace(a, b, 200) for a, b in itertools.pairwise(corners)])


def _blurred(light: NDArray[np.float32], times: int) -> NDArray[np.float32]:
    for _ in range(2 * times):
        padded = np.pad(light, ((1, 1), (0, 0)))
        light = (np.float32(0.25) * (padded[:-2] + padded[2:]) + np.float32(0.5) * light).T
    return np.ascontiguousarray(light)


# --- What stands before the sky --------------------------------------------------------------------------------------


def _scenery(*effects: str, stars: _Draw | None = None) -> _Draw:
    """Return a kind that shows effects of ``foregrounds.py``; they hide some of the stars, if there are any."""

    def spots_of(rng: Generator, width: int, height: int, catalogue: Catalogue) -> _Spots:
        nothing = np.zeros(0)
        spots = _Spots(nothing, nothing, nothing) if stars is None else stars(rng, width, height, catalogue)
        camera = Camera()
        draft = Draft(
            light=np.full((height, width, 3), camera.sky_e, np.float32),
            clear=np.ones((height, width), np.float32),
            sky_e=camera.sky_e,
            noise_e=math.sqrt(camera.sky_e),
            px_per_deg=width / _log_uniform(rng, 5, 70),
            rng=rng,
        )
        for effect in effects:
            FOREGROUNDS[effect](draft)
        # The sky is added to all kinds alike, so only the rest is returned: less than nothing where the sky is hidden.
        light = np.maximum(draft.light.mean(axis=2) - np.float32(camera.sky_e), np.float32(-0.6 * camera.sky_e))
        column, row = (
            np.clip(np.rint(axis - 1).astype(int), 0, side - 1) for axis, side in ((spots.x, width), (spots.y, height))
        )
        seen = draft.clear[row, column] > 0.5
        return replace(spots, x=spots.x[seen], y=spots.y[seen], flux_e=spots.flux_e[seen], light=light, clouds=0.0)

    return spots_of


#: The kinds; the order must never change, because a kind's index seeds its random numbers.
KINDS: dict[str, _Draw] = {
    "random": _random,
    "clustered": _clustered,
    "sheared": _sheared,
    "stretched": _stretched,
    "swapped": _swapped,
    "scattered": _scattered,
    "noise": _noise,
    "grid": _grid,
    "rows": _rows,
    "rings": _rings,
    "text": _text,
    "cat": _cat,
    "clouded": _clouded,
    "town": _scenery("dome", "treeline", "lamps"),
    "leaves": _scenery("tree", "tree", "wires"),
    "building": _scenery("roof", "lamps"),
    "lit-clouds": _scenery("clouds", "moon", "haze"),
    "traffic": _scenery("trails", "train", "aeroplane"),
    "rendered": _scenery("milky way", "nebula", stars=_random),
    "behind-trees": _scenery("dome", "treeline", "tree", stars=_sheared),
    "behind-roofs": _scenery("clouds", "roof", stars=_scattered),
}
