"""HTML: one page that needs nothing else, to be read on a screen, in light and dark, and on paper.

What stands at its top is known only when all frames have come, so the rows of the frames wait in files until then.
Nothing in it is obeyed but the one script that sorts: the page forbids all others by their hash, and every text in it
is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from html import escape
from pathlib import Path
from typing import BinaryIO

from novacli.batch.records import GONE, RETRIABLE, WAITING, LedgerEntry
from novacli.batch.reports import Summary
from novacli.batch.reports.columns import NAMES, NO, utc_text, values
from novacli.batch.reports.folders import Folders
from novacli.batch.reports.pagecells import FATE_TEXTS, SOLVED_CELLS, UNSOLVED_CELLS, Cell
from novacli.batch.reports.pagestyle import SCRIPT, STYLE
from novacli.batch.reports.sky import SIZES, Sky
from novacli.records.result import FAILED, SOLVED, UNSOLVED
from novacli.text.printable import printable_line
from novacli.text.quantities import count_text

#: What asks for a person's attention comes first.
_PROBLEMS = (FAILED, UNSOLVED, RETRIABLE, WAITING, GONE)
#: Browsers lay out tables of this many rows one by one, as they come into view; one of 20,000 keeps them busy.
_ROWS_PER_TABLE = 500


def write(entries: Iterable[LedgerEntry], summary: Summary, stream: BinaryIO, scratch: Path) -> None:
    """Write the page."""
    folders, sky = Folders(), Sky()
    with ExitStack() as stack:
        rows = {fate: stack.enter_context(tempfile.TemporaryFile(dir=scratch)) for fate in FATE_TEXTS}
        for entry in entries:
            cells = dict(zip(NAMES, values(entry), strict=True))
            folders.add(entry.path, entry.known.fate)
            ra, dec = cells["ra"], cells["dec"]
            if isinstance(ra, float) and isinstance(dec, float):
                sky.add(ra, dec)
            fate = entry.known.fate
            row = "".join(cell.html(cells) for cell in (SOLVED_CELLS if fate == SOLVED else UNSOLVED_CELLS))
            is_absent = cells["present"] == NO and fate != GONE
            rows[fate].write(f'<tr class="{fate}{" absent" if is_absent else ""}">{row}</tr>\n'.encode())
        for text in _top(summary, folders, sky):
            stream.write(f"{text}\n".encode())
        problems = [rows[fate] for fate in _PROBLEMS]
        counts = folders.total
        stream.writelines(_section("Not solved", UNSOLVED_CELLS, problems, sum(counts[fate] for fate in _PROBLEMS)))
        stream.writelines(_section("Solved", SOLVED_CELLS, [rows[SOLVED]], counts[SOLVED]))
        stream.write(f"</main><script>{SCRIPT}</script></body></html>\n".encode())


def _top(summary: Summary, folders: Folders, sky: Sky) -> Iterator[str]:
    """Yield all that stands above the frames."""
    title = escape(printable_line(summary.title)) or "Frames"
    policy = f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}"
    yield '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}: report</title><style>{STYLE}</style></head><body><main>"
    yield f"<h1>{title}</h1>"
    yield f'<p class="summary">{_summary_text(summary, folders)}</p>'
    yield f'<p class="quiet">Made {utc_text(summary.made_s).replace("T", " ").replace("Z", " UTC")}.</p>'
    if sky.count:
        yield '<figure class="overview">'
        yield from sky.svg()
        larger = f"larger dots stand for {SIZES[1][0]}, and for {SIZES[2][0]}, frames or more"
        yield f"<figcaption>Centres of {count_text(sky.count, 'frame')}, east to the left; {larger}.</figcaption>"
        yield "</figure>"
    yield from folders.html([(f, text) for f, text in FATE_TEXTS.items() if folders.total[f] or f == SOLVED])


def _hash(text: str) -> str:
    """Return the source expression by which a page allows exactly this text (Content Security Policy Level 3)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _summary_text(summary: Summary, folders: Folders) -> str:
    counts = folders.total
    parts = [f"<b>{counts[f]:,}</b> {text}" for f, text in FATE_TEXTS.items() if counts[f] or f == SOLVED]
    time = "" if summary.elapsed_s is None else f"; {duration_text(summary.elapsed_s)}"
    return f"{count_text(counts.total(), 'frame')}: {', '.join(parts)}{time}."


def duration_text(seconds: float) -> str:
    """Return a time in its two largest units: ``4.2 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _section(title: str, cells: Sequence[Cell], files: Sequence[BinaryIO], count: int) -> Iterator[bytes]:
    """Yield the tables of frames whose rows lie in ``files``, one a line; nothing where there are none."""
    if not count:
        return
    head = "".join(cell.head() for cell in cells)
    for file in files:
        file.seek(0)
    rows = itertools.chain.from_iterable(files)
    yield f'<section class="frames"><h2>{title} <small>{count:,}</small></h2>\n'.encode()
    while block := list(itertools.islice(rows, _ROWS_PER_TABLE)):
        yield f'<div class="block"><table><thead><tr>{head}</tr></thead><tbody>\n'.encode()
        yield from block
        yield b"</tbody></table></div>\n"
    yield b"</section>\n"
