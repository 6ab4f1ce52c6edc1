"""Make linear pixels visible: an automatic stretch that leaves stars unburnt.

Source: the screen transfer function of PixInsight, as its documentation describes it: shadows are clipped at 2.8
normalised median absolute deviations below the median, and the midtones transfer function moves the median to a target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_SHADOWS, _MAD_TO_SIGMA = 2.8, 1.4826
#: Brightness of the sky in a stretched picture; labels stand out from a dark one.
_TARGET = 0.16
#: A picture with full white is shown as it is, unless nearly all of its pixels are darker than this part of white.
_DARK, _NEARLY_ALL = 0.2, 99.5
_BRIGHTEST = 99.99
#: The sky of an 8-bit picture is at least this part of its range, which is at least ``_LEAST_RANGE`` of full white: a
#: stronger stretch would show the steps of its numbers.
_LEAST_SKY, _LEAST_SKY_8_BITS, _LEAST_RANGE, _WHITE_8_BITS = 1e-6, 0.03, 0.1, 255.0
#: Statistics are computed on about this many pixels.
_SAMPLE = 50_000


def to_display(values: Floats, white: float | None, *, is_stretched: bool) -> NDArray[np.uint8]:
    """Return 8-bit colours for display.

    Parameters
    ----------
    values
        Shape (height, width, channels); NaN is shown black.
    white
        The value of full white; None for data without one, which are stretched colour by colour.
    is_stretched
        False to show values as they are, from 0 (or the least value, without ``white``) to white.
    """
    step = max(1, int(np.sqrt(values[:, :, 0].size / _SAMPLE)))
    sample = values[::step, ::step].reshape(-1, values.shape[2])
    sample = sample[np.isfinite(sample).all(axis=1)]
    if not len(sample):
        return np.zeros(values.shape, np.uint8)
    if white is not None and (not is_stretched or np.percentile(sample, _NEARLY_ALL) > _DARK * white):
        return _bytes(values / white)
    if not is_stretched:
        low, high = float(sample.min()), float(sample.max())
        return _bytes((values - low) / max(high - low, 1e-30))
    if white is not None:
        if white == _WHITE_8_BITS:
            return _bytes(_stretched(values, sample.ravel(), _LEAST_SKY_8_BITS, _LEAST_RANGE * white))
        return _bytes(_stretched(values, sample.ravel(), _LEAST_SKY))
    channels = [_stretched(values[:, :, n], sample[:, n], _LEAST_SKY) for n in range(values.shape[2])]
    return _bytes(np.stack(channels, axis=2))


def _bytes(values: Floats) -> NDArray[np.uint8]:
    scaled = values * np.float32(255)
    scaled += 0.5
    np.clip(scaled, 0, 255, out=scaled)
    scaled[np.isnan(scaled)] = 0
    return scaled.astype(np.uint8)


def _stretched(values: Floats, sample: Floats, least_sky: float, least_range: float = 0.0) -> Floats:
    median = float(np.percentile(sample, 50))
    sigma = _MAD_TO_SIGMA * float(np.percentile(np.abs(sample - median), 50))
    low = max(median - _SHADOWS * sigma, float(sample.min()))
    high = max(float(np.percentile(sample, _BRIGHTEST)), low + max(least_range, 1e-6 * max(1.0, abs(low))))
    sky = min(max((median - low) / (high - low), least_sky), 1.0)
    midtones = _transfer(np.float32(sky), _TARGET)
    scaled = values - np.float32(low)
    scaled /= np.float32(high - low)
    return _transfer(np.clip(scaled, 0, 1, out=scaled), float(midtones))


def _transfer(x: Floats | np.float32, midtones: float) -> Floats:
    """Return the midtones transfer function of values from 0 to 1, which maps ``midtones`` to 1/2."""
    if midtones <= 0:
        return np.asarray(x)
    below = np.float32(2 * midtones - 1) * x
    below -= np.float32(midtones)
    return np.asarray(np.float32(midtones - 1) * x / below)
