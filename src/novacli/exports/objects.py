"""``--objects``: the deep-sky objects and stars in the field, as CSV, ECSV or JSON by the ending of the file's name."""

from __future__ import annotations

from pathlib import Path

from novacli.exports.registry import Export, SolvedField

_FORMATS = {".json": "json", ".ecsv": "ecsv"}


def _write(field: SolvedField, target: Path) -> None:
    from novacli.catalog.epoch import epoch_of
    from novacli.catalog.field import objects_in_field
    from novacli.catalog.listing import FORMATS
    from novacli.files.atomic import write_file
    from novacli.jobs.request import read_request

    request = read_request(field.job)
    epoch = epoch_of(None, field.origin, None if request is None else request.created)
    objects = objects_in_field(field.solution.tan_sip, epoch.year)
    form = FORMATS[_FORMATS.get(target.suffix.lower(), "csv")]
    write_file(target, f"{form(field.job.job_id, epoch, objects)}\n".encode())


EXPORT = Export(
    "objects",
    ".objects.csv",
    "the deep-sky objects and stars in the field",
    _write,
    package="pyongc",
    extra="pictures",
)
