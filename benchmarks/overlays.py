"""What people and programs do to a finished picture: labels, grids, windows, crops, other sizes, JPEG, negatives.

Each effect is one function that changes a picture; ``OVERLAYS`` lists them by name.  Those that move pixels also move
the picture's projection, so that the truth stays true.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from draft import log_uniform
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from novacli.demo.projection import Projection, direction

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

_NAMES = ("HD", "HIP", "SAO", "NGC", "IC", "M", "TYC", "Gaia")
_LINES = ("Exposure 30.0 s", "Gain 300", "RMS 0.41 px", "UTC 21:14:07", "Temp -10.0 C", "Az 183.2 Alt 45.1", "FPS 12.4")
_COLORS = ("#7fa8ff", "#ffd070", "#60ff60", "#ff5050", "#ffffff", "#00ffff", "#ff60ff")


@dataclass(slots=True)
class Picture:
    """A finished picture of 8 bits.

    Attributes
    ----------
    image
        Mode L or RGB; its first row is y = 1.
    projection
        Its true WCS.
    stars_px
        FITS pixels (x, y) of its catalogue stars, brightest first, shape (n, 2).
    rng
        The source of all random numbers.
    """

    image: Image.Image
    projection: Projection
    stars_px: NDArray[np.float64]
    rng: Generator

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        return self.image.size

    def pen(self) -> ImageDraw.ImageDraw:
        """Return what draws in colour into the picture."""
        self.image = self.image.convert("RGB")
        return ImageDraw.Draw(self.image)

    def move(self, scale: float, turn_rad: float, shift_px: tuple[float, float]) -> None:
        """State that the 0-based pixel p now lies at scale * rotation(turn_rad) p + shift_px."""
        self.projection = moved(self.projection, scale, turn_rad, shift_px)


Overlay = Callable[[Picture], None]


def moved(projection: Projection, scale: float, turn_rad: float, shift_px: tuple[float, float]) -> Projection:
    """Return the projection of a picture whose 0-based pixel p was moved to scale * rotation(turn_rad) p + shift_px."""
    cos, sin = math.cos(turn_rad), math.sin(turn_rad)
    x, y = (c - 1 for c in projection.crpix)
    (a, b), (c, d) = projection.cd
    return dataclasses.replace(
        projection,
        crpix=(scale * (cos * x - sin * y) + shift_px[0] + 1, scale * (sin * x + cos * y) + shift_px[1] + 1),
        cd=(
            ((a * cos - b * sin) / scale, (a * sin + b * cos) / scale),
            ((c * cos - d * sin) / scale, (c * sin + d * cos) / scale),
        ),
        cubic=projection.cubic / scale**2,
        reach_px=projection.reach_px * scale,
    )


# --- Drawn over the stars --------------------------------------------------------------------------------------------


def _font(rng: Generator, low: int = 9, high: int = 18) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(int(rng.integers(low, high + 1)))


def _labels(picture: Picture) -> None:
    """Write the names of many stars beside them, as annotation programs do."""
    rng, pen, font = picture.rng, picture.pen(), _font(picture.rng)
    name, color = rng.choice(_NAMES), str(rng.choice(_COLORS))
    shown = picture.stars_px[: round(log_uniform(rng, 25, 160))]
    for x, y in shown[rng.random(len(shown)) < 0.8] - 1:
        pen.text((x + 3, y + 2), f"{name} {rng.integers(1, 250_000)}", color, font)
    for x, y in shown[:4] - 1:
        pen.text((x + 5, y - 20), str(rng.choice(["Alpha", "Beta", "Gamma"])), "white", _font(rng, 16, 24))


def _circles(picture: Picture) -> None:
    """Mark stars by circles, boxes or crosses, some of them where no star is."""
    rng, pen = picture.rng, picture.pen()
    radius, color = rng.uniform(4, 16), str(rng.choice(_COLORS))
    stray = rng.uniform(0, 1, (int(rng.integers(2, 15)), 2)) * picture.size
    marks = np.concatenate([picture.stars_px[: round(log_uniform(rng, 10, 120))] - 1, stray])
    shape = rng.choice(["ellipse", "rectangle", "cross"])
    for x, y in marks:
        box = (x - radius, y - radius, x + radius, y + radius)
        if shape == "cross":
            pen.line((x - radius, y, x + radius, y), color)
            pen.line((x, y - radius, x, y + radius), color)
        else:
            (pen.ellipse if shape == "ellipse" else pen.rectangle)(box, outline=color, width=int(rng.integers(1, 3)))


def _constellations(picture: Picture) -> None:
    """Join bright stars by lines."""
    rng, pen = picture.rng, picture.pen()
    ends = picture.stars_px[: int(rng.integers(6, 20))] - 1
    for one in ends:
        near = ends[np.argsort(np.hypot(*(ends - one).T))[1:3]]
        for other in near:
            pen.line((*one, *other), str(_COLORS[1]), int(rng.integers(1, 4)))


def _grid(picture: Picture) -> None:
    """Draw lines of equal right ascension and declination, with their values."""
    pen, font, color = picture.pen(), _font(picture.rng), str(picture.rng.choice(_COLORS))
    projection = picture.projection
    ra0, dec0 = projection.crval
    (_, cd12), (_, cd22) = projection.cd
    step = math.hypot(cd12, cd22) * picture.size[0] / picture.rng.uniform(3, 8)
    ra_step = step / max(0.05, math.cos(math.radians(dec0)))
    along = np.linspace(-8, 8, 400)
    for n in range(-8, 9):
        meridian = [(ra0 + n * ra_step, dec0 + k * step) for k in along if abs(dec0 + k * step) < 89.9]
        parallel = [(ra0 + k * ra_step, dec0 + n * step) for k in along if abs(dec0 + n * step) < 89.9]
        for line in filter(None, (meridian, parallel)):
            _curve(pen, projection, line, color)
            x, y = projection.sky_to_pixel(np.array([direction(*line[len(line) // 2])]))
            if np.isfinite(x[0]):
                pen.text((x[0] + 2, y[0] + 2), f"{line[0][0] % 360:.1f} {line[0][1]:+.1f}", color, font)


def _curve(pen: ImageDraw.ImageDraw, projection: Projection, sky: list[tuple[float, float]], color: str) -> None:
    x, y = projection.sky_to_pixel(np.array([direction(ra, dec) for ra, dec in sky]))
    points = np.stack([x, y], axis=1) - 1
    for one, other in itertools.pairwise(points):
        if np.isfinite([*one, *other]).all():
            pen.line((*one, *other), color)


def _caption(picture: Picture) -> None:
    """Write lines of text into a corner: time, exposure, a watermark."""
    rng, pen = picture.rng, picture.pen()
    font, color = _font(rng, 12, 26), str(rng.choice(_COLORS))
    x, y = (float(rng.choice([0.02, 0.6])) * side for side in picture.size)
    for n in range(int(rng.integers(1, 8))):
        pen.text((x, y + n * 1.3 * 18), str(rng.choice(_LINES)), color, font)


def _crosshair(picture: Picture) -> None:
    """Draw the crosshair and circles of a polar finder over the centre."""
    pen, (width, height) = picture.pen(), picture.size
    color = str(picture.rng.choice(_COLORS))
    pen.line((0, height / 2, width, height / 2), color)
    pen.line((width / 2, 0, width / 2, height), color)
    for share in (0.1, 0.2, 0.4):
        r = share * height
        pen.ellipse((width / 2 - r, height / 2 - r, width / 2 + r, height / 2 + r), outline=color)


def _scratches(picture: Picture) -> None:
    """Age a photographic plate: grain, scratches, dust, ink."""
    rng, (width, height) = picture.rng, picture.size
    grain = rng.normal(0, rng.uniform(3, 12), (height, width))
    gray = np.asarray(picture.image.convert("L"), np.float64) + grain
    picture.image = Image.fromarray(np.clip(gray, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture.image)
    for _ in range(int(rng.integers(3, 30))):
        x, y, dx, dy = rng.uniform(0, width), rng.uniform(0, height), *rng.normal(0, 0.15 * width, 2)
        pen.line((x, y, x + dx, y + dy), int(rng.integers(120, 255)), int(rng.integers(1, 3)))
    for _ in range(int(rng.integers(5, 60))):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.exponential(2) + 0.5
        pen.ellipse((x - r, y - r, x + r, y + r), int(rng.integers(60, 255)))
    pen.text((0.05 * width, 0.93 * height), "Plate 1482  1931 Mar 14", 255, _font(rng, 24, 40))


def _negative(picture: Picture) -> None:
    """Exchange black and white."""
    picture.image = ImageOps.invert(picture.image)


# --- Other pixels ----------------------------------------------------------------------------------------------------


def _crop(picture: Picture) -> None:
    """Cut out a part; whatever is at its centre, the lens's centre is elsewhere."""
    rng, (width, height) = picture.rng, picture.size
    new_width, new_height = (round(side * rng.uniform(0.4, 0.8)) for side in (width, height))
    left, top = (int(rng.integers(0, full - new)) for full, new in ((width, new_width), (height, new_height)))
    picture.image = picture.image.crop((left, top, left + new_width, top + new_height))
    picture.move(1.0, 0.0, (-left, -top))
    picture.stars_px = picture.stars_px - np.array([left, top])


