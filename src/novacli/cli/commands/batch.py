"""``nova batch``: solve many frames, and only those that are not solved yet."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from novacli import config as configuration
from novacli.batch.records import KEEP_FAILURES, KEEPS
from novacli.cli.options import SOLVE_OPTIONS, Decorator, as_path, build_config, build_params, with_options
from novacli.cli.watchargs import WATCH_OPTIONS, seconds, watch_display, watch_settings
from novacli.errors import NovaError, UsageError
from novacli.exports.registry import all_exports
from novacli.text.printable import printable_line

if TYPE_CHECKING:
    from novacli.batch.frames.watch import WatchSettings
    from novacli.batch.ledger.database import Ledger
    from novacli.batch.records import BatchOutputs
    from novacli.batch.run.display import QuietDisplay
    from novacli.batch.run.request import BatchRequest
    from novacli.batch.run.session import ReportOutcome
    from novacli.batch.run.summary import BatchOutcome

_RUN = "run"


class _RunByDefault(click.Group):
    """A group that runs a batch if its first word is not the name of a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert the command ``run`` if no command is named."""
        first = args[:1]
        return super().parse_args(ctx, args if first and first[0] in self.commands else [_RUN, *(args or ["--help"])])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name, ``run`` if there is none."""
        return super().get_command(ctx, cmd_name) or self.commands[_RUN]


@click.group("batch", cls=_RunByDefault)
def command() -> None:
    """Solve many frames, and only those that are not solved yet."""


#: The options that select the ledger, for running a batch and for asking about it.
_LEDGER_OPTIONS: tuple[Decorator, ...] = (
    click.option("--from", "lists", multiple=True, metavar="FILE|-", help="Read paths from a list; repeatable."),
    click.option("--out", metavar="DIR", help="Write below DIR, in the subfolders of the frames."),
    click.option(
        "--ledger", metavar="FILE", help="The record of the batch.  [default: found by the paths, or in --out]"
    ),
)
_BATCH_OPTIONS: tuple[Decorator, ...] = (
    click.option("--pattern", "patterns", multiple=True, metavar="GLOB", help="Only such names, as 'light*'."),
    click.option("--newer", metavar="AGE|DATE|FILE", help="Only files changed since then, such as 12h."),
    click.option("--settle", type=click.FloatRange(min=0), default=2.0, show_default=True, metavar="S",
                 help="Wait for files that were written to within S seconds."),
    click.option("--dry-run", is_flag=True, help="Show what would be done with each frame, and why."),
    click.option("--retry", type=click.Choice(["unsolved", "failed", "all"]), help="Try these again, too."),
    click.option("--force", is_flag=True, help="Solve all frames again."),
    *(click.option(e.option, e.name, is_flag=True, help=f"Write {e.help} beside each frame.") for e in all_exports()),
    click.option("--update", is_flag=True, help="Put the solution into the FITS images' own headers."),
    click.option("--overwrite", is_flag=True, help="Replace existing files that this batch did not write."),
    click.option("--keep", type=click.Choice(KEEPS), default=KEEP_FAILURES, show_default=True,
                 help="Which job directories to keep."),
    click.option("--report", metavar="FILE", help="Write a report on all frames, by its suffix: .csv, .html …"),
    click.option("--to", "place", default="local", show_default=True, metavar="PLACE", help="Where to solve."),
    click.option("--sequence", type=click.Choice(["auto", "off"]), default="auto", show_default=True,
                 help="Give hints from solved frames to the next ones of a camera."),
    click.option("--dask", metavar="ADDRESS", help="Solve on a Dask cluster: its scheduler, such as tcp://host:8786."),
    click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Frames at a time.  [default: slots]"),
    click.option("--max-time", metavar="AGE", help="Begin no frame after this time, such as 50m."),
    click.option("--wait/--no-wait", default=True, show_default=True, help="Wait for another run over these frames."),
    click.option("--jobs-dir", metavar="DIR", help="Where job directories are kept."),
    click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each frame that is done."),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing if all is well."),
)  # fmt: skip


