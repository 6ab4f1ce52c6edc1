"""Read a finished job directory: ``Solution``, or ``Unsolved`` if no attempt solved the image.  Frozen records.

A solution holds the bytes of its result files, not their paths: it outlives the job directory.  What is costly or
seldom asked for (astropy's WCS, the tables) is built on first use.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from novacli.errors import DataError
from novacli.records.calibration import Calibration, Match
from novacli.solution import engine_comments
from novacli.solution.engine_comments import QuadMatch
from novacli.solution.files import ResultFiles, read_result_file
from novacli.solution.own_wcs import refit_history, wcs_file, without_wrong_inverse
from novacli.wcs.header import from_header
from novacli.wcs.sphere import wrap_degrees
from novacli.wcs.tansip import TanSip
from solvehost.formats import fitsfile, jobdir
from solvehost.record import record

if TYPE_CHECKING:
    from astropy.table import QTable
    from astropy.wcs import WCS

    from solvehost.indexes.index_file import IndexFile


@dataclass(frozen=True)
class Solution:
    """A solved image: its calibration, its match and the result files.

    ``files.wcs`` was written anew from the values that were read, so it equals ``tan_sip``.
    """

    calibration: Calibration
    match: Match
    tan_sip: TanSip
    files: ResultFiles = field(repr=False)

    @cached_property
    def wcs(self) -> WCS:
        """The world coordinates as astropy's object; its pixel origin is what astropy's methods are told."""
        from novacli.solution import tables

        return tables.astropy_wcs(self.tan_sip)

    @cached_property
    def sources(self) -> QTable:
        """The stars found in the image, best first: ``x`` and ``y`` (FITS pixels, from 1) and ``flux``."""
        from novacli.solution import tables

        return tables.with_units(tables.sources(self.files))

    @cached_property
    def stars(self) -> QTable:
        """The reference stars of the field: the columns of :func:`novacli.solution.tables.stars`, with units."""
        from novacli.solution import tables

        return tables.with_units(tables.stars(self.files, self.tan_sip))


@record
class Unsolved:
    """An image that no attempt solved: a result, not an error.

    ``attempts`` is the number of attempts that were made, ``seconds`` the wall-clock time that they took.
    """

    reason: str
    attempts: int
    seconds: float


def read_solution(
    directory: Path,
    *,
    is_fits_like: bool,
    attempt: int = 1,
    index_files: Sequence[IndexFile] = (),
    max_matches: int | None = None,
) -> Solution:
    """Return the solution in a job directory.

    Parameters
    ----------
    directory
        The job directory, with ``wcs.fits`` and the optional tables.
    is_fits_like
        Whether the image's y axis points up when it is displayed; decides what "up" means.
    attempt
        Number of the attempt that solved it; its star list is read.
    index_files
        Index files whose headers are known; they help to name the one that matched.
    max_matches
        Maximum number of rows of ``corr.fits``; None for any number.

    Raises
    ------
    DataError
        If a file is missing, damaged or implausible; the message names it.
    """
    job = jobdir.JobDir(directory)
    wcs_bytes = read_result_file(job.wcs)
    if wcs_bytes is None:
        raise DataError(f"{job.wcs}: no such file: the job has no solution; run nova retry {job.job_id}")
    try:
        header = fitsfile.read_header(io.BytesIO(wcs_bytes))
        tan_sip = without_wrong_inverse(from_header(header))
    except DataError as exc:
        raise DataError(f"{job.wcs}: {exc}; solve the image again") from exc
    quad = engine_comments.read(header.comments, index_files)
    files = ResultFiles(
        wcs=wcs_file(tan_sip, quad, refit_history(wcs_bytes)),
        corr=read_result_file(directory / jobdir.CORR),
        rdls=read_result_file(directory / jobdir.RDLS),
        axy=read_result_file(job.axy(attempt)),
    )
    match = _match(quad, _separations(files, tan_sip, directory / jobdir.CORR, max_matches), tan_sip.sip_order)
    return Solution(calibration_of(tan_sip, is_fits_like=is_fits_like), match, tan_sip, files)


def calibration_of(tan_sip: TanSip, *, is_fits_like: bool) -> Calibration:
    """Return the calibration of an image whose y axis points up (``is_fits_like``) or down when it is displayed."""
    ra, dec = tan_sip.tan_pixel_to_sky(*tan_sip.center_px)
    pixscale = tan_sip.pixscale_arcsec
    orientation = tan_sip.orientation_deg()
    return Calibration(
        ra=ra,
        dec=dec,
        radius=pixscale * math.hypot(tan_sip.width, tan_sip.height) / 2 / 3600,
        pixscale=pixscale,
        orientation=orientation if is_fits_like else wrap_degrees(180 - orientation),
        parity=tan_sip.parity,
        width_arcsec=tan_sip.width * pixscale,
        height_arcsec=tan_sip.height * pixscale,
        up_deg_e_of_n=tan_sip.up_deg_e_of_n(is_fits_like=is_fits_like),
    )


def _separations(files: ResultFiles, tan_sip: TanSip, path: Path, max_matches: int | None) -> list[float] | None:
    """Return the separations of the matched stars from their reference stars, arcsec; None if there is no list."""
    if files.corr is None:
        return None
    from novacli.solution import tables

    try:
        return tables.separations_arcsec(files.corr, tan_sip, max_matches)
    except DataError as exc:
        raise DataError(f"{path}: {exc}; solve the image again") from exc


def _match(quad: QuadMatch, separations: list[float] | None, sip_order: int) -> Match:
    rms = None
    if separations:
        rms = math.sqrt(math.fsum(s * s for s in separations) / len(separations))
    return Match(
        index=quad.index,
        index_id=quad.index_id,
        n=quad.matched if separations is None else len(separations),
        rms_arcsec=rms,
        logodds=quad.logodds,
        sip_order=sip_order,
    )
