"""How the frames of each folder fared."""

from __future__ import annotations

import os.path
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape

from novacli.records.result import SOLVED
from novacli.text.printable import printable_line
from novacli.text.quantities import count_text

#: Of more folders, only those with the most frames not solved are shown.
MOST_SHOWN = 200


class Folders:
    """Counts fates by folder, and draws the table of them."""

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self._fates: dict[str, Counter[str]] = {}

    def add(self, path: str, fate: str) -> None:
        """Note the fate of a frame."""
        self.total[fate] += 1
        self._fates.setdefault(os.path.dirname(path), Counter())[fate] += 1  # noqa: PTH120 - may hold any bytes

    def html(self, fates: Sequence[tuple[str, str]]) -> Iterator[str]:
        """Yield the lines of the table; ``fates`` are its columns, each with its heading."""
        if not self._fates:
            return
        heads = "".join(f'<th scope="col" class="n">{button(text)}</th>' for _, text in fates)
        yield f'<section class="folders"><h2>Folders <small>{len(self._fates):,}</small></h2>'
        yield f'<table><thead><tr><th scope="col">{button("folder")}</th>{heads}</tr></thead><tbody>'
        shown, others = self._shown()
        for folder, counts in shown:
            yield _row(escape(printable_line(folder)), counts, fates)
        yield "</tbody>"
        if others:
            summed = sum((self._fates[folder] for folder in others), Counter())
            yield f"<tfoot>{_row(count_text(len(others), 'other folder'), summed, fates)}</tfoot>"
        yield "</table></section>"

    def _shown(self) -> tuple[list[tuple[str, Counter[str]]], list[str]]:
        """Return the folders to show, by name, with their counts, and the names of the others."""
        worst = sorted(self._fates, key=lambda folder: self._fates[folder][SOLVED] - self._fates[folder].total())
        return sorted((f, self._fates[f]) for f in worst[:MOST_SHOWN]), worst[MOST_SHOWN:]


def button(text: str) -> str:
    """Return what sorts a table by one of its columns; no real button, or Chromium prints the heading once only."""
    return f'<span role="button" tabindex="0">{text}</span>'


def _row(name: str, counts: Counter[str], fates: Sequence[tuple[str, str]]) -> str:
    numbers = "".join(f'<td class="n">{counts[fate] or ""}</td>' for fate, _ in fates)
    return f'<tr><td class="path">{name}</td>{numbers}</tr>'
