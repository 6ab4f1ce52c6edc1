"""``--stcs``: the outline of the image as an STC-S polygon, which archives and Aladin read (ObsCore's ``s_region``).

Source: IVOA Note "STC-S: Space-Time Coordinate (STC) Metadata Linear String Implementation", version 1.33.
"""

from __future__ import annotations

from pathlib import Path

from novacli.exports.registry import Export, SolvedField


def _write(field: SolvedField, target: Path) -> None:
    from novacli.exports.outline import outline_deg
    from novacli.files.atomic import write_file

    numbers = (f"{ra:.8f} {dec:.8f}" for ra, dec in outline_deg(field.solution.tan_sip))
    write_file(target, f"POLYGON ICRS {' '.join(numbers)}\n".encode())


EXPORT = Export("stcs", ".stcs", "the outline of the image on the sky as STC-S", _write)