@command.command(_RUN, context_settings={"max_content_width": 100})
@click.argument("paths", nargs=-1, metavar="PATH...")
@with_options(_LEDGER_OPTIONS)
@with_options(_BATCH_OPTIONS)
@with_options(WATCH_OPTIONS)
@with_options(SOLVE_OPTIONS)
def run(paths: tuple[str, ...], as_json: bool, quiet: bool, report: str | None, dry_run: bool, **raw: Any) -> int:
    """Solve many frames, and only those that are not solved yet: nova batch PATH...

    PATH is an image, a star list, or a folder, whose pictures are searched at any depth.  The outcome of each frame is
    stored in a ledger, so the same call goes on where the last one ended.  See also: nova batch status, nova batch
    report.

    Exit code: 0 all solved, 1 some unsolved, 75 some to be tried again, others as in sysexits.h.
    """
    settings, request = watch_settings(raw), _request(paths, raw)
    if report is not None:
        from novacli.batch.reports import check_not_a_frame, check_path

        check_path(Path(report))
        check_not_a_frame(Path(report), paths)
    if dry_run:
        return _dry_run(request, settings, as_json=as_json)
    display = (
        _display(as_json=as_json, quiet=quiet)
        if settings is None
        else watch_display(as_json=as_json, quiet=quiet, verbose=raw["verbose"])
    )

    def report_outcome(outcome: BatchOutcome) -> None:
        if not quiet or not outcome.is_well:
            on_stdout = not quiet and not as_json
            text = outcome.paragraph(None if display.reports_at_once else display.problems, only_new=quiet)
            click.echo(f"nova: {printable_line(text)}", err=not on_stdout)

    def say(words: str) -> None:
        if not quiet:
            _print_note(words)

    try:
        outcome = _run_batch(request, settings, display, say, report_outcome)
    except NovaError as exc:
        if quiet and exc.exit_code == 75 and not raw["wait"]:
            return exc.exit_code  # another run is solving the frames, as --no-wait expects
        raise
    if report is not None:
        _write_report(request, Path(report), outcome.elapsed_s)
    _remove_old_jobs(request.config)
    return outcome.exit_code


def _run_batch(
    request: BatchRequest,
    settings: WatchSettings | None,
    display: QuietDisplay,
    say: Callable[[str], None],
    report_outcome: ReportOutcome,
) -> BatchOutcome:
    if settings is None:
        from novacli.batch.run.session import run_batch

        return run_batch(request, display, say, report_outcome)
    from novacli.batch.run.watch_session import watch_batch

    return watch_batch(request, settings, display, say, report_outcome)


def _dry_run(request: BatchRequest, settings: WatchSettings | None, *, as_json: bool) -> int:
    from novacli.batch.run.dry_run import dry_run

    if settings is not None:
        raise UsageError("--dry-run and --watch exclude each other: leave out --watch to see what would be done now")
    found, lines = dry_run(request)
    for line in lines:
        click.echo(json.dumps(line.to_json()) if as_json else printable_line(line.text()))
    for remark in found.remarks:
        _print_note(remark)
    return found.exit_code


def _request(paths: tuple[str, ...], raw: dict[str, Any]) -> BatchRequest:
    from novacli.batch.frames.listing import parse_newer
    from novacli.batch.ledger.plan import RETRIES
    from novacli.batch.run.request import BatchRequest

    if raw["dask"] is not None and raw["place"] != "local":
        raise UsageError("--dask and --to exclude each other: with --dask, the Dask workers solve the frames")
    config = build_config(
        configuration.load().replaced("--jobs-dir", jobs_dir=as_path(raw["jobs_dir"])),
        raw,
    )
    given, all_paths = _paths(paths, raw["lists"])
    outputs = _outputs(raw)
    return BatchRequest(
        given=given,
        paths=all_paths,
        params=build_params(raw, config),
        config=config,
        ledger=_ledger_path(given, raw),
        place=raw["place"],
        patterns=raw["patterns"],
        newer_s=None if raw["newer"] is None else parse_newer(raw["newer"]),
        outputs=outputs,
        keep=raw["keep"],
        retry=RETRIES.get(raw["retry"], frozenset()),
        force=raw["force"],
        settle_s=raw["settle"],
        sequence=raw["sequence"] == "auto",
        max_time_s=math.inf if raw["max_time"] is None else seconds(raw["max_time"]),
        wait=raw["wait"],
        workers=raw["workers"],
        executor="pool" if raw["dask"] is None else "dask",
        address=raw["dask"],
    )


