"""The parameters of an image to draw, as frozen records that are checked when made; this module needs no numpy."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import field

from novacli.errors import UsageError
from solvehost.record import record

#: Mean of the whole sky: (V magnitude, log10 of the number of brighter stars in a square degree).  Source: up to 11
#: mag, counts in Tycho-2 (Høg et al. 2000, A&A 355, L27); for fainter stars, the slope continues to fall from 0.40 to
#: 0.30 per magnitude, as in the model of Bahcall & Soneira 1980, ApJS 44, 73.
STAR_COUNTS = (
    (-2.0, -5.5), (0.0, -3.8), (2.0, -2.76), (4.0, -1.85), (5.0, -1.52), (6.0, -0.98), (7.0, -0.48), (8.0, 0.0),
    (9.0, 0.46), (10.0, 0.90), (11.0, 1.31), (12.0, 1.71), (13.0, 2.09), (14.0, 2.45), (15.0, 2.80), (16.0, 3.13),
    (18.0, 3.74), (20.0, 4.30), (22.0, 4.80),
)  # fmt: skip
#: The default exposure shows about this many stars in a mean field of any width.
TYPICAL_STARS = 600
WIDTH_LIMITS_DEG = (0.2, 120.0)
SIZE_LIMITS_PX = (32, 20_000)
MAX_DISTORTION_PERCENT = 20.0
MAGNITUDE_LIMITS = (0.0, 20.0)


@record
class Camera:
    """A camera; units in names: ``e`` for electrons, ``adu`` for counts.

    ``hot_pixel_e`` is the mean charge of hot pixels, which follows an exponential distribution.
    """

    name: str = "nova demo (drawn)"
    pixel_um: float = 5.2
    gain_e_per_adu: float = 0.8
    full_well_e: float = 50_000.0
    read_noise_e: float = 6.0
    bias_adu: float = 300.0
    sky_e: float = 400.0
    exposure_s: float = 20.0
    hot_pixel_fraction: float = 3e-5
    hot_pixel_e: float = 2000.0


@record
class Scene:
    """A field and how it is photographed; equal scenes give equal images.

    Attributes
    ----------
    ra_deg, dec_deg
        The image's centre, ICRS.
    width_deg
        Angle on the sky between the midpoints of the left and the right edge, without distortion.  In wide fields it is
        smaller than ``width_px`` times the pixel scale at the centre: for 90 degrees, that product is 115 degrees.
    width_px, height_px
        Size of the image.
    rotation_deg
        Position angle of +y (up, as FITS is displayed) at the centre: degrees from north through east.
    mirrored
        If False, east is left of north and det(CD) < 0; if True, east is right of north and det(CD) > 0.
    distortion_percent
        Shift of stars in the corners outwards (pincushion; negative: inwards, barrel), in percent of their
        distance from the centre; the shift grows with the cube of that distance.
    limit_mag
        Magnitude of stars with a signal-to-noise ratio of 5 without clouds; None for one that fits the field's size.
    trail
        True if a satellite crosses the image; None for a random choice, which is True in one image of three.
    clouds
        Cloud cover: 0 is a clear sky, 0.5 thick clouds with stars between them; 1 hides nearly every star.
    states_pointing
        True if the header states where the telescope points (OBJCTRA, OBJCTDEC).
    date_obs
        DATE-OBS in the header.
    """

    ra_deg: float
    dec_deg: float
    width_deg: float = 10.0
    width_px: int = 1024
    height_px: int = 768
    rotation_deg: float = 0.0
    mirrored: bool = False
    distortion_percent: float = 0.0
    limit_mag: float | None = None
    trail: bool | None = None
    clouds: float = 0.0
    seed: int = 1
    states_pointing: bool = False
    object_name: str = "demo field"
    date_obs: str = "2000-01-01T12:00:00"
    camera: Camera = field(default=Camera())

    def __post_init__(self) -> None:
        _check("right ascension", self.ra_deg, 0, 360, "--ra")
        _check("declination", self.dec_deg, -90, 90, "--dec")
        _check("width", self.width_deg, *WIDTH_LIMITS_DEG, "--width")
        _check("rotation", self.rotation_deg, -360, 360, "--rotate")
        _check("distortion", self.distortion_percent, -MAX_DISTORTION_PERCENT, MAX_DISTORTION_PERCENT, "--distortion")
        _check("cloud cover", self.clouds, 0, 1, "--clouds")
        _check("seed", self.seed, 0, 2**63 - 1, "--seed")
        for side in (self.width_px, self.height_px):
            _check("side in pixels", side, *SIZE_LIMITS_PX, "--size")
        if self.limit_mag is not None:
            _check("limiting magnitude", self.limit_mag, *MAGNITUDE_LIMITS, "--limit")
        if self.half_diagonal_deg > 75:
            raise UsageError(
                f"a corner would be {self.half_diagonal_deg:.0f} degrees from the centre: use a smaller --width"
            )

    @property
    def scale_rad_per_px(self) -> float:
        """Pixel scale at the centre: tangent-plane radians per pixel."""
        return 2 * math.tan(math.radians(self.width_deg) / 2) / self.width_px

    @property
    def pixscale_arcsec(self) -> float:
        """Pixel scale at the centre, arcsec per pixel."""
        return math.degrees(self.scale_rad_per_px) * 3600

    @property
    def focal_length_mm(self) -> float:
        """Focal length that gives this scale on the camera's pixels."""
        return self.camera.pixel_um / 1000 / self.scale_rad_per_px

    @property
    def height_deg(self) -> float:
        """Angle on the sky between the middles of the lower and the upper edge."""
        return math.degrees(2 * math.atan(self.scale_rad_per_px * self.height_px / 2))

    @property
    def half_diagonal_px(self) -> float:
        """Distance from the centre to the corners, pixels."""
        return math.hypot(self.width_px, self.height_px) / 2

    @property
    def half_diagonal_deg(self) -> float:
        """Angle on the sky from the centre to the corners, without distortion."""
        return math.degrees(math.atan(self.scale_rad_per_px * self.half_diagonal_px))

    @property
    def depth_mag(self) -> float:
        """The limiting magnitude: the given one, or that at which a mean field of this size has ``TYPICAL_STARS``."""
        if self.limit_mag is not None:
            return self.limit_mag
        wanted = math.log10(TYPICAL_STARS / (self.width_deg * self.height_deg))
        return _interpolate(wanted, [(n, m) for m, n in STAR_COUNTS])


def random_place(seed: int) -> tuple[float, float]:
    """Return a position (ra, dec) in degrees, uniformly distributed over the sphere; the seed determines it."""
    chance = random.Random(f"nova demo {seed}")  # noqa: S311 - no secret
    return 360 * chance.random(), math.degrees(math.asin(2 * chance.random() - 1))


def _check(what: str, value: float, low: float, high: float, option: str) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise UsageError(f"{what} {value:g} is outside {low:g} to {high:g}: check {option}")


def _interpolate(x: float, table: list[tuple[float, float]]) -> float:
    """Interpolate linearly in a table of (x, y) with increasing x; beyond the ends, return the end's y."""
    if x <= table[0][0]:
        return table[0][1]
    for (x0, y0), (x1, y1) in itertools.pairwise(table):
        if x <= x1:
            return y0 + (x - x0) * (y1 - y0) / (x1 - x0)
    return table[-1][1]
