"""Statistics that are quicker than numpy's."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from novacli.arrays.statistics import median, quantile


@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (8,), (3, 4), (2, 5)])
def test_the_median_is_numpys(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).normal(size=shape)
    assert np.array_equal(median(values), np.median(values, axis=-1))


@pytest.mark.parametrize(("share", "value"), [(0, 0), (0.1, 0), (0.5, 4), (0.9, 8), (0.91, 9), (1, 9)])
def test_a_quantile_is_the_largest_of_the_smallest(share: float, value: float) -> None:
    assert quantile(np.arange(10.0)[::-1].reshape(2, 5), share) == value


def test_a_fit_does_not_import_masked_arrays() -> None:
    """Their import takes as long as a fit of ten models."""
    program = (
        "import sys, numpy as np\n"
        "from novacli.extraction import centroids\n"
        "from novacli.wcs import distortion, refit\n"
        "centroids.window_sigma_px(np.ones(9), np.ones(9), 2)\n"
        "distortion.sigma_px(np.ones(9))\n"
        "assert 'numpy.ma' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
