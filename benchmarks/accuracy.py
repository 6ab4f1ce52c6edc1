#!/usr/bin/env python3
"""How true solutions are: fields drawn by ``nova demo``, solved, and held to what was drawn, over the whole picture.

Errors of the centre and the scale, and of a grid of points with the distortion, as distributions by width of field.
See README.md beside this file.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cases
import measure
import reporting
from cases import Case
from programs import Nova, SolveField, find_nova, last_json
from reporting import number
from truths import CENTER_TOLERANCE

from novacli.wcs.header import from_header, read_wcs
from novacli.wcs.sphere import separation_arcsec
from novacli.wcs.tansip import TanSip

#: Where the classes of width end, in degrees.
CLASSES_DEG = (1.0, 3.0, 10.0, 30.0, 90.0)
#: The grid reaches from edge to edge; so many points on a side.
_GRID = 13
#: What may pass after a program's own time limit before it is killed.
_GRACE_S = 15.0
_QUANTILES = {"median": 0.5, "90 %": 0.9, "worst": 1.0}
_COLUMNS = ("field", "centre ″", "centre px", "TAN centre px", "scale %", "grid rms px", "grid worst px", "order")
_WIDTHS = (52, 9, 9, 13, 8, 11, 13, 5)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far a solution is from the truth.

    Attributes
    ----------
    center_arcsec, center_px
        Of the picture's centre, by the whole solution with its distortion.
    tan_center_px
        Of the picture's centre by the TAN part alone, as ``calibration`` states it.
    scale
        Of the pixel scale as ``calibration`` states it, a fraction, without its sign.
    grid_rms_px, grid_worst_px
        Over a grid from edge to edge: between a pixel, and the pixel in which the place that the solution gives it
        truly is.
    sip_order
        The order of the solution's distortion, 0 for none.
    """

    center_arcsec: float
    center_px: float
    tan_center_px: float
    scale: float
    grid_rms_px: float
    grid_worst_px: float
    sip_order: int


def accuracy_of(solution: TanSip, truth: TanSip) -> Accuracy:
    """Hold a solution to the truth about the same picture."""
    middle = truth.center_px
    true_center = truth.pixel_to_sky(*middle)
    center_arcsec = separation_arcsec(solution.pixel_to_sky(*middle), true_center)
    off = list(_grid_errors_px(solution, truth))
    return Accuracy(
        center_arcsec=center_arcsec,
        center_px=center_arcsec / truth.pixscale_arcsec,
        tan_center_px=separation_arcsec(solution.tan_pixel_to_sky(*middle), true_center) / truth.pixscale_arcsec,
        scale=abs(solution.pixscale_arcsec / truth.pixscale_arcsec - 1),
        grid_rms_px=math.sqrt(math.fsum(d * d for d in off) / len(off)),
        grid_worst_px=max(off),
        sip_order=solution.sip_order,
    )


def _grid_errors_px(solution: TanSip, truth: TanSip) -> Iterator[float]:
    for row in range(_GRID):
        for column in range(_GRID):
            x = 0.5 + truth.width * column / (_GRID - 1)
            y = 0.5 + truth.height * row / (_GRID - 1)
            there = truth.sky_to_pixel(*solution.pixel_to_sky(x, y))
            yield math.inf if there is None else math.hypot(there[0] - x, there[1] - y)


def truth_of(path: Path) -> tuple[float, TanSip]:
    """Return the width in degrees and the whole WCS that ``nova demo`` left beside a picture.

    Raises
    ------
    OSError
        Where there is none.
    """
    truth = json.loads(path.with_name(path.name + ".truth.json").read_text())
    width, height = truth["size"]
    return truth["width_deg"], from_header({**truth["wcs"], "IMAGEW": width, "IMAGEH": height})


