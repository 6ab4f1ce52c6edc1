"""FITS files made for tests, and the corpus of real images if there is one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import fitsio
import numpy as np
import pytest
from numpy.typing import NDArray

FIRST_ROW_VALUE = 7


@pytest.fixture
def ramp() -> NDArray[np.uint16]:
    """Return an array of 60 columns and 40 rows; all values differ, and most exceed 8 bits."""
    return (np.arange(40 * 60, dtype=np.uint16).reshape(40, 60) * 20 + FIRST_ROW_VALUE).astype(np.uint16)


@pytest.fixture
def write_fits(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes an array to a FITS file and returns its path."""

    def write(array: NDArray[np.generic] | None, name: str = "field.fits", **options: object) -> Path:
        path = tmp_path / "plain-name.fits"
        with fitsio.FITS(str(path), "rw", clobber=True) as file:
            file.write(array, **options)
        return path.rename(tmp_path / name)

    return write


@pytest.fixture
def corpus() -> Path:
    """Return the folder of real images; skip the test if there is none."""
    beside = Path(__file__).parents[4] / "shared" / "data"
    folder = Path(os.environ.get("NOVA_TEST_CORPUS", beside))
    if not (folder / "manifest.json").is_file():
        pytest.skip(f"no corpus of real images: NOVA_TEST_CORPUS is not set and {folder} is absent")
    return folder
