"""Write lists of jobs: a table on a terminal, aligned plain text in a pipe, or JSON lines."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from novacli.jobs.summaries import JobSummary
from novacli.text.columns import write_aligned
from novacli.text.printable import printable_line
from novacli.text.quantities import bytes_text

if TYPE_CHECKING:
    from novacli.jobs.remote import StoredJob

_HEADINGS = ("JOB", "CREATED", "STATE", "CENTRE", "SCALE", "INPUT")
_REMOTE_HEADINGS = ("SERVER", "ID THERE", "CREATED", "STATE", "SIZE", "MESSAGE")
#: Columns that a narrow terminal omits, in this order, until the input has this many characters.
_DISPENSABLE, _LEAST_INPUT = ("SCALE", "CENTRE"), 24
_STYLES = {
    "solved": "green",
    "unsolved": "yellow",
    "failed": "red",
    "running": "cyan",
    "remote": "blue",
    "interrupted": "magenta",
}


def write(jobs: Sequence[JobSummary], stream: TextIO, *, as_json: bool) -> None:
    """Write jobs to ``stream``, with local times; JSON has UTC."""
    if as_json:
        stream.writelines(json.dumps(job.to_json(), allow_nan=False) + "\n" for job in jobs)
    elif not jobs:
        return
    elif stream.isatty():
        _draw(jobs, stream)
    else:
        write_aligned([_HEADINGS, *map(_cells, jobs)], stream)


def write_remote(
    server: str, jobs: Sequence[StoredJob], stream: TextIO, *, as_json: bool, with_heading: bool = True
) -> None:
    """Write the jobs that a server listed."""
    if as_json:
        stream.writelines(json.dumps({**dataclasses.asdict(job), "server": server}) + "\n" for job in jobs)
        return
    rows = [(server, job.id, job.created, job.state, bytes_text(job.size_bytes), job.message or "") for job in jobs]
    headings = [_REMOTE_HEADINGS] if with_heading and rows else []
    if rows:
        write_aligned([tuple(map(printable_line, row)) for row in (*headings, *rows)], stream)


def _cells(job: JobSummary) -> tuple[str, ...]:
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.created_s))
    centre = "" if job.ra_deg is None or job.dec_deg is None else f"{job.ra_deg:9.4f}° {job.dec_deg:+8.4f}°"
    scale = "" if job.pixscale_arcsec is None else f'{job.pixscale_arcsec:.4g}"/px'
    return job.job_id, made, job.state, centre, scale, _input_text(job)


def _input_text(job: JobSummary) -> str:
    """Return the input and, if it was not solved, the reason."""
    why = job.error or job.reason
    # Error messages begin with the name of the input, which is shown already.
    return printable_line(f"{job.input} ({why.removeprefix(f'{job.input}: ')})" if why else job.input)


def _draw(jobs: Sequence[JobSummary], stream: TextIO) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, highlight=False)
    rows = [_cells(job) for job in jobs]
    shown = _columns_that_fit(rows, console.width)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for n in shown[:-1]:
        table.add_column(_HEADINGS[n], no_wrap=True)
    table.add_column(_HEADINGS[-1], overflow="fold")
    for job, row in zip(jobs, rows, strict=True):
        cells = [Text(cell) for cell in row]
        cells[_HEADINGS.index("STATE")].stylize(_STYLES[job.state])
        table.add_row(*(cells[n] for n in shown))
    console.print(table)


def _columns_that_fit(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return the numbers of the columns that fit into ``width``; the input is always shown."""
    widths = [max(map(len, column)) + 1 for column in zip(_HEADINGS, *rows, strict=True)]
    shown = list(range(len(_HEADINGS)))
    for heading in _DISPENSABLE:
        if sum(widths[n] for n in shown[:-1]) + _LEAST_INPUT > width:
            shown.remove(_HEADINGS.index(heading))
    return shown