# --- Solving -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """One picture solved by one program; ``accuracy`` is None where it is unsolved, or its answer wrong.

    ``rms_px`` is the residual that the program itself states, in pixels; not a number where it states none.
    """

    name: str
    width_deg: float
    wrong: bool
    accuracy: Accuracy | None
    rms_px: float = math.nan


def by_nova(nova: Nova, case: Case) -> Held:
    """Solve a picture with ``nova submit``, in a fresh state."""
    with measure.fresh_state() as (_, env):
        run = measure.run(nova.argv(case.path), nova.timeout_s + _GRACE_S, env)
        result = last_json(run.stdout)
        solved = result.get("status") == "solved"
        solution = read_wcs(Path(result["files"]["wcs"])) if solved else None
    return _held(case, solution, result.get("match") or {})


def by_solve_field(program: SolveField, case: Case) -> Held:
    """Solve a picture with ``solve-field``, in an empty folder."""
    with measure.fresh_state() as (folder, env):
        out = folder / "out"
        out.mkdir()
        measure.run(program.argv(case.path, out), program.timeout_s + _GRACE_S, env, cwd=folder)
        solved = next(out.glob("*.solved"), None)
        solution = None if solved is None else read_wcs(solved.with_suffix(".wcs"))
    return _held(case, solution, {})


def _held(case: Case, solution: TanSip | None, match: Mapping[str, Any]) -> Held:
    width_deg, truth = truth_of(case.path)
    name = f"{case.name} ({case.about})" if case.about else case.name
    if solution is None:
        return Held(name, width_deg, False, None)
    accuracy = accuracy_of(solution, truth)
    wrong = accuracy.center_px > CENTER_TOLERANCE * truth.width or solution.parity != truth.parity
    stated = match.get("rms_arcsec")
    rms_px = math.nan if stated is None else stated / truth.pixscale_arcsec
    return Held(name, width_deg, wrong, None if wrong else accuracy, rms_px)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    indexes = reporting.installed_indexes()
    where = reporting.setting(indexes)
    nova = Nova(shlex.split(options.nova), options.timeout, ("--blind", *shlex.split(options.nova_options)))
    programs: dict[str, Callable[[Case], Held]] = {"nova": partial(by_nova, nova)}
    if options.against_solve_field:
        programs["solve-field"] = partial(by_solve_field, SolveField(options.timeout))
    results: dict[str, list[Held]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory(prefix="drawn-") as folder:
        for case in _cases(options, nova.command, Path(folder)):
            for name, solve in programs.items():
                held = solve(case)
                results[name].append(held)
                print(reporting.text_row(_row(held), _WIDTHS), flush=True)
    parts = [f"{_sentence(name, held)}\n\n{_table(held)}" for name, held in results.items()]
    print("\n\n".join(["", *parts]))
    if options.markdown is not None:
        options.markdown.write_text("\n\n".join([f"{where.sentence()}.", *parts]) + "\n")
    if options.json is not None:
        record = {"setting": where, "seed": options.seed if options.drawn else None, "pictures": results}
        options.json.write_text(json.dumps(reporting.as_plain(record), indent=1) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("images", nargs="*", type=Path, metavar="IMAGE", help="pictures that nova demo drew")
    parser.add_argument("--drawn", type=int, default=0, metavar="N", help="draw N fields, 1 to 90 degrees wide")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the drawn fields (default: 1)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the drawn fields there")
    parser.add_argument("--against-solve-field", action="store_true", help="solve each by solve-field, too")
    parser.add_argument("--timeout", type=float, default=60, metavar="S", help="for each run (default: 60)")
    parser.add_argument("--nova", default=find_nova(), metavar="COMMAND", help="default: the one beside this Python")
    parser.add_argument("--nova-options", default="", metavar="TEXT", help="more options of nova submit")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a report there")
    return parser


def _cases(options: argparse.Namespace, nova: Sequence[str], folder: Path) -> Iterator[Case]:
    yield from cases.from_paths(options.images)
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    yield from cases.drawn(nova, options.keep or folder, options.drawn, options.seed)


# --- Reports -----------------------------------------------------------------------------------------------------


def _row(held: Held) -> list[str]:
    a = held.accuracy
    if a is None:
        return [held.name, "wrong" if held.wrong else "unsolved", *["–"] * 6]
    figures = (a.center_arcsec, a.center_px, a.tan_center_px, 100 * a.scale, a.grid_rms_px, a.grid_worst_px)
    digits = (2, 3, 3, 4, 3, 3)
    return [held.name, *(number(f, d) for f, d in zip(figures, digits, strict=True)), str(a.sip_order)]


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that ``share`` of the values do not exceed, not a number where there is none."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else math.nan


#: What the table shows of each class: its title, digits, and the figure.
_FIGURES: dict[str, tuple[int, Callable[[Accuracy], float]]] = {
    "centre ″": (2, lambda a: a.center_arcsec),
    "centre px": (2, lambda a: a.center_px),
    "TAN centre px": (2, lambda a: a.tan_center_px),
    "scale %": (4, lambda a: 100 * a.scale),
    "grid rms px": (2, lambda a: a.grid_rms_px),
    "grid worst px": (2, lambda a: a.grid_worst_px),
}


def _table(results: Sequence[Held]) -> str:
    """Return a row for each class of width and one for all, a cell for each figure: median / 90 % / worst."""
    classes = itertools.pairwise(CLASSES_DEG)
    rows = []
    for low, high in classes:
        rows.append(_table_row(f"{low:g}° to {high:g}°", [h for h in results if low <= h.width_deg < high]))
    rows.append(_table_row("all", results))
    return reporting.markdown_table(("width", "fields", *_FIGURES), rows)


def _table_row(title: str, results: Sequence[Held]) -> list[str]:
    known = [h.accuracy for h in results if h.accuracy is not None]
    cells = []
    for digits, figure in _FIGURES.values():
        values = [figure(a) for a in known]
        cells.append(" / ".join(number(quantile(values, share), digits) for share in _QUANTILES.values()))
    return [title, str(len(known)), *cells]


def _sentence(program: str, results: Sequence[Held]) -> str:
    solved = [h for h in results if h.accuracy is not None]
    orders: dict[int, int] = {}
    for held in solved:
        if held.accuracy is not None:
            orders[held.accuracy.sip_order] = orders.get(held.accuracy.sip_order, 0) + 1
    told = ", ".join(f"{orders[order]} of order {order}" for order in sorted(orders)) or "none"
    return (
        f"{program}: {len(solved)} of {len(results)} fields solved, {sum(h.wrong for h in results)} wrong answers; "
        f"distortion: {told}. Each cell: {' / '.join(_QUANTILES)}."
    )


if __name__ == "__main__":
    sys.exit(main())
