"""``nova submit``: solve what the user names, one result each."""

from __future__ import annotations

import sys

import click

from novacli import config as configuration
from novacli.cli.options import SOLVE_OPTIONS, as_path, build_config, build_params, with_options
from novacli.cli.progress import progress
from novacli.errors import worst_exit_code
from novacli.reports import open_report
from novacli.result import Result


@click.command("submit", context_settings={"max_content_width": 100})
@click.argument("inputs", nargs=-1, required=True, metavar="IMAGE...")
@with_options(SOLVE_OPTIONS)
@click.option("--to", "place", default="local", show_default=True, metavar="PLACE", help="Where to solve.")
@click.option("--jobs-dir", metavar="DIR", help="Where job directories are kept.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each input.")
@click.option("-v", "--verbose", is_flag=True, help="Say on stderr what is being done.")
def command(
    inputs: tuple[str, ...], place: str, jobs_dir: str | None, as_json: bool, verbose: bool, **raw: object
) -> int:
    """Find where on the sky pictures or star lists are.

    IMAGE is a FITS, JPEG, PNG, TIFF, GIF, WebP, XISF or camera raw file, a star list (FITS table, CSV, text, JSON),
    an http(s) URL, or - for stdin.

    Exit code: 0 all solved, 1 some unsolved, others as in sysexits.h.
    """
    config = build_config(configuration.load().replaced("--jobs-dir", jobs_dir=as_path(jobs_dir)), raw)
    params = build_params(raw, config)
    from novacli import backends
    from novacli.pipeline import Context, solve_input

    backend = backends.connect(place, config)
    report = open_report("json" if as_json else "table", sys.stdout)
    codes = []
    for name in inputs:
        with progress(verbose=verbose) as observe:
            solved = solve_input(name, params, Context(config["jobs_dir"], backend, observe))
        report.add(solved.result)
        _say_error(solved.result)
        codes.append(solved.result.exit_code)
    return worst_exit_code(codes)


def _say_error(result: Result) -> None:
    if result.error is not None:
        click.echo(f"nova: {result.error['message']}", err=True)
