"""``--moc``: the part of the sky that the image covers, as a multi-order coverage map for Aladin, TOPCAT and archives.

The file is FITS; with a name that ends in ``.json``, it is JSON.  It needs the extra ``moc``.

Source: IVOA Recommendation "MOC: Multi-Order Coverage map", version 2.0.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from novacli.errors import UnavailableError
from novacli.exports.registry import Export, SolvedField

#: Cells are at most this fraction of the image's smaller side wide.
_CELL_FRACTION = 1 / 64
_MAX_ORDER = 29
#: Width of a cell of order 0, degrees: the square root of a twelfth of the sky.
_ORDER_0_DEG = 58.6


def _write(field: SolvedField, target: Path) -> None:
    from novacli.files.atomic import write_file

    coverage = _coverage(field)
    if target.suffix.lower() == ".json":
        write_file(target, (json.dumps(coverage.serialize("json")) + "\n").encode())
    else:
        write_file(target, _fits_bytes(coverage))


def _coverage(field: SolvedField) -> Any:
    """Return the image's coverage as mocpy's object."""
    try:
        from astropy import units
        from mocpy import MOC
    except ImportError as exc:
        raise UnavailableError("--moc needs the package mocpy: pip install 'novacli[moc]'") from exc
    from novacli.exports.outline import outline_deg

    solution = field.solution.tan_sip
    side_deg = min(solution.width, solution.height) * solution.pixscale_arcsec / 3600
    order = math.ceil(math.log2(_ORDER_0_DEG / (side_deg * _CELL_FRACTION)))
    points = outline_deg(solution)
    ra, dec = (units.Quantity([point[n] for point in points], "deg") for n in (0, 1))
    return MOC.from_polygon(ra, dec, max_depth=min(max(order, 0), _MAX_ORDER))


def _fits_bytes(coverage: Any) -> bytes:
    import io

    from astropy.io import fits

    table = coverage.serialize("fits")
    stream = io.BytesIO()
    hdus = table if isinstance(table, fits.HDUList) else fits.HDUList([fits.PrimaryHDU(), table])
    hdus.writeto(stream)
    return stream.getvalue()


EXPORT = Export(
    "moc", ".moc", "the part of the sky that the image covers as a MOC", _write, package="mocpy", extra="moc"
)
