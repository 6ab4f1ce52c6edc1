"""The page's style sheet and its script."""

STYLE = """
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
td.n, td.when, td.fate { white-space: nowrap; }
.path, .why { overflow-wrap: anywhere; }
.absent .path::after { content: " (not there any more)"; color: var(--quiet); }
.failed .fate { color: var(--bad); }
.unsolved .fate, .retriable .fate { color: var(--unsure); }
a { color: var(--dot); }
.frames table { table-layout: fixed; min-width: 84rem; }
.frames th { width: 4.6rem; }
.frames th.path, .frames th.why { width: auto; }
.frames th.when, .frames th.fate { width: 9rem; }
.block { content-visibility: auto; contain-intrinsic-size: auto 14000px; }
.block + .block { margin-top: 1px; }
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
  .frames table { min-width: 0; table-layout: auto; }
  .frames th, .frames th.when, .frames th.fate { width: auto; }
  .frames td:last-child, .frames th:last-child { display: none; }
  .block { content-visibility: visible; }
  a { color: inherit; }
}
"""
#: Sorts the tables of a section together by the column whose heading was pressed; pressed again, the other way round.
#: Cells that are empty stay last.
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
  const pressed = event => {
    const button = event.target.closest("th span");
    if (!button || event.key && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    sort(button.parentElement);
  };
  document.addEventListener("click", pressed);
  document.addEventListener("keydown", pressed);
})();
"""
