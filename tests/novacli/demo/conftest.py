"""An invented sky in a small index file with the engine's layout, so that most tests need no installed file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from novacli.demo.catalogue import Catalogue
from novacli.demo.scene import STAR_COUNTS
from solvehost.formats import fitsfile

SKY_STARS = 400_000
COMPLETE_MAG = 9.5


def _table(name: str, form: str, width: int, rows: int, data: bytes, *more: bytes) -> bytes:
    cards = [
        fitsfile.card("XTENSION", "BINTABLE"), fitsfile.card("BITPIX", 8), fitsfile.card("NAXIS", 2),
        fitsfile.card("NAXIS1", width), fitsfile.card("NAXIS2", rows), fitsfile.card("PCOUNT", 0),
        fitsfile.card("GCOUNT", 1), fitsfile.card("TFIELDS", 1), fitsfile.card("TFORM1", form),
        fitsfile.card("TTYPE1", name), *more,
    ]  # fmt: skip
    return fitsfile.end_header(cards) + fitsfile.pad_data(data)


def index_bytes(
    directions: NDArray[np.float64],
    magnitudes: NDArray[np.floating],
    *,
    band: str | None = "MAG_VT",
    healpix: int = -1,
    stored: str = "u32",
    endian: str = "<",
) -> bytes:
    """Return a file with the parts of an index file that hold stars; positions as ``stored``, in that byte order."""
    count = len(directions)
    words: dict[str, fitsfile.CardValue] = {
        "SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "INDEXID": 4107, "HEALPIX": healpix, "HPNSIDE": 0,
        "NSTARS": count, "NQUADS": 0, "SCALE_L": 0.006, "SCALE_U": 0.009,
    }  # fmt: skip
    primary = fitsfile.end_header([fitsfile.card(k, v) for k, v in words.items()])
    tree = [fitsfile.card("KDT_NDAT", count), fitsfile.card("KDT_NDIM", 3), fitsfile.card("KDT_DATA", stored)]
    tree.append(fitsfile.card("ENDIAN", "04:03:02:01" if endian == "<" else "01:02:03:04"))
    steps = (2**32 - 1) / 2
    points = directions if stored == "double" else np.rint((directions + 1) * steps)
    kind = {"u32": "u4", "double": "f8"}[stored]
    data = points.astype(endian + kind).tobytes()
    limits = np.array([-1, -1, -1, 1, 1, 1, steps], endian + "f8").tobytes()
    parts = [primary, _table("kdtree_header_stars", "0A", 0, 0, b"", *tree)]
    parts += [_table("kdtree_range_stars", "8A", 8, 7, limits)] if stored != "double" else []
    width = 3 * np.dtype(kind).itemsize
    parts.append(_table("kdtree_data_stars", f"{width}A", width, count, data))
    parts.append(_table("sweep", "1B", 1, count, bytes(count)))
    if band is not None:
        parts.append(_table(band, "1E", 4, count, magnitudes.astype(">f4").tobytes()))
    return b"".join(parts)


@pytest.fixture
def write_index(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes an index file from directions, magnitudes and options."""

    def write(
        directions: NDArray[np.float64],
        magnitudes: NDArray[np.floating],
        name: str = "index-4107.fits",
        **options: object,
    ) -> Path:
        path = tmp_path / name
        path.write_bytes(index_bytes(directions, magnitudes, **options))  # type: ignore[arg-type]
        return path

    return write


def random_sky(count: int, seed: int = 1) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return directions over the whole sphere, and magnitudes that follow the sky's counts to COMPLETE_MAG."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    magnitudes, log_counts = np.array(STAR_COUNTS).T
    grid = np.linspace(1.0, COMPLETE_MAG, 500)
    share = 10 ** np.interp(grid, magnitudes, log_counts)
    return directions, np.interp(rng.uniform(share[0], share[-1], count), share, grid)


@pytest.fixture(scope="session")
def sky_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index file of a whole invented sky."""
    path = tmp_path_factory.mktemp("indexes") / "index-4107.fits"
    path.write_bytes(index_bytes(*random_sky(SKY_STARS)))
    return path


@pytest.fixture(scope="session")
def sky(sky_index: Path) -> Catalogue:
    """The catalogue of that sky."""
    return Catalogue.open(sky_index)
