"""Statistics of arrays that start faster than those of numpy, whose median, quantile and unique import numpy.ma."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def median(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the median along the last axis, which has at least one element; NaN counts as the largest number."""
    ordered = np.sort(values)
    middle = ordered.shape[-1] // 2
    return np.asarray((ordered[..., middle] + ordered[..., ~middle]) / 2, np.float64)


def quantile(values: NDArray[np.floating], share: float) -> float:
    """Return the largest of the ``share`` smallest elements; the least element for a share of 0."""
    ordered = np.sort(values, axis=None)
    return float(ordered[max(0, math.ceil(share * ordered.size) - 1)])
