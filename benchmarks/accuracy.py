#!/usr/bin/env python3
"""Accuracy of solutions: fields drawn by ``nova demo`` are solved and compared with the truth over the whole image.

Reports errors of the centre, of the scale and of a grid of points with the distortion, by width of field, and how often
the estimated error at the corners covers the true one.  See README.md beside this file.
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

#: Limits of the classes of width, in degrees.
CLASSES_DEG = (1.0, 3.0, 10.0, 30.0, 90.0)
#: Points on a side of the grid, which reaches from edge to edge.
_GRID = 13
#: Seconds after a program's own time limit before it is killed.
_GRACE_S = 15.0
_QUANTILES = {"median": 0.5, "90 %": 0.9, "worst": 1.0}
_WIDTHS = (52, 9, 9, 13, 8, 11, 13, 9, 9, 5)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The errors of a solution.

    Attributes
    ----------
    center_arcsec, center_px
        Error of the image's centre, by the whole solution with its distortion.
    tan_center_px
        Error of the image's centre by the TAN part alone, as ``calibration`` states it.
    scale
        Absolute error of the pixel scale that ``calibration`` states, as a fraction.
    grid_rms_px, grid_worst_px
        Errors over a grid from edge to edge: the distance between a pixel and the pixel where the position that the
        solution gives it truly is.
    corner_px
        The same at the worst corner.
    sip_order
        The order of the solution's distortion, 0 for none.
    """

    center_arcsec: float
    center_px: float
    tan_center_px: float
    scale: float
    grid_rms_px: float
    grid_worst_px: float
    corner_px: float
    sip_order: int


