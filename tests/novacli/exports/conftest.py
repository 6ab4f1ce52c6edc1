"""FITS files of several kinds for the tests of exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made_results as made
import numpy as np
import pytest
from astropy.io import fits

from novacli.exports.registry import SolvedField
from novacli.exports.request import OutputRequest, write_outputs
from novacli.jobs.request import JobRequest
from novacli.records.field import Origin
from novacli.solution.reading import read_solution
from novacli.wcs.sphere import separation_arcsec
from solvehost.formats.jobdir import REQUEST, JobDir

WIDTH, HEIGHT = 60, 40
SOLUTION = made.wcs_fits(WIDTH, HEIGHT, CRPIX1=31.5, CRPIX2=19.25)


def header_cards() -> list[tuple[Any, ...]]:
    """Return an old description of the sky among cards that must be kept."""
    return [
        ("OBJECT", "M 31", "a comment"),
        ("CTYPE1", "RA---TPV"), ("CTYPE2", "DEC--TPV"), ("CRVAL1", 1.0), ("CRVAL2", 2.0), ("CDELT1", 0.1),
        ("CDELT2", 0.1), ("CROTA2", 12.0), ("PV1_1", 1.0), ("PV2_1", 1.0), ("RADESYS", "ICRS"),
        ("CTYPE1A", "LINEAR"), ("CTYPE2A", "LINEAR"), ("CRPIX1A", 0.5), ("CRPIX2A", 0.5),
        ("CD1_1A", 2.0), ("CD2_2A", 2.0),
        ("HIERARCH ESO DET CHIP1 ID", "chip"), ("LONGNOTE", "words " * 30),
        ("HISTORY", "flat fielded"), ("COMMENT", "kept"), ("EXPTIME", 30.0),
    ]  # fmt: skip


def hdu_list() -> fits.HDUList:
    """Return two images and a table."""
    rng = np.random.default_rng(1)
    primary = fits.PrimaryHDU(rng.integers(0, 65535, (HEIGHT, WIDTH), dtype=np.uint16))
    for card in header_cards():
        primary.header.append(card, end=True)
    second = fits.ImageHDU(rng.normal(size=(HEIGHT, WIDTH)).astype("f4"), name="SCI")
    second.header["CTYPE1"] = "LINEAR"
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.arange(1000.0))])
    return fits.HDUList([primary, second, table])


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A FITS file of three HDUs with CHECKSUM and DATASUM."""
    path = tmp_path / "image.fits"
    hdu_list().writeto(path, checksum=True)
    return path


def origin(path: Path, hdu: int = 0, kind: str = "FITS") -> Origin:
    return Origin(str(path), str(path), kind, hdu)


STARS = [(100.0, 80.0), (400.5, 300.25), (650.0, 60.0)]


def solved_field(
    folder: Path, wcs: bytes, *, picture: Path | None = None, kind: str = "FITS", is_fits_like: bool = True
) -> SolvedField:
    """Return a solved field whose job has a star list, matches and a request; :data:`STARS` are matched."""
    job = JobDir(folder / "job")
    job.path.mkdir()
    job.wcs.write_bytes(wcs)
    job.axy(1).write_bytes(made.table_fits(made.AXY_COLUMNS, [(x, y, 9.0) for x, y in STARS]))
    corr = made.corr_fits(wcs, STARS)
    (job.path / "corr.fits").write_bytes(corr)
    places = [(7.5, *made.solution_of(wcs).pixel_to_sky(x, y)) for x, y in STARS]
    (job.path / "rdls.fits").write_bytes(made.table_fits(made.RDLS_COLUMNS, [*places, (9.0, 190.0, 56.0)]))
    job.write_json(REQUEST, JobRequest(input="img", is_fits_like=is_fits_like).to_json())
    path = None if picture is None else str(picture)
    solution = read_solution(job.path, is_fits_like=is_fits_like)
    return SolvedField(Origin(path or "img", path, kind, 0 if kind == "FITS" else None), job, 1, solution)


def export(field: SolvedField, name: str, target: Path) -> tuple[str, ...]:
    """Write one export, and return the notes for the user."""
    return write_outputs(OutputRequest({name: target}), field, None)[1]


def grid(width: int, height: int, count: int = 9) -> Any:
    """Return x and y of a grid of FITS pixels that reaches to the outer corners, as two arrays."""
    x, y = np.meshgrid(np.linspace(0.5, width + 0.5, count), np.linspace(0.5, height + 0.5, count))
    return x.ravel(), y.ravel()


def farthest_arcsec(one: Any, other: Any) -> float:
    """Return the largest separation between two lists of positions (arrays of RA and of Dec, degrees)."""
    pairs = zip(zip(*map(np.ravel, one), strict=True), zip(*map(np.ravel, other), strict=True), strict=True)
    return max(separation_arcsec(first, second) for first, second in pairs)
