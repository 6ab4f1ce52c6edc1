"""``--axy``: the star list that was solved, a copy of the winning attempt's axy file."""

from __future__ import annotations

from pathlib import Path

from novacli.exports.registry import Export, SolvedField
from solvehost.formats import jobdir


def _write(field: SolvedField, target: Path) -> None:
    from novacli.exports.copies import copy_result

    copy_result(field.job.path / jobdir.axy_name(field.attempt), target)


EXPORT = Export("axy", ".axy", "the star list that was solved", _write, is_standard=True)
