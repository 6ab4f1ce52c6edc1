"""What stands in front of stars or shines beside them: trees, roofs, lamps, clouds, the Moon, satellites, nebulae.

Each effect is one function that changes a draft's light; ``FOREGROUNDS`` lists them by name.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from draft import WHITE, Color, Draft, Effect, convolved, gaussian_kernel, log_uniform, mask_of
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from draft import Plane
    from numpy.typing import NDArray

_SODIUM: Color = (1.5, 0.9, 0.35)
_LED: Color = (1.0, 1.0, 0.95)
_MOONLIGHT: Color = (0.95, 1.0, 1.1)
_HYDROGEN: Color = (1.6, 0.55, 0.7)
#: Light that saturates every sensor, electrons.
_SATURATED_E = 80_000.0


# --- On the ground ---------------------------------------------------------------------------------------------------


def _tree(draft: Draft) -> None:
    """Draw one to three trees that reach in from below or from a side, with each leaf; lamps may light them."""
    rng, size = draft.rng, (draft.width, draft.height)
    mask, shade = Image.new("L", size), Image.new("L", size, 128)
    pens = ImageDraw.Draw(mask), ImageDraw.Draw(shade)
    side = rng.choice([-1, 1])
    for _ in range(int(rng.integers(1, 4))):
        foot = (draft.width * (0.5 + side * rng.uniform(0.35, 0.6)), draft.height * rng.uniform(0.2, 1.1))
        angle = -math.pi / 2 - side * rng.uniform(0.0, 1.2)
        _branch(pens, rng, foot, angle, draft.height * rng.uniform(0.12, 0.3), 6)
    lit_e = draft.sky_e * (log_uniform(rng, 0.8, 8) if rng.random() < 0.6 else rng.uniform(0.02, 0.2))
    leaves = np.asarray(shade, np.float32) / np.float32(128) * (0.3 + draft.texture())
    draft.cover(mask_of(mask, rng.uniform(0.0, 1.5)), np.float32(lit_e) * leaves, _SODIUM)


_Pens = tuple[ImageDraw.ImageDraw, ImageDraw.ImageDraw]


def _branch(
    pens: _Pens, rng: np.random.Generator, foot: tuple[float, float], angle: float, length: float, generations: int
) -> None:
    """Draw a branch with its smaller branches, the last of which carry leaves."""
    tip = (foot[0] + length * math.cos(angle), foot[1] + length * math.sin(angle))
    thick = max(1, round(length * 0.09))
    for pen, shade in zip(pens, (255, 60), strict=True):
        pen.line((*foot, *tip), shade, thick)
    if generations == 0 or length < 4:
        for _ in range(int(rng.integers(2, 7))):
            _leaf(pens, rng, tip, length)
        return
    for _ in range(int(rng.integers(2, 4))):
        along = rng.uniform(0.55, 1.0)
        start = (foot[0] + along * (tip[0] - foot[0]), foot[1] + along * (tip[1] - foot[1]))
        _branch(pens, rng, start, angle + rng.normal(0, 0.55), length * rng.uniform(0.6, 0.82), generations - 1)


def _leaf(pens: _Pens, rng: np.random.Generator, at: tuple[float, float], length: float) -> None:
    x, y = (c + rng.normal(0, 0.5 * length + 2) for c in at)
    a, b = rng.uniform(0.8, 4.0, 2)
    for pen, shade in zip(pens, (255, int(rng.integers(20, 255))), strict=True):
        pen.ellipse((x - a, y - b, x + a, y + b), shade)


def _treeline(draft: Draft) -> None:
    """Draw dark conifers and hills along the bottom."""
    rng = draft.rng
    x = np.arange(draft.width, dtype=np.float32)
    base = draft.height * rng.uniform(0.03, 0.25)
    tops = base * (1 + 0.5 * draft.texture()[0])
    for _ in range(int(rng.integers(4, 60))):
        middle, tall = rng.uniform(0, draft.width), base * rng.uniform(0.4, 1.5)
        slope = np.abs(x - middle) * rng.uniform(3, 6)
        tops = np.maximum(tops, base + tall - slope + rng.normal(0, 0.02 * tall, len(x)).astype(np.float32))
    opacity = np.clip(draft.rows() - (draft.height - tops)[None, :] + 0.5, 0, 1).astype(np.float32)
    draft.cover(opacity, draft.sky_e * rng.uniform(0.02, 0.3))


def _roof(draft: Draft) -> None:
    """Draw a building out of focus whose edge crosses the picture: gutter, boards, windows."""
    rng = draft.rng
    angle = rng.uniform(-0.5, 0.5) + rng.choice([0.0, math.pi / 2, math.pi])
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    dx, dy = draft.columns() - draft.width / 2, draft.rows() - draft.height / 2
    depth = dx * cos + dy * sin - np.float32(rng.uniform(-0.05, 0.25) * min(draft.width, draft.height))
    along = dy * cos - dx * sin
    opacity = np.clip(depth / np.float32(rng.uniform(1, 12)) + 0.5, 0, 1)
    bands = np.cumsum(rng.exponential(0.04 * draft.width, 12))
    levels = rng.uniform(0.05, 1.0, len(bands) + 1) * log_uniform(rng, 0.5, 5)
    wall = levels[np.searchsorted(bands, depth)].astype(np.float32)
    boards = np.cumsum(rng.exponential(0.08 * draft.width, 40)) - draft.width
    wall *= rng.uniform(0.85, 1.15, len(boards) + 1)[np.searchsorted(boards, along)].astype(np.float32)
    wall *= 0.7 + 0.6 * draft.texture()
    spacing = draft.width * rng.uniform(0.05, 0.12)
    in_window = (depth > bands[3]) & (depth % spacing < 0.5 * spacing) & (along % spacing < 0.4 * spacing)
    is_lit = np.isin((along // spacing).astype(int), rng.integers(-12, 12, 8))
    if rng.random() < 0.5:
        wall = np.where(in_window & is_lit, np.float32(log_uniform(rng, 20, 200)), wall)
    house = convolved((draft.sky_e * wall)[..., None], gaussian_kernel(rng.uniform(0.6, 2.5)))[..., 0]
    draft.cover(opacity.astype(np.float32), house, _SODIUM if rng.random() < 0.5 else WHITE)


def _wires(draft: Draft) -> None:
    """Draw power lines or an antenna: dark lines through the stars."""
    rng = draft.rng
    mask = Image.new("L", (draft.width, draft.height))
    pen = ImageDraw.Draw(mask)
    sag, y = rng.uniform(0, 0.1) * draft.height, rng.uniform(0.1, 0.7) * draft.height
    x = np.linspace(0, draft.width, 60)
    for n in range(int(rng.integers(1, 6))):
        line = y + n * 0.05 * draft.height + sag * (2 * x / draft.width - 1) ** 2 + rng.uniform(-0.1, 0.1) * x
        pen.line(list(np.stack([x, line], axis=1).ravel()), 255, int(rng.integers(2, 6)))
    draft.cover(mask_of(mask, 0.8), draft.sky_e * rng.uniform(0.05, 2.0))


def _lamps(draft: Draft) -> None:
    """Draw street lamps and lit windows near the bottom: saturated discs with halos and spikes."""
    rng = draft.rng
    for _ in range(int(rng.integers(2, 25))):
        x, y = rng.uniform(0, draft.width), draft.height * rng.uniform(0.75, 1.0)
        far = draft.distance(x, y)
        radius = np.float32(log_uniform(rng, 1.0, 8.0))
        glow = np.where(far < radius, _SATURATED_E, 0) + _SATURATED_E * 0.05 / (1 + (far / radius) ** 2.3)
        if rng.random() < 0.3:
            glow += _spikes(draft, x, y, float(radius) * 15)
        draft.add(glow.astype(np.float32), _SODIUM if rng.random() < 0.6 else _LED)


def _spikes(draft: Draft, x: float, y: float, reach_px: float) -> NDArray[np.float64]:
    turn, glow = draft.rng.uniform(0, math.pi), np.zeros((draft.height, draft.width))
    dx, dy = draft.columns() - x, draft.rows() - y
    for n in range(3):
        angle = turn + n * math.pi / 3
        across, along = dx * math.sin(angle) - dy * math.cos(angle), dx * math.cos(angle) + dy * math.sin(angle)
        glow += 0.1 * _SATURATED_E * np.exp(-0.5 * across**2 - np.abs(along) / reach_px)
    return glow


# --- In the air ------------------------------------------------------------------------------------------------------


def _dome(draft: Draft) -> None:
    """Add the glow of a city above the horizon: up to hundreds of times the sky at the bottom."""
    rng = draft.rng
    up = (draft.height - draft.rows()) / draft.height
    aside = (draft.columns() / draft.width - rng.uniform(-0.2, 1.2)) / rng.uniform(0.3, 1.5)
    level = draft.sky_e * log_uniform(rng, 3, 150)
    glow = level * np.exp(-up / rng.uniform(0.05, 0.35)) * (0.3 + np.exp(-0.5 * aside**2))
    draft.add(glow.astype(np.float32), _SODIUM)


def _clouds(draft: Draft) -> None:
    """Draw separate clouds, lit from below, with stars in the gaps."""
    rng = draft.rng
    texture = draft.texture()
    level = np.quantile(texture, rng.uniform(0.3, 0.75))
    opacity = np.clip((texture - level) / rng.uniform(0.08, 0.3), 0, 1).astype(np.float32)
    draft.cover(0.97 * opacity, draft.sky_e * log_uniform(rng, 0.8, 12) * (0.5 + draft.texture(2)), _SODIUM)


def _haze(draft: Draft) -> None:
    """Draw thin cloud over everything: fainter stars on a brighter, uneven sky."""
    rng = draft.rng
    texture = draft.texture()
    draft.cover((0.3 + 0.65 * texture).astype(np.float32), draft.sky_e * log_uniform(rng, 1, 6) * (0.4 + texture))


def _dew(draft: Draft) -> None:
    """Scatter the light of stars into halos, as a wet lens does; its middle or its edge is worst."""
    rng = draft.rng
    share = (0.3 + 0.6 * draft.texture())[..., None].astype(np.float32)
    halo = convolved(draft.light, gaussian_kernel(rng.uniform(4, 14)))
    draft.light = (1 - share) * draft.light + share * halo
    draft.add(np.float32(draft.sky_e * log_uniform(rng, 0.5, 4)) * share[..., 0])


def _moon(draft: Draft) -> None:
    """Draw the Moon, in the picture or just outside of it, with its halo, a ghost, and a bright sky."""
    rng = draft.rng
    x, y = (rng.uniform(-0.1, 1.1) * side for side in (draft.width, draft.height))
    radius = np.float32(max(2.5, 0.26 * draft.px_per_deg))
    far = draft.distance(x, y)
    halo = draft.sky_e * log_uniform(rng, 20, 300) * (radius / (radius + far)) ** rng.uniform(0.8, 1.6)
    disc = _SATURATED_E * np.clip(radius - far + 0.5, 0, 1)
    ghost = np.clip(radius - draft.distance(draft.width - x, draft.height - y) + 0.5, 0, 1)
    ring = np.exp(-0.5 * ((far - 22 * draft.px_per_deg) / draft.px_per_deg) ** 2) * rng.choice([0.0, 1.0])
    glow = disc + halo + draft.sky_e * (rng.uniform(0, 2) * ghost + ring + log_uniform(rng, 0.5, 5))
    draft.add(glow.astype(np.float32), _MOONLIGHT)


def _aurora(draft: Draft) -> None:
    """Add green curtains with vertical rays."""
    rng = draft.rng
    x = draft.columns() / draft.width
    foot = 0.6 + 0.2 * np.sin(2 * math.pi * (rng.uniform(0.5, 2) * x + rng.random()))
    up = foot - draft.rows() / draft.height
    rays = 0.5 + draft.texture(2)[:1]
    curtain = np.where(up > 0, np.exp(-up / 0.25), np.exp(up / 0.02)) * rays
    draft.add((draft.sky_e * log_uniform(rng, 2, 15) * curtain).astype(np.float32), (0.35, 1.6, 0.7))


# --- What moves ------------------------------------------------------------------------------------------------------


def _streak(
    draft: Draft, start: tuple[float, float], end: tuple[float, float], peak_e: float, *, taper: bool = False
) -> Plane:
    """Return the light of a straight streak between two positions, electrons, shape (height, width)."""
    (x0, y0), (x1, y1) = start, end
    length = max(1.0, math.hypot(x1 - x0, y1 - y0))
    cos, sin = (x1 - x0) / length, (y1 - y0) / length
    dx, dy = draft.columns() - np.float32(x0), draft.rows() - np.float32(y0)
    along, across = dx * np.float32(cos) + dy * np.float32(sin), dy * np.float32(cos) - dx * np.float32(sin)
    ends = np.clip(along + 0.5, 0, 1) * np.clip(length - along + 0.5, 0, 1)
    strength = np.clip(along / length, 0, 1) if taper else 1.0
    sigma_px = draft.rng.uniform(0.7, 1.6)
    return np.asarray(peak_e * strength * ends * np.exp(-0.5 * (across / np.float32(sigma_px)) ** 2), np.float32)


def _path(draft: Draft) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the ends of a line through the picture; one line in three begins or ends inside of it."""
    rng, angle = draft.rng, draft.rng.uniform(0, 2 * math.pi)
    x, y = (rng.uniform(0.1, 0.9) * side for side in (draft.width, draft.height))
    before, after = (draft.width * (2.0 if rng.random() < 0.8 else rng.uniform(0.05, 0.4)) for _ in range(2))
    cos, sin = math.cos(angle), math.sin(angle)
    return (x - before * cos, y - before * sin), (x + after * cos, y + after * sin)


