"""``nova plot``: make a picture of a solved image."""

from __future__ import annotations

from pathlib import Path

import click

from novacli.cli.jobargs import JOB, JOBS_DIR, open_store
from novacli.cli.options import as_path
from novacli.errors import UsageError
from novacli.pictures.registry import all_pictures

_PICTURES = {picture.name: picture for picture in all_pictures()}
_FULL = "full"
_MAX_WIDTH = 30_000
_HELP = """Make a picture of a solved image.

JOB is an id from nova jobs, the beginning of one, or "last".  FILE ends in .png, .jpg, .webp, .svg or .pdf.

WHAT is one of:

\b
""" + "\n".join(f"{name:<12}{picture.help}" for name, picture in _PICTURES.items())


def _width(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Parse ``--width``: None by default, 0 for ``full``."""
    del ctx, param
    if value is None or value == _FULL:
        return None if value is None else 0
    if not value.isdigit() or not 0 < int(value) <= _MAX_WIDTH:
        raise UsageError(f"--width {value}: give a number of pixels from 1 to {_MAX_WIDTH}, or full")
    return int(value)


@click.command("plot", help=_HELP, context_settings={"max_content_width": 100})
@JOB
@click.option("--what", type=click.Choice(list(_PICTURES)), default="annotated", show_default=True, metavar="WHAT",
              help="What to show.")  # fmt: skip
@click.option("-o", "--out", "out", required=True, metavar="FILE", help="The picture to write.")
@click.option(
    "--width", callback=_width, metavar="N|full", help="Width in pixels.  [default: the longer side has 1600]"
)
@click.option("--stretch", type=click.Choice(["auto", "none"]), default="auto", show_default=True,
              help="Brighten dark and linear images, or show their numbers as they are.")  # fmt: skip
@click.option("--date", metavar="DATE", help="When the image was taken, such as 2026-03-01.  [default: by its header]")
@click.option("--image", metavar="FILE", help="The image, if it was moved since it was solved.")
@click.option("-O", "--overwrite", is_flag=True, help="Replace a file that exists; never the image.")
@JOBS_DIR
def command(
    job: str,
    what: str,
    out: str,
    width: int | None,
    stretch: str,
    date: str | None,
    image: str | None,
    overwrite: bool,
    jobs_dir: str | None,
) -> int:
    """Make a picture of a solved image."""
    found, picture, target = open_store(jobs_dir).find(job), _PICTURES[what], Path(out)
    from novacli.catalog.epoch import julian_year
    from novacli.exports.kept_job import check_image, solved_field
    from novacli.exports.targets import Target, check_targets, input_identities
    from novacli.inputs.kinds import FileInput
    from novacli.jobs.summaries import read_result
    from novacli.pictures.output import ENDINGS
    from novacli.pictures.plotting import PlotOptions, plot

    if target.suffix.lower() not in ENDINGS:
        raise UsageError(f"--out {out}: name a file that ends in {', '.join(ENDINGS)}")
    if date is not None and julian_year(date) is None:
        raise UsageError(f"--date {date} is not a date: write it like 2026-03-01")
    field = solved_field(found, as_path(image))
    given = FileInput(field.origin.path or field.origin.name)
    # A picture may replace another picture, but not the image.
    check_targets([Target("--out", target, is_image_copy=True)], input_identities([given]), overwrite=overwrite)
    if picture.has_image:
        check_image(field)
    created = read_result(found).created
    options = PlotOptions(width=width, is_stretched=stretch == "auto", date=date, created=created)
    plot(picture, field, options, target)
    return 0
