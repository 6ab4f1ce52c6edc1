"""Fit the solution of a job again, and replace its files if the new solution is better.

In ``wcs.fits`` the description of the sky is replaced; the COMMENT cards, in which the engine describes its match,
stay.  ``corr.fits`` gets the stars that the new solution matches, with their positions by the new solution.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from novacli.errors import NovaError, fault_text
from novacli.fits import cards as fitscards
from novacli.fits import celestial
from novacli.fits.tables import read_table
from novacli.solution import tables
from novacli.wcs import header, refit
from novacli.wcs.refit import Matched, Refit
from novacli.wcs.tansip import TanSip
from solvehost.formats import atomic, fitsfile, jobdir
from solvehost.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Files and tables larger than this were not written by the engine, and are left as they are.
_MAX_BYTES, _MAX_STARS, _MAX_COMPARED = 16 * 2**20, 5000, 2_000_000
#: A new solution is taken if its leave-one-out RMS is at most this factor above that of the engine's solution, which
#: has more parameters, and if it matches at least this share of the stars.
_HELD_OUT_FACTOR, _MATCHED_FACTOR = 1.25, 0.6


@record
class Judgement:
    """How well a solution predicts stars that were left out of its fit, and the image's corners.

    Attributes
    ----------
    heldout_rms_arcsec
        Root mean square of the leave-one-out residuals.
    corner_error_arcsec
        Estimated error at the worst corner; None if it cannot be estimated.
    is_new
        Whether the solution replaced the engine's.
    """

    heldout_rms_arcsec: float
    corner_error_arcsec: float | None
    is_new: bool

    @classmethod
    def of(cls, found: Refit, solution: TanSip, *, is_new: bool) -> Judgement:
        """Return the judgement of a fit, its pixels converted by the solution's pixel scale."""
        scale, corner_px = solution.pixscale_arcsec, found.corner_error_px
        return cls(found.heldout_rms_px * scale, None if corner_px is None else corner_px * scale, is_new)


class FitError(Exception):
    """The solution could not be fitted again, so the engine's stands; the message is a note for the user."""


@record
class _EngineFiles:
    """What the engine left: its solution, the bytes and the table of ``corr.fits``, the matched stars."""

    solution: TanSip
    corr: bytes
    table: NDArray[np.void]
    matched: Matched


def improve(job: jobdir.JobDir, *, keep: bool) -> Judgement | None:
    """Fit the solution of a job again, and replace its files if the new solution is better.

    Parameters
    ----------
    job
        A job directory with the files of a solved attempt.
    keep
        Only judge the engine's solution.

    Returns
    -------
    Judgement or None
        None if there are too few stars to judge, or if the files cannot be read; the reader of the solution then
        reports what is wrong with them.

    Raises
    ------
    FitError
        If the fit fails, or the new files cannot be written.
    """
    engines = _read_engine_files(job)
    if engines is None:
        return None
    try:
        with np.errstate(all="ignore"):
            return _fit_again(job, engines, keep=keep)
    except (OSError, NovaError) as exc:
        raise FitError(f"a better solution could not be written ({exc}): this is the engine's") from exc
    except (ArithmeticError, np.linalg.LinAlgError) as exc:
        raise FitError(f"the solution could not be fitted again ({exc}): it is the engine's") from exc
    except Exception as exc:
        if os.environ.get("NOVA_DEBUG"):
            raise
        # A fault of ours must not cost the user the engine's solution, and must not go unnoticed.
        raise FitError(f"the solution is the engine's, since it could not be fitted again: {fault_text(exc)}") from exc


def _read_engine_files(job: jobdir.JobDir) -> _EngineFiles | None:
    try:
        corr = _bytes(job.path / jobdir.CORR)
        table = read_table(corr)
        files = _EngineFiles(header.read_wcs(job.wcs), corr, table, Matched(*tables.pairs(table)))
    except (NovaError, OSError, ValueError):
        return None
    return files if len(files.matched) <= _MAX_STARS else None


def _fit_again(job: jobdir.JobDir, engines: _EngineFiles, *, keep: bool) -> Judgement | None:
    found = None if keep else refit.refit(engines.solution, engines.matched, *_all_stars(job))
    if found is not None and found.tan_sip is not None and _is_worth_it(found, engines):
        corr = new_corr(engines.corr, engines.table, found, found.tan_sip)
        atomic.write_atomic(job.path / jobdir.CORR, corr, durable=False)
        atomic.write_atomic(job.wcs, new_wcs(_bytes(job.wcs), found, found.tan_sip), durable=False)
        return Judgement.of(found, found.tan_sip, is_new=True)
    own = refit.assess(engines.solution, engines.matched)
    return None if own is None else Judgement.of(own, engines.solution, is_new=False)


