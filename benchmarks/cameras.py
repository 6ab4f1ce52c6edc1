"""What a lens and a sensor do to a picture: blurred and smeared stars, vignetting, faulty pixels, colour mosaics.

Each effect is one function: ``SMEARS`` and ``OPTICS`` change the light, ``FAULTS`` the counts of a sensor.
``developed`` makes 8-bit values of the counts, as cameras and amateurs do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from draft import Draft, Effect, convolved, disc_kernel, log_uniform, path_kernel

if TYPE_CHECKING:
    from draft import Plane
    from numpy.random import Generator
    from numpy.typing import NDArray

    Counts = NDArray[np.int32]
    Bytes = NDArray[np.uint8]

Fault = Callable[["Counts", "Generator"], None]
_ADC_MAX = 65_535


# --- Smears: what happens to stars before the sky is added ------------------------------------------------------------


def _defocused(draft: Draft) -> None:
    """Make rings or discs of stars."""
    outer_px = log_uniform(draft.rng, 3, 10)
    draft.light = convolved(draft.light, disc_kernel(outer_px, outer_px * draft.rng.choice([0.0, 0.45, 0.7])))


def _trailed(draft: Draft) -> None:
    """Make short lines of stars: the mount did not follow the sky."""
    length, angle = log_uniform(draft.rng, 4, 20), draft.rng.uniform(0, math.pi)
    along = np.linspace(-0.5, 0.5, 100) * length
    draft.light = convolved(draft.light, path_kernel(along * math.cos(angle), along * math.sin(angle)))


def _shaken(draft: Draft) -> None:
    """Make short crooked lines of stars: the camera was held in the hand."""
    steps = draft.rng.normal(0, log_uniform(draft.rng, 0.15, 0.6), (2, 150))
    x, y = np.cumsum(steps, axis=1) - np.cumsum(steps, axis=1).mean(axis=1, keepdims=True)
    draft.light = convolved(draft.light, path_kernel(x, y))


SMEARS: dict[str, Effect] = {
    "defocused": _defocused,
    "shaken": _shaken,
    "trailed": _trailed,
}


# --- Optics: what dims or brightens the whole picture ----------------------------------------------------------------


def _vignetted(draft: Draft) -> None:
    """Darken the corners to a few percent."""
    far = draft.distance(draft.width / 2, draft.height / 2) / math.hypot(draft.width, draft.height) * 2
    share = 1 / (1 + (far / draft.rng.uniform(0.5, 0.9)) ** 2) ** 2
    draft.light *= share[..., None].astype(np.float32)


def _circle(draft: Draft) -> None:
    """Hide everything outside of a circle, as in an eyepiece or a fisheye frame."""
    radius = min(draft.width, draft.height) * draft.rng.uniform(0.46, 0.6)
    far = draft.distance(draft.width / 2, draft.height / 2)
    draft.cover(np.clip((far - radius) / draft.rng.uniform(1, 8) + 0.5, 0, 1).astype(np.float32), 0.0)


def _amplifier(draft: Draft) -> None:
    """Add the glow of an amplifier in one or two corners."""
    for _ in range(int(draft.rng.integers(1, 3))):
        x, y = draft.rng.choice([0, draft.width]), draft.rng.choice([0, draft.height])
        far = draft.distance(x, y) / draft.width
        draft.add((draft.sky_e * log_uniform(draft.rng, 5, 60) * np.exp(-far / 0.08)).astype(np.float32))


OPTICS: dict[str, Effect] = {
    "amplifier": _amplifier,
    "circle": _circle,
    "vignetted": _vignetted,
}


# --- Faults of the sensor --------------------------------------------------------------------------------------------


def _bad_columns(counts: Counts, rng: Generator) -> None:
    """Make some columns bright or dead, wholly or in part; and one or two rows."""
    for lines, count in ((counts.T, rng.integers(3, 40)), (counts, rng.integers(0, 3))):
        for line in rng.integers(0, len(lines), count):
            start = rng.integers(0, lines.shape[1]) if rng.random() < 0.5 else 0
            lines[line, start:] = 0 if rng.random() < 0.3 else lines[line, start:] + round(rng.exponential(800))


def _hot_pixels(counts: Counts, rng: Generator) -> None:
    """Add up to thousands of hot pixels, some of them with warm neighbours."""
    count = round(log_uniform(rng, 400, 6000))
    places = rng.integers(0, counts.size, count)
    charge = rng.exponential(4000, count).astype(np.int32)
    flat = counts.reshape(-1)
    flat[places] += charge
    beside = places[places < counts.size - 1][: count // 3]
    flat[beside + 1] += charge[: len(beside)] // 3


def _banding(counts: Counts, rng: Generator) -> None:
    """Add a random offset to each row, and another to each half of the sensor."""
    noise = float(np.std(counts[: counts.shape[0] // 8 : 3, ::3]))
    counts += np.rint(rng.normal(0, 0.3 * noise, (counts.shape[0], 1))).astype(np.int32)
    counts[:, counts.shape[1] // 2 :] += round(noise * rng.uniform(2, 15))


def _cosmic_rays(counts: Counts, rng: Generator) -> None:
    """Add short bright tracks of particles."""
    for _ in range(int(rng.integers(30, 300))):
        length, angle = rng.exponential(3) + 1, rng.uniform(0, math.pi)
        along = np.arange(length)
        column = (rng.integers(0, counts.shape[1]) + along * math.cos(angle)).astype(int) % counts.shape[1]
        row = (rng.integers(0, counts.shape[0]) + along * math.sin(angle)).astype(int) % counts.shape[0]
        counts[row, column] += round(log_uniform(rng, 300, 20_000))


FAULTS: dict[str, Fault] = {
    "bad columns": _bad_columns,
    "banding": _banding,
    "cosmic rays": _cosmic_rays,
    "hot pixels": _hot_pixels,
}


# --- Colour ----------------------------------------------------------------------------------------------------------

#: Sensitivity of a colour sensor's red, green and blue pixels.
_SENSITIVITY = np.array([0.6, 1.0, 0.7], np.float32)
#: Offsets (row, column, colour) of a mosaic "RGGB".
_RGGB = ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2))


def as_mosaic(light: Plane) -> Plane:
    """Return the light on each pixel of a colour sensor, shape (height, width), from all three colours."""
    mosaic = np.empty(light.shape[:2], np.float32)
    for row, column, color in _RGGB:
        mosaic[row::2, column::2] = light[row::2, column::2, color] * _SENSITIVITY[color]
    return mosaic


def without_mosaic(counts: Counts, bias_adu: float, white_adu: float) -> Plane:
    """Return red, green and blue counts above the bias, shape (height, width, 3), interpolated linearly.

    No colour exceeds ``white_adu``, so that saturated light is white.
    """
    out = np.zeros((*counts.shape, 3), np.float32)
    weight = np.zeros_like(out)
    for row, column, color in _RGGB:
        out[row::2, column::2, color] = (counts[row::2, column::2] - bias_adu) / _SENSITIVITY[color]
        weight[row::2, column::2, color] = 1
    return np.asarray(np.minimum(_spread(out) / _spread(weight), np.float32(white_adu)))


def _spread(values: Plane) -> Plane:
    """Return values smoothed along both axes with the weights 1/2, 1, 1/2."""
    for axis in (0, 1):
        padded = np.pad(values, [(1, 1) if n == axis else (0, 0) for n in range(3)])
        before, after = (np.take(padded, range(k, k + values.shape[axis]), axis) for k in (0, 2))
        values = (values + np.float32(0.5) * (before + after)).astype(np.float32)
    return values


# --- Development -----------------------------------------------------------------------------------------------------


def developed(counts: Plane, rng: Generator) -> Bytes:
    """Return 8-bit values of counts above the bias: linear and dark, as a photograph, or strongly stretched."""
    sky = np.median(counts[::7, ::7], axis=(0, 1))
    noise = max(1.0, 1.48 * float(np.median(np.abs(counts[::7, ::7] - sky))))
    style = rng.choice(["linear", "photograph", "stretched"])
    if style == "linear":
        values = (counts - sky) / (noise * log_uniform(rng, 60, 400)) + rng.uniform(0.0, 0.08)
    elif style == "photograph":
        white = float(np.mean(sky)) + noise * log_uniform(rng, 60, 400)
        values = np.clip(counts / white, 0, 1) ** (1 / 2.2)
    else:
        soft = noise * log_uniform(rng, 2, 10)
        values = np.arcsinh((counts - sky) / soft) / math.asinh(200 * noise / soft) + rng.uniform(0.08, 0.25)
    return np.asarray(np.clip(np.rint(255 * values), 0, 255), np.uint8)


def clipped(counts: Counts) -> NDArray[np.uint16]:
    """Return counts within the range of a sensor's converter."""
    return np.clip(counts, 0, _ADC_MAX).astype(np.uint16)
