"""``--wcs``: the solution as a FITS header, a copy of the job's ``wcs.fits``, which nova wrote."""

from __future__ import annotations

from pathlib import Path

from novacli.exports.registry import Export, SolvedField
from solvehost.formats import jobdir


def _write(field: SolvedField, target: Path) -> None:
    from novacli.exports.copies import copy_result

    copy_result(field.job.path / jobdir.WCS, target)


EXPORT = Export("wcs", ".wcs", "the solution as a FITS header", _write, is_standard=True)