def _resized(picture: Picture, scale: float, method: Image.Resampling) -> None:
    """Change the size by exactly this factor in both directions; a part of the last row and column may be lost."""
    width, height = (math.floor(scale * side) for side in picture.size)
    picture.image = picture.image.resize((width, height), method, (0, 0, width / scale, height / scale))
    picture.move(scale, 0.0, (0.5 * scale - 0.5, 0.5 * scale - 0.5))
    picture.stars_px = scale * (picture.stars_px - 0.5) + 0.5


def _reduced(picture: Picture) -> None:
    """Make it smaller, as a web page does."""
    _resized(picture, picture.rng.uniform(0.35, 0.8), Image.Resampling.LANCZOS)


def _enlarged(picture: Picture) -> None:
    """Make it larger: smooth blobs, or blocks."""
    methods = [Image.Resampling.BICUBIC, Image.Resampling.NEAREST, Image.Resampling.BILINEAR]
    _resized(picture, picture.rng.uniform(1.3, 3.0), methods[picture.rng.integers(3)])


def _turned(picture: Picture) -> None:
    """Rotate by any angle; the corners stay black."""
    turn, (width, height) = picture.rng.uniform(-0.4, 0.4), picture.size
    picture.image = picture.image.rotate(-math.degrees(turn), Image.Resampling.BICUBIC)
    x, y = (width - 1) / 2, (height - 1) / 2
    cos, sin = math.cos(turn), math.sin(turn)
    picture.move(1.0, turn, (x - cos * x + sin * y, y - sin * x - cos * y))


