"""Results for people: a table on a terminal, plain lines in a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from novacli.records.calibration import Calibration, Match
from novacli.records.diagnosis import Cause, Diagnosis, RejectedMatch
from novacli.records.hints import Hint, ParityHint
from novacli.records.result import Result
from novacli.records.status import FAILED, REMOTE, SOLVED
from novacli.text.angles import format_dec_dms, format_ra_hms
from novacli.text.printable import printable_line
from novacli.text.quantities import angle_text
from novacli.wcs.constellation import constellation_at

_NO_HINTS = "give what you know, such as its width (-L, -H) or its position (--ra, --dec)"
_SOME_HINTS = "check the hints (--blind ignores those of the header)"
#: Reason of an unsolved image → what happened, and what to do; {hints} stands for one of the texts above.
REASONS = {
    "exhausted": (
        "no attempt found a match",
        "{hints}; nova doctor shows which fields can match",
    ),
    "time-limit": ("the time limit passed before any attempt found a match", "give it longer (--timeout), or {hints}"),
    "cancelled": ("it was cancelled", "try again with nova retry"),
    "no-stars": ("too few stars", "check the image; --downsample 1 finds the smallest stars, 4 faint and blurred ones"),
}
#: Probable cause → what it is and what helps.  A note tells of clustered sources.
_CAUSES = {
    Cause.FEW_STARS: "few stars: expose longer, or try --downsample 1 for small stars, 4 for faint or blurred ones",
    Cause.CROWDED: "most of what looks like stars lies in a small part of the image: crop trees, lamps or clouds away",
}


def rows(result: Result) -> Iterator[tuple[str, str]]:
    """Yield the rows of a result as (label, value)."""
    if result.status == SOLVED and result.calibration and result.match:
        yield from _solution_rows(result.calibration, result.match)
    elif result.status == REMOTE:
        yield "To do", f"nova fetch {result.job} fetches the result when it is ready"
    elif result.status != FAILED:
        what, remedy = REASONS.get(result.reason or "", (result.reason or "", ""))
        yield "Unsolved", what
        if result.diagnosis is not None:
            yield from _diagnosis_rows(result.diagnosis)
        if remedy:
            yield "To do", remedy.format(hints=_SOME_HINTS if result.hints else _NO_HINTS)
    if result.status != FAILED:
        yield "Hints", "; ".join(dict.fromkeys(_hint_text(hint) for hint in result.hints)) or "none"
        yield "Time", _time_text(result)
        if result.server:
            yield "Server", result.server
        if result.job:
            yield "Job", result.job
    # The last note of an image without stars repeats the first row.
    for note in result.notes[:-1] if result.reason == "no-stars" else result.notes:
        yield "Note", note


def _diagnosis_rows(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    yield "Stars", f"{diagnosis.stars} in the longest list"
    for cause in diagnosis.causes:
        if cause in _CAUSES:
            yield "Perhaps", _CAUSES[cause]
    if diagnosis.match is not None:
        yield "Best match", _rejected_text(diagnosis.match)
    if diagnosis.widths_deg:
        widths = (f"{angle_text(low * 60)} to {angle_text(high * 60)}" for low, high in diagnosis.widths_deg)
        yield "Index files", f"for fields {' and '.join(widths)} wide"


def _rejected_text(match: RejectedMatch) -> str:
    odds = f"log-odds {match.logodds:.1f}"
    odds += f" of {match.required_logodds:.1f}" if match.logodds < match.required_logodds else ", by clustered sources"
    place = f'RA {match.ra:.2f}°  Dec {match.dec:+.2f}°, {match.pixscale:.4g}"/pixel'
    return f"{place}, {odds}: not enough to believe it"


def _solution_rows(c: Calibration, m: Match) -> Iterator[tuple[str, str]]:
    yield "Centre", f"RA {c.ra:.5f}°  Dec {c.dec:+.5f}°"
    yield "", f"{format_ra_hms(c.ra)}  {format_dec_dms(c.dec)}"
    found = constellation_at(c.ra, c.dec)
    if found is not None:
        yield "Constellation", found[1]
    yield "Pixel scale", f'{c.pixscale:.5g}"/pixel'
    yield "Field", f"{angle_text(c.width_arcsec / 60, digits=3)} × {angle_text(c.height_arcsec / 60, digits=3)}"
    yield "Orientation", f"up is {round(c.up_deg_e_of_n, 2) % 360:.2f}° east of north"
    yield "Parity", "positive (det CD > 0)" if c.parity > 0 else "negative (det CD < 0)"
    yield "Index", m.index
    yield "Match", _match_text(c, m)
    if m.corner_error_arcsec is not None:
        yield "Corners", _corner_text(m.corner_error_arcsec, c.pixscale)
    if m.sip_order:
        yield "Distortion", f"SIP of order {m.sip_order}"


def _match_text(c: Calibration, m: Match) -> str:
    parts = [f"{m.n} stars"]
    if m.rms_arcsec is not None:
        parts.append(f'residual {m.rms_arcsec:.3g}" RMS ({m.rms_arcsec / c.pixscale:.2g} pixel)')
    if m.logodds is not None:
        parts.append(f"log-odds {m.logodds:.0f}")
    return ", ".join(parts)


def _corner_text(error_arcsec: float, pixscale: float) -> str:
    error = angle_text(error_arcsec / 60, digits=3)
    return f"error below {error} ({error_arcsec / pixscale:.3g} pixel) with 90 % probability"


def _hint_text(hint: Hint) -> str:
    return "parity" if isinstance(hint, ParityHint) else hint.source


def _time_text(result: Result) -> str:
    t = result.timing
    steps = {"reading": t.read_s, "finding stars": t.prepare_s, "solving": t.solve_s, "sending": t.send_s}
    parts = [f"{seconds:.2f} s {step}" for step, seconds in steps.items() if seconds is not None]
    return f"{t.total_s or 0:.2f} s ({', '.join(parts)})" if parts else ""


class _Table:
    """Draws a table for each result on a terminal, and writes the same rows as plain text elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def add(self, result: Result) -> None:
        if result.status == FAILED:
            return  # its error is printed on stderr
        if self._stream.isatty():
            self._draw(result)
        else:
            lines = [f"{result.input}: {result.status}", *(f"  {k:<14}{v}" for k, v in rows(result))]
            lines = [printable_line(line) for line in lines]
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()

    def _draw(self, result: Result) -> None:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        solved = result.status == SOLVED
        title = Text.assemble(
            (printable_line(result.input), "bold"), " ", (result.status, "green" if solved else "yellow")
        )
        table = Table(title=title, title_justify="left", show_header=False, box=box.ROUNDED)
        table.add_column(style="cyan", no_wrap=True)
        table.add_column(overflow="fold")
        for label, value in rows(result):
            table.add_row(label, Text(printable_line(value)))
        Console(file=self._stream, highlight=False).print(table)


def open_report(stream: TextIO) -> _Table:
    """Return a report for people who read ``stream``."""
    return _Table(stream)