def accuracy_of(solution: TanSip, truth: TanSip) -> Accuracy:
    """Compare a solution with the truth about the same image."""
    middle = truth.center_px
    true_center = truth.pixel_to_sky(*middle)
    center_arcsec = separation_arcsec(solution.pixel_to_sky(*middle), true_center)
    errors_px = list(_grid_errors_px(solution, truth))
    return Accuracy(
        center_arcsec=center_arcsec,
        center_px=center_arcsec / truth.pixscale_arcsec,
        tan_center_px=separation_arcsec(solution.tan_pixel_to_sky(*middle), true_center) / truth.pixscale_arcsec,
        scale=abs(solution.pixscale_arcsec / truth.pixscale_arcsec - 1),
        grid_rms_px=math.sqrt(math.fsum(e * e for e in errors_px) / len(errors_px)),
        grid_worst_px=max(errors_px),
        corner_px=max(errors_px[i] for i in (0, _GRID - 1, -_GRID, -1)),
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
    """Return the width in degrees and the whole WCS from the truth file that ``nova demo`` wrote beside an image.

    Raises
    ------
    OSError
        If there is no such file.
    """
    truth = json.loads(path.with_name(path.name + ".truth.json").read_text())
    width, height = truth["size"]
    return truth["width_deg"], from_header({**truth["wcs"], "IMAGEW": width, "IMAGEH": height})


# --- Solving -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """One image solved by one program.

    Attributes
    ----------
    name, width_deg
        The image, and the width of its field.
    wrong
        Whether the answer is another place or mirrored.
    accuracy
        None if the image is unsolved or its answer wrong.
    rms_px, estimated_corner_px
        Residual and estimated corner error that the program itself states; NaN if it states none.
    """

    name: str
    width_deg: float
    wrong: bool
    accuracy: Accuracy | None
    rms_px: float = math.nan
    estimated_corner_px: float = math.nan


def by_nova(nova: Nova, case: Case) -> Outcome:
    """Solve an image with ``nova submit``, in a fresh state."""
    with measure.fresh_state() as (_, env):
        run = measure.run(nova.argv(case.path), nova.timeout_s + _GRACE_S, env)
        result = last_json(run.stdout)
        solved = result.get("status") == "solved"
        solution = read_wcs(Path(result["files"]["wcs"])) if solved else None
    return _outcome(case, solution, result.get("match") or {})


def by_solve_field(program: SolveField, case: Case) -> Outcome:
    """Solve an image with ``solve-field``, in an empty folder."""
    with measure.fresh_state() as (folder, env):
        out = folder / "out"
        out.mkdir()
        measure.run(program.argv(case.path, out), program.timeout_s + _GRACE_S, env, cwd=folder)
        solved = next(out.glob("*.solved"), None)
        solution = None if solved is None else read_wcs(solved.with_suffix(".wcs"))
    return _outcome(case, solution, {})


def _outcome(case: Case, solution: TanSip | None, match: Mapping[str, Any]) -> Outcome:
    width_deg, truth = truth_of(case.path)
    name = f"{case.name} ({case.about})" if case.about else case.name
    if solution is None:
        return Outcome(name, width_deg, False, None)
    accuracy = accuracy_of(solution, truth)
    wrong = accuracy.center_px > CENTER_TOLERANCE * truth.width or solution.parity != truth.parity
    stated_px = [
        math.nan if (arcsec := match.get(key)) is None else arcsec / truth.pixscale_arcsec
        for key in ("rms_arcsec", "corner_error_arcsec")
    ]
    return Outcome(name, width_deg, wrong, None if wrong else accuracy, *stated_px)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    indexes = reporting.installed_indexes()
    where = reporting.setting(indexes)
    nova = Nova(shlex.split(options.nova), options.timeout, ("--blind", *shlex.split(options.nova_options)))
    programs: dict[str, Callable[[Case], Outcome]] = {"nova": partial(by_nova, nova)}
    if options.against_solve_field:
        programs["solve-field"] = partial(by_solve_field, SolveField(options.timeout))
    results: dict[str, list[Outcome]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory(prefix="drawn-") as folder:
        for case in _cases(options, nova.command, Path(folder)):
            for name, solve in programs.items():
                outcome = solve(case)
                results[name].append(outcome)
                print(reporting.text_row(_row(outcome), _WIDTHS), flush=True)
    parts = [f"{_sentence(name, outcome)}\n\n{_table(outcome)}" for name, outcome in results.items()]
    print("\n\n".join(["", *parts]))
    if options.markdown is not None:
        options.markdown.write_text("\n\n".join([f"{where.sentence()}.", *parts]) + "\n")
    if options.json is not None:
        record = {"setting": where, "seed": options.seed if options.drawn else None, "pictures": results}
        options.json.write_text(json.dumps(reporting.as_plain(record), indent=1) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("images", nargs="*", type=Path, metavar="IMAGE", help="images that nova demo drew")
    parser.add_argument("--drawn", type=int, default=0, metavar="N", help="draw N fields, 1 to 90 degrees wide")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the drawn fields (default: 1)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the drawn fields in this folder")
    parser.add_argument("--against-solve-field", action="store_true", help="also solve each image by solve-field")
    parser.add_argument(
        "--timeout", type=float, default=60, metavar="S", help="time limit of each run in seconds (default: 60)"
    )
    parser.add_argument(
        "--nova", default=find_nova(), metavar="COMMAND", help="the command (default: the one beside this Python)"
    )
    parser.add_argument("--nova-options", default="", metavar="TEXT", help="more options of nova submit")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a report to this file")
    return parser


def _cases(options: argparse.Namespace, nova: Sequence[str], folder: Path) -> Iterator[Case]:
    yield from cases.from_paths(options.images)
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    yield from cases.drawn(nova, options.keep or folder, options.drawn, options.seed)


# --- Reports -----------------------------------------------------------------------------------------------------


def _row(outcome: Outcome) -> list[str]:
    a = outcome.accuracy
    if a is None:
        return [outcome.name, "wrong" if outcome.wrong else "unsolved", *["–"] * 8]
    figures = (a.center_arcsec, a.center_px, a.tan_center_px, 100 * a.scale, a.grid_rms_px, a.grid_worst_px,
               a.corner_px, outcome.estimated_corner_px)  # fmt: skip
    digits = (2, 3, 3, 4, 3, 3, 3, 3)
    return [outcome.name, *(number(f, d) for f, d in zip(figures, digits, strict=True)), str(a.sip_order)]


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that ``share`` of the values do not exceed; NaN if there are no values."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else math.nan


#: The columns of the table: title, digits, and the figure.
_FIGURES: dict[str, tuple[int, Callable[[Accuracy], float]]] = {
    "centre ″": (2, lambda a: a.center_arcsec),
    "centre px": (2, lambda a: a.center_px),
    "TAN centre px": (2, lambda a: a.tan_center_px),
    "scale %": (4, lambda a: 100 * a.scale),
    "grid rms px": (2, lambda a: a.grid_rms_px),
    "grid worst px": (2, lambda a: a.grid_worst_px),
}


def _table(results: Sequence[Outcome]) -> str:
    """Return a table with a row for each class of width and one for all fields; each cell: median / 90 % / worst."""
    classes = itertools.pairwise(CLASSES_DEG)
    rows = []
    for low, high in classes:
        rows.append(_table_row(f"{low:g}° to {high:g}°", [h for h in results if low <= h.width_deg < high]))
    rows.append(_table_row("all", results))
    return reporting.markdown_table(("width", "fields", *_FIGURES), rows)


def _table_row(title: str, results: Sequence[Outcome]) -> list[str]:
    known = [h.accuracy for h in results if h.accuracy is not None]
    cells = []
    for digits, figure in _FIGURES.values():
        values = [figure(a) for a in known]
        cells.append(" / ".join(number(quantile(values, share), digits) for share in _QUANTILES.values()))
    return [title, str(len(known)), *cells]


def _sentence(program: str, results: Sequence[Outcome]) -> str:
    solved = [h for h in results if h.accuracy is not None]
    orders: dict[int, int] = {}
    for outcome in solved:
        if outcome.accuracy is not None:
            orders[outcome.accuracy.sip_order] = orders.get(outcome.accuracy.sip_order, 0) + 1
    counts = ", ".join(f"{orders[order]} of order {order}" for order in sorted(orders)) or "none"
    return (
        f"{program}: {len(solved)} of {len(results)} fields solved, {sum(h.wrong for h in results)} wrong answers; "
        f"distortion: {counts}. Each cell: {' / '.join(_QUANTILES)}.{_coverage(results)}"
    )


def _coverage(results: Sequence[Outcome]) -> str:
    """Return a sentence on the estimated corner errors; an empty text if none is stated."""
    pairs = [(h.accuracy.corner_px, h.estimated_corner_px) for h in results if h.accuracy is not None]
    known = [(true, estimated) for true, estimated in pairs if not math.isnan(estimated)]
    if not known:
        return ""
    covered = sum(true <= estimated for true, estimated in known)
    true, estimated = (sorted(column) for column in zip(*known, strict=True))
    return (
        f" The estimated error at the corners covers the true one in {covered} of {len(known)} fields; medians: true "
        f"{number(quantile(true, 0.5), 2)} px, estimated {number(quantile(estimated, 0.5), 2)} px."
    )


if __name__ == "__main__":
    sys.exit(main())
