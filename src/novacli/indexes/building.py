"""Build index files from a catalogue of stars, by the engine's own builder (``build-astrometry-index``).

The builder works in a folder of its own beside the result.  What it made is checked before it takes its name, and its
checksum is added to the list of the folder.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from novacli.errors import DataError, InputMissingError, OutputError, UnavailableError, UsageError
from novacli.files.atomic import as_output_error
from novacli.indexes.checksums import add_to_list
from novacli.indexes.series import QUADS_ARCMIN
from novacli.indexes.structure import check_content
from novacli.text.printable import printable_line, shown_name
from solvehost.engine import program
from solvehost.engine.process import EngineLimits, EngineProcess, wait_for_any
from solvehost.formats import fitsfile
from solvehost.record import record

BUILDER = "build-astrometry-index"
#: INDEXID of a built file of scale n is this number plus n; published series have other numbers.
_FIRST_ID = 9900
_LIMITS = EngineLimits(cpu_s=7 * 86_400, data_bytes=2**40, file_bytes=2**40)
_WAIT_S = 0.5
#: Usual names of columns, best first, in lower case.
_RA_NAMES = ("ra", "raj2000", "ra_icrs", "_raj2000", "ra_j2000", "alpha_j2000", "radeg", "ra_deg")
_DEC_NAMES = ("dec", "dej2000", "decj2000", "de_icrs", "_dej2000", "dec_j2000", "delta_j2000", "dedeg", "dec_deg")
_MAG_NAMES = ("mag", "vmag", "gmag", "phot_g_mean_mag", "vtmag", "mag_vt", "rmag", "jmag", "magnitude")


@record
class CatalogueTable:
    """The table of a catalogue: its file, its HDU counted from 0, and the names of its columns."""

    path: Path
    hdu: int
    ra: str
    dec: str
    mag: str


def read_catalogue(path: Path, ra: str | None, dec: str | None, mag: str | None) -> CatalogueTable:
    """Return the first table of a FITS file that has positions and magnitudes.

    Parameters
    ----------
    path
        The catalogue.
    ra, dec, mag
        Names of the columns with right ascension and declination (degrees) and with magnitudes; None for usual names.

    Raises
    ------
    InputMissingError
        If there is no such file.
    DataError
        If it is no FITS file, or holds no such table.
    """
    shown = shown_name(str(path))
    try:
        with path.open("rb") as stream:
            headers = [header for header, _ in fitsfile.iter_hdus(stream)]
    except FileNotFoundError as exc:
        raise InputMissingError(f"{shown} is not there: check the name") from exc
    except (OSError, DataError) as exc:
        raise DataError(f"{shown}: it cannot be read as FITS ({exc}): convert the catalogue, as with astropy") from exc
    wanted = {"ra": (ra, _RA_NAMES), "dec": (dec, _DEC_NAMES), "mag": (mag, _MAG_NAMES)}
    missing = "ra"
    for number, header in enumerate(headers):
        columns = [str(header[f"TTYPE{n}"]) for n in range(1, 1000) if f"TTYPE{n}" in header]
        found = {option: _find(columns, name, usual) for option, (name, usual) in wanted.items()}
        chosen = [found[option] for option in wanted]
        if header.get("XTENSION") == "BINTABLE" and None not in chosen:
            return CatalogueTable(path, number, *(str(name) for name in chosen))
        missing = next((option for option in wanted if found[option] is None), missing) if columns else missing
    stated = wanted[missing][0]
    what = f"no column {stated!r}" if stated is not None else f"no column with a usual name for --{missing}"
    raise DataError(f"{shown}: it has {what}: name the column by --{missing}")


def _find(columns: Sequence[str], name: str | None, usual: Sequence[str]) -> str | None:
    """Return the column called ``name``, or the first with a usual name."""
    if name is not None:
        return name if name in columns else None
    lower = {column.lower(): column for column in reversed(columns)}
    return next((lower[word] for word in usual if word in lower), None)


def target_of(catalogue: CatalogueTable, folder: Path, scale: int) -> Path:
    """Return the file for a scale, named after the catalogue.

    Raises
    ------
    UsageError
        If there is no such scale.
    """
    if scale >= len(QUADS_ARCMIN):
        raise UsageError(f"there is no scale {scale}: the scales are 0 to {len(QUADS_ARCMIN) - 1}")
    stem = re.sub(r"[^A-Za-z0-9]+", "", catalogue.path.name.partition(".")[0]).lower() or "own"
    # Without a letter in front, the name could be that of a published file.
    return folder / f"index-{stem if stem[0].isalpha() else 'own' + stem}-{scale:02d}.fits"


def find_builder(engine: Path | None) -> Path:
    """Return the path of the builder, beside the engine or on the search path.

    Raises
    ------
    UnavailableError
        If it is not installed.
    """
    if engine is not None and (beside := engine.with_name(BUILDER)).is_file():
        return beside
    try:
        return program.find_engine(BUILDER)
    except UnavailableError as exc:
        raise UnavailableError(f"{exc}; it comes with the engine") from exc


def build(builder: Path, catalogue: CatalogueTable, scale: int, target: Path) -> int:
    """Build the index file of one scale; return its number of quads.

    Parameters
    ----------
    builder
        The builder's path.
    catalogue
        The catalogue.
    scale
        Number of the scale.
    target
        The file to write; it is replaced if it exists.

    Raises
    ------
    DataError
        If the builder fails, as with too few stars.
    OutputError
        If the file cannot be written.
    """
    try:
        work = Path(tempfile.mkdtemp(prefix=".nova-build-", dir=target.parent))
    except OSError as exc:
        raise as_output_error(target, exc) from exc
    try:
        made = work / "made.fits"
        _run([str(builder), *_arguments(catalogue, scale, made)], work)
        quads = check_content(made).quads
        made.replace(target)
        add_to_list(target)
    except DataError as exc:
        raise DataError(f"{shown_name(str(catalogue.path))}: scale {scale}: {exc}") from exc
    except OSError as exc:
        raise as_output_error(target, exc) from exc
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return quads


def _arguments(catalogue: CatalogueTable, scale: int, made: Path) -> list[str]:
    """Return the builder's arguments; ``-E`` has it look only where the catalogue has stars."""
    return [
        "-i", str(catalogue.path.absolute()), "-e", str(catalogue.hdu), "-o", str(made), "-P", str(scale),
        "-A", catalogue.ra, "-D", catalogue.dec, "-S", catalogue.mag, "-I", str(_FIRST_ID + scale),
        "-E", "-t", str(made.parent),
    ]  # fmt: skip


def _run(command: list[str], work: Path) -> None:
    """Run the builder in its folder; raise if it made no file."""
    log = work / "log"
    child = EngineProcess(command, work, log, _LIMITS)
    try:
        while not child.poll():
            wait_for_any([child], _WAIT_S)
    finally:
        child.kill()
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    if child.exit_status != 0 or not (work / "made.fits").is_file():
        error_line = next((line for line in reversed(lines) if ".c:" in line), lines[-1] if lines else "")
        reason = printable_line(error_line.rpartition(": ")[2] or f"exit status {child.exit_status}")
        if "No space left" in error_line:
            raise OutputError(f"{work.parent}: the disk is full: free some space, or choose another --dir")
        raise DataError(f"{BUILDER} failed: {reason}: check that the catalogue has enough stars for this scale")