def _is_worth_it(found: Refit, engines: _EngineFiles) -> bool:
    if len(found.matched) < _MATCHED_FACTOR * len(engines.matched):
        return False
    own_rms_px = refit.engine_heldout_rms_px(engines.solution, engines.matched)
    return own_rms_px is None or found.heldout_rms_px <= _HELD_OUT_FACTOR * own_rms_px


def _bytes(path: Path) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise ValueError(f"{path} is too large")
    return data


def _all_stars(job: jobdir.JobDir) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Return (x, y) of the image's stars and (ra, dec) of the reference stars; None for both if one is missing.

    The stars of all attempts count, since a single attempt may use only a part of the image.
    """
    lists = [_columns(job.axy(n), ("X", "Y")) for n in job.attempts()]
    here, there = [stars for stars in lists if stars is not None], _columns(job.path / jobdir.RDLS, ("RA", "DEC"))
    if not here or there is None:
        return None, None
    field, _ = np.unique(np.concatenate(here, axis=1), axis=1, return_index=True)  # else numpy.ma is imported
    return (field, there) if field.shape[1] * there.shape[1] <= _MAX_COMPARED else (None, None)


def _columns(path: Path, names: tuple[str, str]) -> NDArray[np.float64] | None:
    """Return two columns of a table, shape (2, n); None if it cannot be read or has no rows."""
    try:
        table = read_table(_bytes(path))
        both = np.stack([table[name].astype(np.float64) for name in names])
    except (NovaError, OSError, ValueError):
        return None
    return both if both.ndim == 2 and both.size and np.isfinite(both).all() else None


# --- wcs.fits ----------------------------------------------------------------------------------------------------


def new_wcs(engines: bytes, found: Refit, solution: TanSip) -> bytes:
    """Return a ``wcs.fits`` with the new description of the sky and all other cards of the engine."""
    history = f"Fitted again by nova: {found.model}, {len(found.matched)} stars"
    return fitsfile.end_header(celestial.replace_celestial(fitscards.split(engines), header.cards(solution), history))


# --- corr.fits ---------------------------------------------------------------------------------------------------


def new_corr(engines: bytes, table: NDArray[np.void], found: Refit, solution: TanSip) -> bytes:
    """Return a ``corr.fits`` with the stars that the new solution matches.

    Pairs of the engine keep their row, with new positions; a new pair has only positions and a match weight of 1.

    Parameters
    ----------
    engines
        The engine's file.
    table
        Its table.
    found
        The new fit, with its matched stars.
    solution
        The new solution, which gives the positions.
    """
    rows = np.zeros(len(found.matched), table.dtype)
    known = {(float(r["field_x"]), float(r["index_ra"]), float(r["index_dec"])): r for r in table}
    matched = found.matched
    columns = (column.tolist() for column in (matched.x, matched.y, matched.ra, matched.dec))
    for n, (x, y, ra, dec) in enumerate(zip(*columns, strict=True)):
        here, there = solution.pixel_to_sky(x, y), solution.sky_to_pixel(ra, dec) or (np.nan, np.nan)
        values = {"field_x": x, "field_y": y, "field_ra": here[0], "field_dec": here[1]}
        values |= {"index_x": there[0], "index_y": there[1], "index_ra": ra, "index_dec": dec}
        if (x, ra, dec) in known:
            rows[n] = known[x, ra, dec]
        else:
            values |= {"index_id": -1, "field_id": -1, "match_weight": 1.0}
        for name in values.keys() & set(table.dtype.names or ()):
            rows[name][n] = values[name]
    return _with_rows(engines, rows)


def _with_rows(file: bytes, rows: NDArray[np.void]) -> bytes:
    """Return a FITS file of one binary table with its rows replaced."""
    primary = next(at for at in range(0, len(file), fitsfile.BLOCK) if file[at : at + 8] == b"XTENSION")
    header = [
        fitsfile.card("NAXIS2", len(rows)) if fitscards.keyword(card) == "NAXIS2" else card
        for card in fitscards.split(file[primary:])
    ]
    data = rows.astype(rows.dtype.newbyteorder(">")).tobytes()
    return file[:primary] + fitsfile.end_header(header) + fitsfile.pad_data(data)
