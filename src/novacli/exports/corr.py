"""``--corr``: the table of matched stars, a copy of the job's ``corr.fits``."""

from __future__ import annotations

from pathlib import Path

from novacli.exports.registry import Export, SolvedField
from solvehost.formats import jobdir


def _write(field: SolvedField, target: Path) -> None:
    from novacli.exports.copies import copy_result

    copy_result(field.job.path / jobdir.CORR, target)


EXPORT = Export("corr", ".corr", "the table of matched stars", _write, is_standard=True)
