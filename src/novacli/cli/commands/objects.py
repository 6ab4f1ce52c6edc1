"""``nova objects``: list what is in the field of a solved image."""

from __future__ import annotations

import click

from novacli.cli.jobargs import JOB, JOBS_DIR, open_store
from novacli.cli.options import as_path
from novacli.errors import UsageError
from novacli.text.printable import printable_line


@click.command("objects")
@JOB
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with sources and licences.")
@click.option("--csv", "as_csv", is_flag=True, help="A CSV table.")
@click.option("--ecsv", "as_ecsv", is_flag=True, help="An ECSV table, which astropy reads.")
@click.option("--date", metavar="DATE", help="When the image was taken, such as 2026-03-01.  [default: by its header]")
@click.option("--image", metavar="FILE", help="The image, if it was moved since it was solved.")
@JOBS_DIR
def command(
    job: str,
    as_json: bool,
    as_csv: bool,
    as_ecsv: bool,
    date: str | None,
    image: str | None,
    jobs_dir: str | None,
) -> int:
    """List the deep-sky objects and stars in the field of a solved image.

    JOB is an id from nova jobs, the beginning of one, or "last".
    """
    forms = [name for name, is_set in (("json", as_json), ("csv", as_csv), ("ecsv", as_ecsv)) if is_set]
    if len(forms) > 1:
        raise UsageError(f"{' and '.join(f'--{name}' for name in forms)} cannot be combined: give one of them")
    found = open_store(jobs_dir).find(job)
    from novacli.catalog.epoch import epoch_of
    from novacli.catalog.field import objects_in_field
    from novacli.catalog.listing import FORMATS
    from novacli.exports.kept_job import solved_field
    from novacli.jobs.summaries import read_result

    field = solved_field(found, as_path(image))
    epoch = epoch_of(date, field.origin, read_result(found).created)
    form = forms[0] if forms else "table"
    text = FORMATS[form](found.job_id, epoch, objects_in_field(field.solution.tan_sip, epoch.year))
    click.echo(text if forms else "\n".join(map(printable_line, text.split("\n"))))
    return 0
