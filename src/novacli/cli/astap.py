"""``nova-astap``: solve an image by the command line, the result files and the exit codes of ASTAP.

N.I.N.A., CCDCiel and other programs start ASTAP for each image, and read ``IMAGE.ini`` or ``IMAGE.wcs`` afterwards.
Options that steer ASTAP's own method are accepted and ignored.

Sources: the ASTAP documentation, "Command line", https://www.hnsky.org/astap.htm; the calls in the sources of N.I.N.A.
(ASTAPSolver) and CCDCiel (cu_astrometry_engine).
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from novacli.errors import (
    DataError,
    DeniedError,
    InputMissingError,
    NovaError,
    OutputError,
    UnavailableError,
    UsageError,
    fault_text,
)
from novacli.text.angles import format_dec_dms, format_ra_hms
from novacli.text.printable import printable_line
from solvehost.record import record

if TYPE_CHECKING:
    from novacli.exports.update import Stamp
    from novacli.pipeline.context import Solved
    from novacli.records.field import Field
    from novacli.records.params import SolveParams
    from novacli.solution.reading import Solution

_NO_SOLUTION, _FEW_STARS, _UNREADABLE, _NO_INDEX = 1, 2, 16, 32
_USAGE = """nova-astap: solve an image as ASTAP does, with nova's engine and index files
-f    FILE     the image
-fov  DEGREES  height of the field, 0 if it is not known
-ra   HOURS    right ascension of the centre
-spd  DEGREES  its south pole distance (declination + 90)
-r    DEGREES  search radius; 180 for the whole sky
-o    FILE     base of the names of the result files
-wcs           write the .wcs in FITS format in place of lines
-sip           with the distortion
-update        put the solution into the header of a FITS image, or write a FITS copy of another picture
-log           write a .log
Others are accepted and ignored. The result is in FILE.ini and FILE.wcs.
"""
#: Options with a value, and those without; the value of -check may be missing.
_WITH_VALUE = frozenset(
    (
        "f",
        "r",
        "fov",
        "ra",
        "spd",
        "s",
        "t",
        "m",
        "z",
        "d",
        "D",
        "o",
        "speed",
        "analyse",
        "extract",
        "extract2",
        "threads",
    )
)
_REFUSED = ("analyse", "extract", "extract2")
#: By how much the stated height of the field may be wrong, percent.
_FOV_ERROR_PERCENT = 25.0
_WHOLE_SKY_DEG = 180.0


@record
class AstapCall:
    """What a call asks for.

    Attributes
    ----------
    image
        The image to solve.
    base
        Path of the result files without their endings.
    fov_deg
        Height of the field, degrees; None if it is not known.
    center_deg
        RA and Dec of the centre, degrees; None if they are not known.
    radius_deg
        Search radius around the centre.
    flags
        The options without a value that were given, without their hyphens.
    """

    image: str
    base: Path
    fov_deg: float | None = None
    center_deg: tuple[float, float] | None = None
    radius_deg: float = _WHOLE_SKY_DEG
    flags: frozenset[str] = frozenset()

    @property
    def ini(self) -> Path:
        """The file with the outcome."""
        return Path(f"{self.base}.ini")

    @property
    def wcs(self) -> Path:
        """The file with the solution as a header."""
        return Path(f"{self.base}.wcs")


def parse_call(arguments: Sequence[str]) -> AstapCall:
    """Return what a command line asks for.

    Raises
    ------
    UsageError
        If there is no image, a value is no number, or the call asks for an analysis.
    """
    values: dict[str, str] = {}
    flags: set[str] = set()
    words = list(arguments)
    while words:
        word = words.pop(0)
        name = word.lstrip("-")
        if not word.startswith("-"):
            continue  # the optional value of -check
        if name in _WITH_VALUE:
            values[name] = words.pop(0) if words else ""
        else:
            flags.add(name)
    refused = next((name for name in _REFUSED if name in values), None)
    if refused is not None:
        raise UsageError(f"-{refused} is not supported: nova-astap only solves")
    image = values.get("f", "")
    if not image:
        raise UsageError("no image is given: give -f FILE")
    stem = Path(os.path.splitext(values.get("o") or image)[0])  # noqa: PTH122 - Path refuses some names
    numbers = {name: _number(name, values[name]) for name in ("fov", "ra", "spd", "r") if name in values}
    center = (numbers["ra"] * 15 % 360, numbers["spd"] - 90) if {"ra", "spd"} <= numbers.keys() else None
    radius = numbers.get("r", _WHOLE_SKY_DEG)
    return AstapCall(image, stem, numbers.get("fov") or None, center, radius, frozenset(flags))


def _number(name: str, text: str) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = float("nan")
    if not abs(value) < 1e6:
        raise UsageError(f"-{name} {text!r} is not a number")
    return value


def main() -> None:
    """Run ``nova-astap``; the outcome is in the ``.ini``, the exit code is ASTAP's."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    arguments = sys.argv[1:]
    if not arguments or {"-h", "--help"} & set(arguments):
        print(_USAGE, end="")
        sys.exit(0)
    try:
        call = parse_call(arguments)
    except UsageError as exc:
        print(f"nova-astap: {printable_line(str(exc))}", file=sys.stderr)
        sys.exit(_NO_SOLUTION)
    command_line = f"CMDLINE={printable_line(shlex.join(sys.argv))}\n"
    try:
        sys.exit(_run(call, command_line))
    except NovaError as exc:
        _fail(call, command_line, str(exc))
        sys.exit(_exit_code(exc))
    except KeyboardInterrupt:
        sys.exit(_NO_SOLUTION)
    except Exception as exc:
        if os.environ.get("NOVA_DEBUG"):
            raise
        _fail(call, command_line, fault_text(exc))
        sys.exit(_NO_SOLUTION)


