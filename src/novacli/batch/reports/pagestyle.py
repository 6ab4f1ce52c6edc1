"""The page's style sheet and its script.

On wide screens frames are rows of a table with fixed column widths, so that all tables of a section agree; below
``_CARDS_BELOW_PX`` a frame is a card: its file on a line of its own, then the other values, each with its label.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from novacli.batch.reports.pagecells import SOLVED_CELLS, UNSOLVED_CELLS, Cell

#: Below this width of the window, the columns of solved frames would leave no room for the names of files.
_CARDS_BELOW_PX = 1280
#: Below this width, the labels of the map would be too small to read.
_SMALL_BELOW_PX = 600
#: Classes of the sections of frames, and their columns.
_SECTIONS = (("problems", UNSOLVED_CELLS), ("solutions", SOLVED_CELLS))


def style() -> str:
    """Return the style sheet."""
    return "\n".join([_BASE, *_column_widths(), *_cards(), _PRINT])


def _column_widths() -> Iterator[str]:
    """Yield the widths of columns, which fixed table layout takes from the headings."""
    for section, cells in _SECTIONS:
        for number, cell in enumerate(cells, 1):
            if cell.width_ch is not None:
                yield f".{section} th:nth-child({number}) {{ width: calc({cell.width_ch}ch + .8rem); }}"


def _cards() -> Iterator[str]:
    """Yield the rules for narrow screens."""
    yield f"@media screen and (max-width: {_CARDS_BELOW_PX - 1}px) {{"
    yield _CARDS
    for section, cells in _SECTIONS:
        yield from _labels(section, cells)
    yield "}"
    yield f"@media screen and (max-width: {_SMALL_BELOW_PX - 1}px) {{ .label {{ font-size: 20px; }} }}"


def _labels(section: str, cells: Sequence[Cell]) -> Iterator[str]:
    """Yield the labels of values; the file needs none."""
    for number, cell in enumerate(cells[1:], 2):
        yield f'.{section} td:nth-child({number})::before {{ content: "{cell.title}"; }}'


_BASE = """
:root { color-scheme: light dark; --ink: #1d2430; --paper: #fff; --quiet: #5b6678; --line: #d5dae2; --band: #f4f6f9;
  --dot: #1f5fbf; --bad: #b3261e; --unsure: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #dfe5ee; --paper: #12161d; --quiet: #95a1b3; --line: #333c4a;
  --band: #1a202a; --dot: #7fb0ff; --bad: #ff8a80; --unsure: #f0b95a; } }
body { margin: 0; color: var(--ink); background: var(--paper); font: 14px/1.45 system-ui, sans-serif; }
main { margin: 0 auto; padding: 1.5rem; max-width: 110rem; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
h2 small, .quiet, figcaption { color: var(--quiet); font-weight: normal; }
.summary { font-size: 1.1rem; margin: 0; }
.quiet { margin: .2rem 0 1rem; }
figure { margin: 1rem 0; max-width: 46rem; }
.sky { display: block; width: 100%; height: auto; }
.grid { fill: none; stroke: var(--line); stroke-width: 1; }
.dots { fill: none; stroke: var(--dot); stroke-linecap: round; }
.label { fill: var(--quiet); font-size: 10px; text-anchor: middle; paint-order: stroke; stroke: var(--paper);
  stroke-width: 3; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.folders table { width: auto; min-width: 40%; }
th, td { padding: .2rem .5rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { position: sticky; top: 0; background: var(--paper); }
th span { cursor: pointer; }
th span:focus-visible { outline: 2px solid var(--dot); }
th[aria-sort=ascending] span::after { content: " \\2191"; }
th[aria-sort=descending] span::after { content: " \\2193"; }
tbody tr:nth-child(even) { background: var(--band); }
.n { text-align: right; }
td.n { white-space: nowrap; }
.path, .why { overflow-wrap: anywhere; }
.absent .path::after { content: " (no longer there)"; color: var(--quiet); }
.failed .fate { color: var(--bad); }
.unsolved .fate, .retriable .fate { color: var(--unsure); }
a { color: var(--dot); }
.folders { overflow-x: auto; }
.folders .path { min-width: 9rem; }
.frames table { table-layout: fixed; font-size: 13px; }
.frames th, .frames td { box-sizing: border-box; padding: .2rem .4rem; overflow-wrap: break-word; }
.block { content-visibility: auto; contain-intrinsic-size: auto 14000px; }
.block + .block { margin-top: 1px; }
"""
_CARDS = """
main { padding: 1rem; }
.folders th { position: static; white-space: nowrap; }
.frames table, .frames tbody { display: block; font-size: 14px; }
.block + .block thead { display: none; }
.frames thead tr { display: flex; flex-wrap: wrap; gap: 0 1rem; }
.frames th { position: static; width: auto !important; padding: .1rem 0; border: 0; }
.frames tbody tr { display: flex; flex-wrap: wrap; gap: 0 1.2rem; padding: .5rem;
  border-bottom: 1px solid var(--line); }
.frames td { padding: 0; border: 0; }
.frames td:empty { display: none; }
.frames td.path, .frames td.why { flex: 0 0 100%; }
.frames td.path { font-weight: bold; }
.frames td::before { color: var(--quiet); margin-right: .4rem; }
.frames td.path::before, .frames td.why::before { content: none !important; }
"""
_PRINT = """
@media print {
  @page { size: landscape; margin: 12mm; }
  :root { color-scheme: light; --ink: #000; --paper: #fff; --quiet: #444; --line: #bbb; --band: #fff; --dot: #000;
    --bad: #000; --unsure: #000; }
  body { font-size: 7pt; line-height: 1.3; }
  main { padding: 0; max-width: none; }
  figure { max-width: 24rem; }
  th { position: static; }
  thead, tr, figure { break-inside: avoid; }
  th, td { padding: .1rem .25rem; }
  .frames table { table-layout: auto; font-size: inherit; }
  .frames th { width: auto !important; }
  .frames td:last-child, .frames th:last-child { display: none; }
  .block { content-visibility: visible; }
  a { color: inherit; }
}
"""
#: Sorts all tables of a section by the column whose heading is clicked; a second click reverses the order.  Empty cells
#: stay last.
SCRIPT = """
(() => {
  const collator = new Intl.Collator(undefined, {numeric: true});
  const sort = head => {
    const column = head.cellIndex, numbers = head.classList.contains("n");
    const down = head.getAttribute("aria-sort") === "ascending";
    const section = head.closest("section");
    const bodies = [...section.querySelectorAll("tbody")];
    const counts = bodies.map(body => body.rows.length);
    const rows = bodies.flatMap(body => [...body.rows]).map(row => {
      const text = row.cells[column].textContent;
      return {row, text, number: parseFloat(text)};
    });
    rows.sort((a, b) => {
      if (!a.text || !b.text) return !a.text - !b.text;
      const order = numbers ? a.number - b.number : collator.compare(a.text, b.text);
      return down ? -order : order;
    });
    bodies.forEach((body, number) => {
      body.replaceChildren(...rows.splice(0, counts[number]).map(item => item.row));
    });
    for (const other of section.querySelectorAll("th")) {
      if (other.cellIndex !== column) other.removeAttribute("aria-sort");
      else other.setAttribute("aria-sort", down ? "descending" : "ascending");
    }
  };
  const onPress = event => {
    const button = event.target.closest("th span");
    if (!button || event.key && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    sort(button.parentElement);
  };
  document.addEventListener("click", onPress);
  document.addEventListener("keydown", onPress);
})();
"""
