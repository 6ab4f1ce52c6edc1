"""The page's table of folders: the number of frames of each folder that are solved, unsolved, failed."""

from __future__ import annotations

import os.path
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from html import escape

from novacli.records.status import SOLVED
from novacli.text.printable import printable_line
from novacli.text.quantities import count_text

#: With more folders than this, only those with the most frames that are not solved are shown.
MOST_SHOWN = 200


class Folders:
    """Counts the frames of each fate in each folder and renders the table."""

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self._fates: dict[str, Counter[str]] = {}

    def add(self, path: str, fate: str) -> None:
        """Count a frame."""
        self.total[fate] += 1
        folder = printable_line(os.path.dirname(path))  # noqa: PTH120 - may hold any bytes
        self._fates.setdefault(folder, Counter())[fate] += 1

    def html(self, fates: Sequence[tuple[str, str]], relative: Callable[[str], str]) -> Iterator[str]:
        """Yield the lines of the table.

        Parameters
        ----------
        fates
            Its columns: a fate and the heading of its column.
        relative
            Shortens the path of a file in a folder to what is shown.
        """
        if not self._fates:
            return
        heads = "".join(f'<th scope="col" class="n">{sort_button(text)}</th>' for _, text in fates)
        yield f'<section class="folders"><h2>Folders <small>{len(self._fates):,}</small></h2>'
        yield f'<table><thead><tr><th scope="col" class="path">{sort_button("folder")}</th>{heads}</tr></thead><tbody>'
        shown, others = self._shown()
        for folder, counts in shown:
            yield _row(escape(relative(f"{folder}/").rstrip("/") or "."), counts, fates)
        yield "</tbody>"
        if others:
            summed = sum((self._fates[folder] for folder in others), Counter())
            yield f"<tfoot>{_row(count_text(len(others), 'other folder'), summed, fates)}</tfoot>"
        yield "</table></section>"

    def _shown(self) -> tuple[list[tuple[str, Counter[str]]], list[str]]:
        """Return the folders to show, sorted by name, with their counts, and the names of the others."""
        worst = sorted(self._fates, key=lambda folder: self._fates[folder][SOLVED] - self._fates[folder].total())
        return sorted((f, self._fates[f]) for f in worst[:MOST_SHOWN]), worst[MOST_SHOWN:]


def sort_button(text: str) -> str:
    """Return the heading that sorts a table; a real button would make Chromium print it on the first page only."""
    return f'<span role="button" tabindex="0">{text}</span>'


def _row(name: str, counts: Counter[str], fates: Sequence[tuple[str, str]]) -> str:
    numbers = "".join(f'<td class="n">{counts[fate] or ""}</td>' for fate, _ in fates)
    return f'<tr><td class="path">{name}</td>{numbers}</tr>'
