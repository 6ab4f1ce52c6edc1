"""``--csv``: the matched stars as a CSV table."""

from __future__ import annotations

from pathlib import Path

from novacli.exports.registry import Export, SolvedField


def _write(field: SolvedField, target: Path) -> None:
    from novacli.exports.matched_stars import matched_stars, rows_as_text
    from novacli.files.atomic import write_file

    write_file(target, rows_as_text(matched_stars(field)).encode())


EXPORT = Export("csv", ".csv", "the matched stars as a CSV table", _write)
