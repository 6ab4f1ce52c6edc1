"""Results for a person: a table on a terminal, plain lines where the output is piped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from novacli.angles import format_dec_dms, format_ra_hms
from novacli.constellation import constellation_at
from novacli.result import FAILED, SOLVED, Result

_REASONS = {
    "exhausted": "nothing more to try",
    "time-limit": "time was up",
    "cancelled": "cancelled",
    "no-stars": "too few stars",
}


def rows(result: Result) -> Iterator[tuple[str, str]]:
    """Yield (label, value) of all that is to be said of a result."""
    if result.status == SOLVED and result.calibration and result.match:
        yield from _solution_rows(result.calibration, result.match)
    elif result.status != FAILED:
        yield "Unsolved", _REASONS.get(result.reason or "", result.reason or "")
    if result.status != FAILED:
        yield "Hints", "; ".join(dict.fromkeys(h.get("source", h["kind"]) for h in result.hints)) or "none"
        yield "Time", _time_text(result)
        if result.job:
            yield "Job", result.job
    for note in result.notes:
        yield "Note", note


def _solution_rows(c: dict[str, float], m: dict[str, object]) -> Iterator[tuple[str, str]]:
    yield "Centre", f"RA {c['ra']:.5f}°  Dec {c['dec']:+.5f}°"
    yield "", f"{format_ra_hms(c['ra'])}  {format_dec_dms(c['dec'])}"
    found = constellation_at(c["ra"], c["dec"])
    if found is not None:
        yield "Constellation", found[1]
    yield "Pixel scale", f'{c["pixscale"]:.5g}"/pixel'
    yield "Field", f"{_size_text(c['width_arcsec'])} × {_size_text(c['height_arcsec'])}"
    yield "Orientation", f"up is {c['up_deg_e_of_n']:.2f}° east of north"
    yield "Parity", "positive (det CD > 0)" if c["parity"] > 0 else "negative (det CD < 0)"
    yield "Index", str(m["index"])
    yield "Match", f'{m["n"]} stars, residual {m["rms_arcsec"]:.3g}" RMS, log-odds {m["logodds"]:.1f}'


def _size_text(arcsec: float) -> str:
    if arcsec >= 3600:
        return f"{arcsec / 3600:.3g}°"
    return f"{arcsec / 60:.3g}′" if arcsec >= 60 else f"{arcsec:.3g}″"


def _time_text(result: Result) -> str:
    steps = {"read_s": "reading", "prepare_s": "finding stars", "solve_s": "solving"}
    parts = [f"{result.timing[key]:.2f} s {word}" for key, word in steps.items() if key in result.timing]
    return f"{result.timing.get('total_s', 0):.2f} s ({', '.join(parts)})" if parts else ""


class _Table:
    """Draws one table a result by rich on a terminal, and writes the same rows as plain text elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def add(self, result: Result) -> None:
        if result.status == FAILED:
            return  # the error line on stderr says it all
        if self._stream.isatty():
            self._draw(result)
        else:
            lines = [f"{result.input}: {result.status}", *(f"  {k:<14}{v}" for k, v in rows(result))]
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()

    def _draw(self, result: Result) -> None:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        solved = result.status == SOLVED
        title = Text.assemble((result.input, "bold"), " ", (result.status, "green" if solved else "yellow"))
        table = Table(title=title, title_justify="left", show_header=False, box=box.ROUNDED)
        table.add_column(style="cyan", no_wrap=True)
        table.add_column(overflow="fold")
        for label, value in rows(result):
            table.add_row(label, Text(value))
        Console(file=self._stream, highlight=False).print(table)


def open_report(stream: TextIO) -> _Table:
    """Return a report for a person reading ``stream``."""
    return _Table(stream)