def _trails(draft: Draft) -> None:
    """Add trails of satellites and perhaps a meteor: most cross the picture, some begin or end in it."""
    for _ in range(int(draft.rng.integers(1, 7))):
        peak_e = draft.noise_e * log_uniform(draft.rng, 3, 80)
        draft.add(_streak(draft, *_path(draft), peak_e, taper=bool(draft.rng.random() < 0.2)))


def _train(draft: Draft) -> None:
    """Add many parallel trails on one line, as of satellites launched together."""
    rng = draft.rng
    x, y, angle = rng.uniform(0, draft.width), rng.uniform(0, draft.height), rng.uniform(0, 2 * math.pi)
    length, gap = draft.width * rng.uniform(0.02, 0.08), draft.width * rng.uniform(0.03, 0.12)
    for n in range(-12, 13):
        start = (x + n * (length + gap) * math.cos(angle), y + n * (length + gap) * math.sin(angle))
        end = (start[0] + length * math.cos(angle), start[1] + length * math.sin(angle))
        draft.add(_streak(draft, start, end, draft.noise_e * log_uniform(rng, 5, 60)))


def _aeroplane(draft: Draft) -> None:
    """Add an aeroplane: parallel lines of its lights, and flashes at equal distances."""
    rng = draft.rng
    start, end = _path(draft)
    for n in range(int(rng.integers(1, 4))):
        shifted = [(px + 4.0 * n, py - 3.0 * n) for px, py in (start, end)]
        color: Color = (1.5, 0.4, 0.4) if n == 1 else WHITE
        draft.add(_streak(draft, shifted[0], shifted[1], draft.noise_e * log_uniform(rng, 5, 60)), color)
    length, step = math.dist(start, end), draft.width * rng.uniform(0.05, 0.15)
    for along in np.arange(rng.uniform(0, step), length, step):
        x, y = (a + along / length * (b - a) for a, b in zip(start, end, strict=True))
        far = draft.distance(x, y)
        draft.add((draft.noise_e * 300 * np.exp(-0.5 * (far / 1.8) ** 2)).astype(np.float32))


