"""HTML report: one page that needs no other file, for the screen (light and dark) and for paper.

The top of the page needs totals that are known only after the last frame, so the frames wait in temporary files.  Every
text on the page is escaped, and its Content-Security-Policy allows one style sheet and the script that sorts.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from html import escape
from pathlib import Path
from typing import BinaryIO

from novacli.batch.records import GONE, RETRIABLE, WAITING, LedgerEntry
from novacli.batch.reports import Summary
from novacli.batch.reports.columns import NAMES, NO, utc_text, values
from novacli.batch.reports.folders import Folders
from novacli.batch.reports.pagecells import FATE_TEXTS, SOLVED_CELLS, UNSOLVED_CELLS, Cell, FrameValues
from novacli.batch.reports.pagepaths import CommonFolder, names_only
from novacli.batch.reports.pagestyle import SCRIPT, style
from novacli.batch.reports.sky import SIZES, Sky
from novacli.records.status import FAILED, SOLVED, UNSOLVED
from novacli.text.printable import printable_line
from novacli.text.quantities import count_text

#: The fates in the table "Not solved", in its order: those that need attention come first.
_PROBLEMS = (FAILED, UNSOLVED, RETRIABLE, WAITING, GONE)
#: Browsers lay out tables of this size one by one as they scroll into view; one of 20,000 rows would keep them busy.
_ROWS_PER_TABLE = 500


def write(entries: Iterable[LedgerEntry], summary: Summary, stream: BinaryIO, scratch: Path) -> None:
    """Write the page; see :mod:`novacli.batch.reports` for the parameters."""
    folders, sky, common = Folders(), Sky(), CommonFolder()
    with ExitStack() as stack:
        files = {fate: stack.enter_context(tempfile.TemporaryFile(dir=scratch)) for fate in FATE_TEXTS}
        for entry in entries:
            frame = dict(zip(NAMES, values(entry), strict=True))
            folders.add(entry.path, entry.record.fate)
            common.add(str(frame["path"]))
            ra, dec = frame["ra"], frame["dec"]
            if isinstance(ra, float) and isinstance(dec, float):
                sky.add(ra, dec)
            files[entry.record.fate].write(json.dumps(frame).encode() + b"\n")
        for text in _page(summary, folders, sky, common, files):
            stream.write(f"{text}\n".encode())


def _page(
    summary: Summary, folders: Folders, sky: Sky, common: CommonFolder, files: Mapping[str, BinaryIO]
) -> Iterator[str]:
    """Yield the parts of the page; ``files`` hold the frames of each fate, one JSON object a line."""
    yield from _top(summary, folders, sky)
    yield from folders.html([(f, text) for f, text in FATE_TEXTS.items() if _is_shown(f, folders)], common.relative)
    counts = folders.total
    problems = itertools.chain.from_iterable(_frames(files[fate], common) for fate in _PROBLEMS)
    yield from _section("Not solved", "problems", UNSOLVED_CELLS, problems, sum(counts[f] for f in _PROBLEMS))
    yield from _section("Solved", "solutions", SOLVED_CELLS, _frames(files[SOLVED], common), counts[SOLVED])
    yield f"</main><script>{SCRIPT}</script></body></html>"


def _top(summary: Summary, folders: Folders, sky: Sky) -> Iterator[str]:
    """Yield the head of the document, the summary and the map of the sky."""
    title = escape(names_only(printable_line(summary.title))) or "Frames"
    style_sheet = style()
    policy = f"default-src 'none'; style-src {_csp_hash(style_sheet)}; script-src {_csp_hash(SCRIPT)}"
    yield '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}: report</title><style>{style_sheet}</style></head><body><main>"
    yield f"<h1>{title}</h1>"
    yield f'<p class="summary">{_summary_text(summary, folders)}</p>'
    yield f'<p class="quiet">Made {utc_text(summary.made_s).replace("T", " ").replace("Z", " UTC")}.</p>'
    if sky.count:
        yield '<figure class="overview">'
        yield from sky.svg()
        larger = f"larger dots mark places with at least {SIZES[1][0]} or {SIZES[2][0]} frames"
        yield f"<figcaption>Centres of {count_text(sky.count, 'frame')}, east to the left; {larger}.</figcaption>"
        yield "</figure>"


def _csp_hash(text: str) -> str:
    """Return the source expression that allows exactly this text (Content Security Policy Level 3)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _is_shown(fate: str, folders: Folders) -> bool:
    return fate == SOLVED or folders.total[fate] > 0


def _summary_text(summary: Summary, folders: Folders) -> str:
    counts = folders.total
    parts = [f"<b>{counts[f]:,}</b> {text}" for f, text in FATE_TEXTS.items() if _is_shown(f, folders)]
    time = "" if summary.elapsed_s is None else f"; {duration_text(summary.elapsed_s)}"
    return f"{count_text(counts.total(), 'frame')}: {', '.join(parts)}{time}."


def duration_text(seconds: float) -> str:
    """Return a time in its two largest units: ``4.2 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _frames(file: BinaryIO, common: CommonFolder) -> Iterator[FrameValues]:
    """Read frames back from a temporary file, their paths shortened."""
    file.seek(0)
    for line in file:
        frame: FrameValues = json.loads(line)
        path = str(frame["path"])
        frame["path"] = common.relative(path)
        if frame["error"] is not None:
            frame["error"] = common.shorten(str(frame["error"]).replace(path, common.relative(path)))
        yield frame


def _section(title: str, name: str, cells: Sequence[Cell], frames: Iterable[FrameValues], count: int) -> Iterator[str]:
    """Yield the tables of ``count`` frames under a heading; nothing if there are none."""
    if not count:
        return
    head = "".join(cell.head() for cell in cells)
    rows = (_row(cells, frame) for frame in frames)
    yield f'<section class="frames {name}"><h2>{title} <small>{count:,}</small></h2>'
    while block := list(itertools.islice(rows, _ROWS_PER_TABLE)):
        yield f'<div class="block"><table><thead><tr>{head}</tr></thead><tbody>'
        yield from block
        yield "</tbody></table></div>"
    yield "</section>"


def _row(cells: Sequence[Cell], frame: FrameValues) -> str:
    is_absent = frame["present"] == NO and frame["fate"] != GONE
    return f'<tr class="{frame["fate"]}{" absent" if is_absent else ""}">{"".join(c.html(frame) for c in cells)}</tr>'