def _paths(paths: tuple[str, ...], lists: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names that select the ledger, and all paths, those in the lists included."""
    from novacli.batch.frames.listing import read_list

    if not paths and not lists:
        raise UsageError("name frames or folders, or a list of them with --from")
    if "-" in paths:
        raise UsageError("- is not a frame: --from - reads a list of paths from standard input")
    listed = [path for name in dict.fromkeys(lists) for path in read_list(name)]
    return _ledger_names(paths, lists), (*paths, *listed)


def _ledger_names(paths: tuple[str, ...], lists: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that select the ledger; for a list from standard input, that is the current folder."""
    return (*paths, *(os.curdir if name == "-" else name for name in lists))


def _outputs(raw: dict[str, Any]) -> BatchOutputs:
    from novacli.batch.records import BatchOutputs

    kinds = tuple(export.name for export in all_exports() if raw[export.name])
    out = raw["out"]
    out_dir = None if out is None else os.path.abspath(out)  # noqa: PTH100 - may hold any bytes
    if out_dir is not None and not kinds:
        kinds = ("new_fits",)
    return BatchOutputs(kinds, raw["update"], out_dir, raw["overwrite"])


def _ledger_path(given: tuple[str, ...], raw: dict[str, Any]) -> Path:
    from novacli.batch.frames.output_paths import default_ledger

    return default_ledger(given, raw["out"]) if raw["ledger"] is None else Path(raw["ledger"])


def _display(*, as_json: bool, quiet: bool) -> QuietDisplay:
    from novacli.batch.run import display

    inner: QuietDisplay | None = display.JsonDisplay(sys.stdout) if as_json else None
    if quiet:
        return inner or display.QuietDisplay()
    if not as_json and not sys.stdout.isatty():
        inner = display.LineDisplay(sys.stdout)
    if sys.stderr.isatty():
        return display.BarDisplay(sys.stderr, inner)
    return inner or display.LineDisplay(sys.stdout)


def _print_note(words: str) -> None:
    click.echo(f"nova: {printable_line(words)}", err=True)


def _remove_old_jobs(config: configuration.Config) -> None:
    from novacli.jobs import retention

    retention.sweep_if_due(config)


def _write_report(request: BatchRequest, path: Path, elapsed_s: float) -> None:
    from novacli.batch.ledger.database import Ledger
    from novacli.batch.reports import Summary, write_report

    with Ledger.read(request.ledger) as ledger:
        write_report(ledger.entries(), Summary(_title(request.given), elapsed_s), path)


def _title(given: tuple[str, ...]) -> str:
    return " ".join(given)


# --- Questions about a ledger -------------------------------------------------------------------------------------


@command.command("status")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@with_options(_LEDGER_OPTIONS)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each ledger.")
def status(paths: tuple[str, ...], lists: tuple[str, ...], as_json: bool, **raw: Any) -> int:
    """Show the number of frames of each fate, also during a run; without PATH, of all your batches."""
    from novacli.batch.frames.output_paths import ledgers
    from novacli.batch.ledger.status import state_of, write_states

    is_one = paths or lists or raw["ledger"] is not None or raw["out"] is not None
    found = [_ledger_path(_ledger_names(paths, lists), raw)] if is_one else ledgers()
    states, codes = [], [0]
    for path in found:
        try:
            states.append(state_of(path))
        except NovaError as exc:  # the other ledgers are still shown
            _print_note(str(exc))
            codes.append(exc.exit_code)
    if as_json:
        for state in states:
            click.echo(json.dumps(state.to_json()))
    elif states:
        write_states(states, sys.stdout)
    elif not found:
        _print_note("there is no batch yet: start with nova batch FOLDER")
    return max(codes)


@command.command("report")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@with_options(_LEDGER_OPTIONS)
@click.option("--report", metavar="FILE", help="Write a report; its suffix is the format: .csv, .ecsv, .jsonl, .html.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each frame that has a result.")
def report_(paths: tuple[str, ...], lists: tuple[str, ...], report: str | None, as_json: bool, **raw: Any) -> int:
    """Show the fate of each frame, also during a run: on a line each, or as a report in a file."""
    from novacli.batch.ledger.database import Ledger
    from novacli.batch.reports import Summary, check_path, write_report

    if not (paths or lists) and raw["ledger"] is None and raw["out"] is None:
        raise UsageError("name the batch by its paths, as nova batch was called: see nova batch status")
    given = _ledger_names(paths, lists)
    if report is not None:
        check_path(Path(report))
    with Ledger.read(_ledger_path(given, raw)) as ledger:
        if report is not None:
            write_report(ledger.entries(), Summary(_title(given) or str(ledger.path)), Path(report))
        else:
            _write_lines(ledger, as_json=as_json)
    return 0


def _write_lines(ledger: Ledger, *, as_json: bool) -> None:
    from novacli.batch.records import GONE, OWN_OUTPUT
    from novacli.batch.run.display import frame_line

    for entry in ledger.entries():
        if as_json and entry.line is not None:
            click.echo(entry.line)
        elif not as_json and entry.record.fate != OWN_OUTPUT:
            is_there = entry.record.fate == GONE or os.path.exists(entry.path)  # noqa: PTH110 - may hold any bytes
            click.echo(frame_line(entry, entry.result) + ("" if is_there else "; the file does not exist any more"))