def _exit_code(exc: NovaError) -> int:
    if isinstance(exc, InputMissingError | DataError | DeniedError):
        return _UNREADABLE
    return _NO_INDEX if isinstance(exc, UnavailableError) else _NO_SOLUTION


def _fail(call: AstapCall, command_line: str, message: str) -> None:
    """Print why an image was not solved, and write it to the ``.ini`` if that can be written."""
    from novacli.exports.astap import failed_ini_text
    from novacli.files.atomic import write_file

    line = printable_line(message)
    print(f"nova-astap: {line}", file=sys.stderr)
    with contextlib.suppress(NovaError):
        _check_target(call.ini, call.image)
        write_file(call.ini, (failed_ini_text(line) + command_line).encode(errors="backslashreplace"))


def _check_target(target: Path, image: str) -> None:
    """Raise if a result file would replace the image, another image or a folder."""
    from novacli.exports.targets import Target, check_targets, input_identities
    from novacli.inputs.kinds import FileInput

    check_targets([Target("-o", target)], input_identities([FileInput(image)]), overwrite=True)


def _run(call: AstapCall, command_line: str) -> int:
    """Solve the image and write the result files; return the exit code."""
    from novacli.exports.update import Stamp
    from novacli.inputs import FileInput, open_field
    from novacli.solution.reading import Solution

    for target in (call.ini, call.wcs):
        _check_target(target, call.image)
    stamp = None
    with contextlib.suppress(OSError, ValueError):
        stamp = Stamp.of(call.image)
    field = open_field(FileInput(call.image))
    solved = _solve(field, _params(call, field))
    if "log" in call.flags:
        _copy_log(solved, call)
    if not isinstance(solved.answer, Solution):
        is_poor = solved.result.reason == "no-stars"
        _fail(call, command_line, "Not enough stars." if is_poor else "No solution found.")
        return _FEW_STARS if is_poor else _NO_SOLUTION
    warning = _write_image(call, field, solved.answer, stamp) if "update" in call.flags else None
    _write_results(call, solved.answer, command_line, warning, is_fits_like=field.is_fits_like)
    place = solved.answer.calibration
    print(f"Solution found: {format_ra_hms(place.ra)} {format_dec_dms(place.dec)}")
    return 0


def _params(call: AstapCall, field: Field) -> SolveParams:
    from novacli.records.params import Position, Scale, ScaleUnit, SolveParams

    scale = position = None
    if call.fov_deg is not None:
        arcsec_per_pixel = call.fov_deg * 3600 / field.height
        scale = Scale.from_estimate(arcsec_per_pixel, _FOV_ERROR_PERCENT, ScaleUnit.ARCSEC_PER_PIXEL)
    if call.center_deg is not None and 0 < call.radius_deg < _WHOLE_SKY_DEG:
        position = Position(*call.center_deg, call.radius_deg)
    return SolveParams(scale=scale, position=position)


def _solve(field: Field, params: SolveParams) -> Solved:
    from dataclasses import replace

    from novacli import backends
    from novacli import config as configuration
    from novacli.jobs import retention
    from novacli.matchers.patterns import installed_matcher
    from novacli.pipeline.context import Context
    from novacli.pipeline.solve import solve_field
    from novacli.rigs.store import RigStore

    config = configuration.load()
    rigs = RigStore(config.folders.rigs_file) if config["learn"] else None
    backend = backends.connect("local", config)
    context = Context(config["jobs_dir"], backend, rigs=rigs, matcher=installed_matcher(config))
    solved = solve_field(field, replace(params, timeout_s=config["timeout_s"]), context)
    retention.sweep_if_due(config)
    if solved.error is not None:
        raise solved.error
    return solved


def _copy_log(solved: Solved, call: AstapCall) -> None:
    """Copy the engine's log to the ``.log``; a job without engines has none."""
    log = solved.result.files.get("log")
    if log is not None:
        with contextlib.suppress(OSError):
            shutil.copyfile(log, f"{call.base}.log")


def _write_image(call: AstapCall, field: Field, solution: Solution, stamp: Stamp | None) -> str | None:
    """Put the solution into the image, or write a FITS copy of another picture; return a warning if that failed."""
    from novacli.exports.fits_copy import new_fits
    from novacli.exports.update import update_in_place

    try:
        if field.origin.format == "FITS" and stamp is not None:
            update_in_place(field.origin, solution.files.wcs, stamp)
            return None
        copy = Path(f"{call.base}.fits")
        if copy.exists():
            raise OutputError(f"{copy}: the file exists already: remove it")
        new_fits(field.origin, solution.files.wcs, copy)
    except NovaError as exc:
        return printable_line(str(exc))
    return None


def _write_results(
    call: AstapCall, solution: Solution, command_line: str, warning: str | None, *, is_fits_like: bool
) -> None:
    """Write the ``.wcs``, and the ``.ini`` last, for which programs wait."""
    from novacli.exports.astap import header_cards, ini_text
    from novacli.exports.linear import as_displayed, nearest_tan
    from novacli.files.atomic import write_file
    from solvehost.formats import fitsfile

    tan = as_displayed(nearest_tan(solution.tan_sip, at_center=True).tan, is_fits_like=is_fits_like)
    full = as_displayed(solution.tan_sip, is_fits_like=is_fits_like) if "sip" in call.flags else tan
    cards = header_cards(full)
    lines = b"".join(card.rstrip() + b"\n" for card in [*cards, b"END"])
    write_file(call.wcs, fitsfile.end_header(cards) if "wcs" in call.flags else lines)
    ini = ini_text(tan) + command_line + (f"WARNING={warning}\n" if warning else "")
    write_file(call.ini, ini.encode(errors="backslashreplace"))


if __name__ == "__main__":
    main()
