"""``--rdls``: the table of reference stars in the field, a copy of the job's ``rdls.fits``."""

from __future__ import annotations

from pathlib import Path

from novacli.exports.registry import Export, SolvedField
from solvehost.formats import jobdir


def _write(field: SolvedField, target: Path) -> None:
    from novacli.exports.copies import copy_result

    copy_result(field.job.path / jobdir.RDLS, target)


EXPORT = Export("rdls", ".rdls", "the table of reference stars in the field", _write, is_standard=True)
