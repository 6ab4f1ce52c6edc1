"""A stand-in export: with one line in the registry, all that a new export takes."""

from __future__ import annotations

from pathlib import Path

from novacli.exports.registry import Export, SolvedField
from novacli.files.atomic import write_file


def _write(field: SolvedField, target: Path) -> None:
    ra, dec = field.solution.calibration.ra, field.solution.calibration.dec
    write_file(target, f"icrs; point({ra!r},{dec!r})\n".encode())


EXPORT = Export("standin_regions", ".centre.reg", "the centre as a region", _write)