# --- In the sky ------------------------------------------------------------------------------------------------------


def _nebula(draft: Draft) -> None:
    """Add a bright emission nebula with dark lanes."""
    rng = draft.rng
    far = draft.distance(draft.width * rng.uniform(0.3, 0.7), draft.height * rng.uniform(0.3, 0.7))
    shape = np.exp(-((far / (rng.uniform(0.2, 0.5) * draft.width)) ** 2)) * (draft.texture() * draft.texture(2))
    draft.add((draft.sky_e * log_uniform(rng, 3, 30) * shape).astype(np.float32), _HYDROGEN)


def _milky_way(draft: Draft) -> None:
    """Add the band of the Milky Way with its dark clouds, which dim the stars, too."""
    rng = draft.rng
    angle = rng.uniform(0, math.pi)
    dx, dy = draft.columns() / draft.width - 0.5, draft.rows() / draft.height - 0.5
    across = dx * math.sin(angle) - dy * math.cos(angle) + 0.2 * (draft.texture() - 0.5)
    band = np.exp(-0.5 * (across / rng.uniform(0.12, 0.3)) ** 2)
    lanes = np.clip(2.5 * draft.texture() - 1.2, 0, 1) * band
    draft.add((draft.sky_e * log_uniform(rng, 1, 6) * band).astype(np.float32), (1.1, 1.0, 0.9))
    draft.light *= (1 - 0.8 * lanes)[..., None].astype(np.float32)


#: By name; the order of a scene's effects is that of its own list.
FOREGROUNDS: dict[str, Effect] = {
    "aeroplane": _aeroplane,
    "aurora": _aurora,
    "clouds": _clouds,
    "dew": _dew,
    "dome": _dome,
    "haze": _haze,
    "lamps": _lamps,
    "milky way": _milky_way,
    "moon": _moon,
    "nebula": _nebula,
    "roof": _roof,
    "trails": _trails,
    "train": _train,
    "tree": _tree,
    "treeline": _treeline,
    "wires": _wires,
}
