"""``--ecsv``: the matched stars as an ECSV table, which astropy reads with units and descriptions.

Source: Astropy Proposal for Enhancement 6, "Enhanced Character Separated Values table format".
"""

from __future__ import annotations

import json
from pathlib import Path

from novacli.exports.registry import Export, SolvedField


def _write(field: SolvedField, target: Path) -> None:
    from novacli.exports.matched_stars import COLUMNS, matched_stars, rows_as_text
    from novacli.files.atomic import write_file

    table = matched_stars(field)
    lines = ["%ECSV 1.0", "---", "delimiter: ','", "datatype:"]
    for name in table.dtype.names or ():
        unit, description = COLUMNS.get(name, (None, "as in the index file"))
        column = {"name": name, "datatype": table.dtype[name].name, "description": description}
        # JSON is YAML, which ECSV's header is written in.
        lines.append(f"- {json.dumps(column if unit is None else {**column, 'unit': unit})}")
    header = "".join(f"# {line}\n" for line in lines)
    write_file(target, (header + rows_as_text(table)).encode())


EXPORT = Export("ecsv", ".ecsv", "the matched stars as an ECSV table", _write)
