"""``--tpv``: the solution as a FITS header with TPV in place of SIP, for SWarp, SCAMP and others that read no SIP.

The conversion is exact: see :mod:`novacli.wcs.tpv`.
"""

from __future__ import annotations

from pathlib import Path

from novacli.exports.registry import Export, SolvedField


def _write(field: SolvedField, target: Path) -> None:
    from novacli.exports.description import tpv_cards
    from novacli.files.atomic import write_file
    from solvehost.formats import fitsfile

    solution = field.solution.tan_sip
    start = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True, "WCSAXES": 2}
    size = {"IMAGEW": solution.width, "IMAGEH": solution.height}
    cards = [fitsfile.card(key, value) for key, value in start.items()]
    cards += [*tpv_cards(solution), *(fitsfile.card(key, value) for key, value in size.items())]
    write_file(target, fitsfile.end_header(cards))


EXPORT = Export("tpv", ".tpv", "the solution as a FITS header with TPV in place of SIP", _write)
