"""``nova submit``: solve each image or star list that the user names, and write its outputs."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from novacli import config as configuration
from novacli.cli.options import (
    OUTPUT_OPTIONS,
    SOLVE_OPTIONS,
    as_path,
    build_config,
    build_outputs,
    build_params,
    with_options,
)
from novacli.cli.progress import progress
from novacli.cli.sep_import import import_sep
from novacli.errors import NovaError, UsageError, worst_exit_code
from novacli.records.params import SolveParams
from novacli.records.progress import Progress
from novacli.records.result import Result, error_of
from novacli.records.status import FAILED
from novacli.reports.results import open_report
from novacli.text.printable import printable_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from novacli.backends.base import Backend
    from novacli.exports.request import OutputRequest
    from novacli.inputs.kinds import Input
    from novacli.pipeline.context import Context, Solved

    SolveCall = Callable[[Input, SolveParams, Context], Solved]


@click.command("submit", context_settings={"max_content_width": 100})
@click.argument("inputs", nargs=-1, required=True, metavar="IMAGE...")
@with_options(SOLVE_OPTIONS)
@with_options(OUTPUT_OPTIONS)
@click.option(
    "--to",
    "place",
    default="local",
    show_default=True,
    metavar="PLACE",
    help="Where to solve: local, ssh hosts separated by commas, or a pool.",
)
@click.option("--detach", is_flag=True, help="Leave the jobs with the server; nova fetch fetches the results.")
@click.option("--jobs-dir", metavar="DIR", help="Where job directories are kept.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each input.")
@click.option("-v", "--verbose", is_flag=True, help="Write each step to stderr.")
def command(
    inputs: tuple[str, ...],
    place: str,
    detach: bool,
    jobs_dir: str | None,
    as_json: bool,
    verbose: bool,
    **raw: Any,
) -> int:
    """Find where on the sky pictures or star lists are.

    IMAGE is a FITS, JPEG, PNG, TIFF, GIF, WebP, BMP, PGM, PPM, XISF or camera raw file, a star list (FITS table,
    CSV, text, JSON), an http(s) URL, or - for stdin.

    Exit code: 0 all solved, 1 some unsolved, others as in sysexits.h.
    """
    from novacli.inputs.kinds import parse_input

    config = build_config(configuration.load().replaced("--jobs-dir", jobs_dir=as_path(jobs_dir)), raw)
    params = build_params(raw, config)
    requests = build_outputs(raw, inputs)
    _check_detach(detach, place, requests)
    given = [parse_input(name) for name in inputs]
    _prepare_outputs(given, requests, as_path(raw["out_dir"]))
    from novacli import backends
    from novacli.matchers.patterns import installed_matcher
    from novacli.pipeline.context import Context
    from novacli.rigs.store import RigStore

    backend = backends.connect(place, config)
    solve = _solver(backend, detach)
    import_sep()
    rigs = RigStore(config.folders.rigs_file) if config["learn"] else None
    matcher = installed_matcher(config)
    report = open_report("json" if as_json else "table", sys.stdout)
    codes = []
    for one, outputs in zip(given, requests, strict=True):
        with progress(verbose=verbose) as observe:
            context = Context(config["jobs_dir"], backend, Progress(observe), rigs=rigs, matcher=matcher)
            result = _submit(one, params, context, outputs, solve)
        report.add(result)
        _report_failure(result)
        codes.append(result.exit_code)
    _remove_old_jobs(config)
    return worst_exit_code(codes)


def _check_detach(detach: bool, place: str, requests: Sequence[OutputRequest]) -> None:
    """Raise if jobs cannot be left with a server, or if outputs are asked for that only a solved job has."""
    if detach and place == "local":
        raise UsageError("--detach leaves jobs with a server: name one with --to")
    if detach and not all(request.is_empty for request in requests):
        raise UsageError(
            "--detach cannot write outputs, because there is no result yet: leave them out, and use nova fetch later"
        )


def _prepare_outputs(inputs: Sequence[Input], requests: Sequence[OutputRequest], directory: Path | None) -> None:
    """Make the folder of --dir, and raise if an output cannot be written or would destroy a file."""
    from novacli.exports.request import check_requests
    from novacli.files.atomic import as_output_error

    if directory is not None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise as_output_error(directory, exc) from exc
    check_requests(inputs, requests)


def _solver(backend: Backend, detach: bool) -> SolveCall:
    """Return the function that solves an input, or leaves it with a server if ``detach`` is True."""
    from novacli.pipeline.solve import detach_input, solve_input

    if not detach:
        return solve_input
    from novacli.backends.base import JobKeeper

    if not isinstance(backend, JobKeeper):
        raise UsageError(f"{backend.name}: jobs cannot be left there: submit without --detach")
    backend.check_detach()
    return lambda given, params, context: detach_input(given, params, context, backend.detach)


def _submit(given: Input, params: SolveParams, context: Context, outputs: OutputRequest, solve: SolveCall) -> Result:
    """Solve one input and write its outputs; an output that fails makes an error of a solved result."""
    from novacli.exports.registry import SolvedField
    from novacli.exports.request import check_input, write_outputs
    from novacli.records.timing import Clock
    from novacli.solution.reading import Solution
    from solvehost.formats.jobdir import JobDir

    try:
        check_input(given, outputs)
    except NovaError as exc:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return Result(given.name, FAILED, timing=Clock().timing(), error=error_of(exc), created=now)
    stamp = None
    if outputs.update:
        from novacli.exports.update import Stamp

        with contextlib.suppress(OSError, ValueError):
            stamp = Stamp.of(given.name)
    solved = solve(given, params, context)
    result, answer = solved.result, solved.answer
    if not isinstance(answer, Solution) or solved.origin is None or outputs.is_empty:
        return result
    field = SolvedField(solved.origin, JobDir(Path(result.files["directory"])), solved.winner, answer)
    try:
        files, notes = write_outputs(outputs, field, stamp)
    except NovaError as exc:
        return replace(result, error=error_of(exc))
    return replace(result, files={**result.files, **files}, notes=(*result.notes, *notes))


def _report_failure(result: Result) -> None:
    """Write one line to stderr if an input failed or has too few stars."""
    if result.error is not None:
        click.echo(f"nova: {printable_line(result.error.message)}", err=True)
    elif result.reason == "no-stars":
        click.echo(f"nova: {printable_line(f'{result.input}: {result.notes[-1]}')}", err=True)


def _remove_old_jobs(config: configuration.Config) -> None:
    from novacli.jobs import retention

    retention.sweep_if_due(config)
