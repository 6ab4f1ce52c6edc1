"""The columns of the page's two tables of frames: those that a person looks for, as a person reads them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from novacli.batch.records import GONE, RETRIABLE, WAITING
from novacli.batch.reports.columns import Value
from novacli.batch.reports.folders import button
from novacli.records.result import FAILED, SOLVED, UNSOLVED
from novacli.reports.results.table import REASONS

Cells = dict[str, Value]
#: What the page calls fates.
FATE_TEXTS = {
    SOLVED: "solved",
    UNSOLVED: "unsolved",
    FAILED: "failed",
    RETRIABLE: "to be tried again",
    WAITING: "waiting",
    GONE: "gone",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A column of the page: its heading, the class of its cells (``n`` for numbers), and the HTML of a frame's cell."""

    title: str
    kind: str
    text: Callable[[Cells], str]

    def head(self) -> str:
        """Return the cell of the heading."""
        return f'<th scope="col" class="{self.kind}">{button(self.title)}</th>'

    def html(self, cells: Cells) -> str:
        """Return the cell of a frame."""
        return f'<td class="{self.kind}">{self.text(cells)}</td>'


def _words(name: str) -> Callable[[Cells], str]:
    return lambda cells: escape(str(cells[name] or ""))


def _number(name: str, form: str) -> Callable[[Cells], str]:
    def text(cells: Cells) -> str:
        value = cells[name]
        return "" if value is None else format(value, form)

    return text


def _why(cells: Cells) -> str:
    if cells["error"] is not None:
        return escape(str(cells["error"]))
    reason = str(cells["reason"] or "")
    what, _ = REASONS.get(reason, (reason, ""))
    return escape(what)


def _fate(cells: Cells) -> str:
    fate = str(cells["fate"])
    return escape(FATE_TEXTS.get(fate, fate))


def _finished(cells: Cells) -> str:
    return escape(str(cells["finished"] or "").replace("T", " ").removesuffix("Z"))


def _log(cells: Cells) -> str:
    path = cells["log"]
    return "" if path is None else f'<a href="file://{escape(quote(os.fsencode(str(path))))}">log</a>'


_FILE = Cell("file", "path", _words("path"))
_LAST = (
    Cell("time s", "n", _number("time_s", ".2f")),
    Cell("server", "", _words("server")),
    Cell("finished, UTC", "when", _finished),
    Cell("log", "", _log),
)
UNSOLVED_CELLS = (
    _FILE,
    Cell("fate", "fate", _fate),
    Cell("why", "why", _why),
    Cell("tries", "n", _number("tries", "d")),
    *_LAST,
)
SOLVED_CELLS = (
    _FILE,
    Cell("RA °", "n", _number("ra", ".5f")),
    Cell("Dec °", "n", _number("dec", "+.5f")),
    Cell("width °", "n", _number("width_deg", ".3f")),
    Cell("height °", "n", _number("height_deg", ".3f")),
    Cell("″/pixel", "n", _number("pixscale", ".4g")),
    Cell("orient. °", "n", _number("orientation", ".2f")),
    Cell("parity", "n", _number("parity", "+d")),
    Cell("stars", "n", _number("stars", "d")),
    Cell("RMS ″", "n", _number("rms_arcsec", ".3g")),
    Cell("RMS px", "n", _number("rms_px", ".2f")),
    *_LAST,
)