def _window(picture: Picture) -> None:
    """Show it in a program's window, as a screenshot: title, buttons, lists, a graph, a cursor."""
    rng, (width, height) = picture.rng, picture.size
    left, top, right, bottom = (round(width * share) for share in rng.uniform(0.02, 0.2, 4))
    gray = int(rng.choice([30, 60, 200, 240]))
    ink = "#202020" if gray > 128 else "#d0d0d0"
    screen = Image.new("RGB", (left + width + right, top + height + bottom), (gray, gray, gray))
    pen, font = ImageDraw.Draw(screen), _font(rng, 11, 16)
    pen.rectangle((0, 0, screen.width, 24), fill="#3060a0")
    pen.text((8, 5), "Image viewer - frame_0042", "white", font)
    for y in range(30, screen.height - 20, 22):
        pen.text((6, y), str(rng.choice(_LINES)), ink, font)
        pen.text((left + width + 6, y), str(rng.choice(_LINES)), ink, font)
    for x in range(4, screen.width - 30, 34):
        pen.rectangle((x, 28, x + 28, min(52, max(29, top - 2))), outline=ink)
    screen.paste(picture.image.convert("RGB"), (left, top))
    tip_x, tip_y = rng.uniform(0, screen.width), rng.uniform(0, screen.height)
    arrow = [(tip_x + dx, tip_y + dy) for dx, dy in ((0, 0), (0, 17), (4, 13), (11, 12))]
    ImageDraw.Draw(screen).polygon(arrow, "white", "black")
    picture.image = screen
    picture.move(1.0, 0.0, (left, top))
    picture.stars_px = picture.stars_px + np.array([left, top])


def _border(picture: Picture) -> None:
    """Put it into a white or black frame with a title, as a printed figure."""
    rng, edge = picture.rng, round(picture.size[0] * picture.rng.uniform(0.03, 0.12))
    color = str(rng.choice(["white", "black"]))
    picture.image = ImageOps.expand(picture.image.convert("RGB"), edge, color)
    picture.move(1.0, 0.0, (edge, edge))
    picture.stars_px = picture.stars_px + edge
    ink = "black" if color == "white" else "white"
    pen, (width, height) = picture.pen(), picture.size
    pen.text((width * 0.4, 3), "Figure 3: sky at 21:14 UTC", ink, _font(rng, 12, 20))
    for x in range(edge, width - edge, max(20, width // 10)):
        pen.line((x, height - edge, x, height - edge + 6), ink)
        pen.text((x, height - edge + 7), str(x), ink, _font(rng, 9, 9))


# --- Values ----------------------------------------------------------------------------------------------------------


def _jpeg(picture: Picture) -> None:
    """Compress it strongly, so that its blocks show."""
    stream = io.BytesIO()
    picture.image.save(stream, "JPEG", quality=int(picture.rng.integers(15, 50)))
    picture.image = Image.open(stream)
    picture.image.load()


def _sharpened(picture: Picture) -> None:
    """Sharpen it until stars have dark rings."""
    picture.image = picture.image.filter(ImageFilter.UnsharpMask(2, int(picture.rng.integers(150, 400)), 2))


def _smoothed(picture: Picture) -> None:
    """Remove noise as telephones do, with many faint stars."""
    picture.image = picture.image.filter(ImageFilter.MedianFilter(3))


#: By name.
OVERLAYS: dict[str, Overlay] = {
    "border": _border,
    "caption": _caption,
    "circles": _circles,
    "constellations": _constellations,
    "crop": _crop,
    "crosshair": _crosshair,
    "enlarged": _enlarged,
    "grid": _grid,
    "jpeg": _jpeg,
    "labels": _labels,
    "negative": _negative,
    "reduced": _reduced,
    "scratches": _scratches,
    "sharpened": _sharpened,
    "smoothed": _smoothed,
    "turned": _turned,
    "window": _window,
}
