"""The columns of the page's two tables of frames: a selection of the report's columns, formatted for people."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from novacli.batch.records import GONE, RETRIABLE, WAITING
from novacli.batch.reports.columns import Value
from novacli.batch.reports.folders import sort_button
from novacli.records.status import FAILED, SOLVED, UNSOLVED
from novacli.reports.results.table import REASONS
from solvehost.record import record

#: A frame's values by the names of the report's columns.
FrameValues = dict[str, Value]
#: The page's words for fates.
FATE_TEXTS = {
    SOLVED: "solved",
    UNSOLVED: "unsolved",
    FAILED: "failed",
    RETRIABLE: "to be tried again",
    WAITING: "waiting",
    GONE: "gone",
}


@record
class Cell:
    """A column of the page.

    Attributes
    ----------
    title
        Its heading.
    kind
        CSS class of its cells; ``n`` for numbers.
    width_ch
        Width in digits; None for a column that takes the space that the others leave.
    text
        Returns the HTML of a frame's cell.
    """

    title: str
    kind: str
    width_ch: int | None
    text: Callable[[FrameValues], str]

    def head(self) -> str:
        """Return the cell of the heading."""
        return f'<th scope="col" class="{self.kind}">{sort_button(self.title)}</th>'

    def html(self, frame: FrameValues) -> str:
        """Return the cell of a frame."""
        return f'<td class="{self.kind}">{self.text(frame)}</td>'


def _words(name: str) -> Callable[[FrameValues], str]:
    return lambda frame: escape(str(frame[name] or ""))


def _number(name: str, form: str) -> Callable[[FrameValues], str]:
    def text(frame: FrameValues) -> str:
        value = frame[name]
        return "" if value is None else format(value, form)

    return text


def _why(frame: FrameValues) -> str:
    """Return the error without the file's name, which another cell has, or the reason why no attempt matched."""
    if frame["error"] is not None:
        return escape(str(frame["error"]).removeprefix(f"{frame['path']}: "))
    reason = str(frame["reason"] or "")
    what, _ = REASONS.get(reason, (reason, ""))
    return escape(what)


def _fate(frame: FrameValues) -> str:
    fate = str(frame["fate"])
    return escape(FATE_TEXTS.get(fate, fate))


def _size(frame: FrameValues) -> str:
    width, height = frame["width_deg"], frame["height_deg"]
    return "" if width is None or height is None else f"{width:.4g} × {height:.4g}"


def _corner_px(frame: FrameValues) -> str:
    corner, pixscale = frame["corner_error_arcsec"], frame["pixscale"]
    return f"{corner / pixscale:.2g}" if isinstance(corner, float) and isinstance(pixscale, float) else ""


def _finished(frame: FrameValues) -> str:
    return escape(str(frame["finished"] or "").replace("T", " ").removesuffix("Z"))


_FILE = Cell("file", "path", None, _words("path"))
_LAST = (
    Cell("time s", "n", 7, _number("time_s", ".2f")),
    Cell("server", "name", 8, _words("server")),
    Cell("finished, UTC", "when", 10, _finished),
    Cell("job", "name", 8, _words("job")),
)
UNSOLVED_CELLS = (
    _FILE,
    Cell("fate", "fate", 10, _fate),
    Cell("why", "why", None, _why),
    Cell("tries", "n", 6, _number("tries", "d")),
    *_LAST,
)
SOLVED_CELLS = (
    _FILE,
    Cell("RA °", "n", 9, _number("ra", ".5f")),
    Cell("Dec °", "n", 9, _number("dec", "+.5f")),
    Cell("size °", "n", 14, _size),
    Cell("″/pixel", "n", 7, _number("pixscale", ".4g")),
    Cell("orient. °", "n", 8, _number("orientation", ".2f")),
    Cell("parity", "n", 6, _number("parity", "+d")),
    Cell("stars", "n", 6, _number("stars", "d")),
    Cell("RMS px", "n", 6, _number("rms_px", ".2f")),
    Cell("corner px", "n", 7, _corner_px),
    *_LAST,
)
