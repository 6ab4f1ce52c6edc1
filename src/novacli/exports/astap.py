"""``--astap``: the solution as ASTAP's ``.ini``, which N.I.N.A., CCDCiel and other programs read.

ASTAP puts the reference point at the centre of the image, and counts the rows of every picture from the bottom of the
displayed image.

Source: the ASTAP documentation, "Command line", https://www.hnsky.org/astap.htm.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from novacli.exports.registry import Export, SolvedField

if TYPE_CHECKING:
    from novacli.wcs.tansip import TanSip


def _write(field: SolvedField, target: Path) -> tuple[str, ...]:
    from novacli.exports.linear import as_displayed, is_fits_like, nearest_tan
    from novacli.files.atomic import write_file

    linear = nearest_tan(field.solution.tan_sip, at_center=True)
    write_file(target, ini_text(as_displayed(linear.tan, is_fits_like=is_fits_like(field))).encode())
    return linear.notes(target)


def ini_text(tan: TanSip) -> str:
    """Return the content of the ``.ini`` of a solved image; ``tan`` counts rows from the bottom."""
    from novacli.exports.linear import scale_and_rotation

    (cdelt1, cdelt2), crota = scale_and_rotation(tan)
    (cd11, cd12), (cd21, cd22) = tan.cd
    numbers = {
        "CRPIX1": tan.crpix[0], "CRPIX2": tan.crpix[1], "CRVAL1": tan.crval[0], "CRVAL2": tan.crval[1],
        "CDELT1": cdelt1, "CDELT2": cdelt2, "CROTA1": crota, "CROTA2": crota,
        "CD1_1": cd11, "CD1_2": cd12, "CD2_1": cd21, "CD2_2": cd22,
    }  # fmt: skip
    lines = ["PLTSOLVD=T", *(f"{key}={value:.16E}" for key, value in numbers.items())]
    return "\n".join([*lines, f"DIMENSIONS={tan.width} x {tan.height}", ""])


def failed_ini_text(error: str) -> str:
    """Return the content of the ``.ini`` of an image that was not solved."""
    return f"PLTSOLVD=F\nERROR={error}\n"


def header_cards(solution: TanSip) -> list[bytes]:
    """Return the cards of ASTAP's ``.wcs`` without END; ``solution`` counts rows from the bottom."""
    from novacli.exports.linear import scale_and_rotation
    from novacli.wcs import header
    from solvehost.formats import fitsfile

    (cdelt1, cdelt2), crota = scale_and_rotation(solution)
    start = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 2, "NAXIS1": solution.width, "NAXIS2": solution.height}
    end = {"CDELT1": cdelt1, "CDELT2": cdelt2, "CROTA1": crota, "CROTA2": crota, "PLTSOLVD": True}
    pairs = [(fitsfile.card(key, value) for key, value in values.items()) for values in (start, end)]
    return [*pairs[0], *header.cards(solution), *pairs[1]]


EXPORT = Export("astap", ".ini", "the solution as the .ini file of ASTAP", _write)
