"""Statistics of arrays that take less time than numpy's own: ``numpy.median`` imports numpy.ma, which takes 15 ms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def median(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the median along the last axis, which has at least one element; NaN counts as the largest number."""
    ordered = np.sort(values)
    middle = ordered.shape[-1] // 2
    return np.asarray((ordered[..., middle] + ordered[..., ~middle]) / 2, np.float64)
