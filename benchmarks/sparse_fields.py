#!/usr/bin/env python3
"""Measure how many drawn fields of few catalogue stars are solved, without follow-ups of candidates and with them.

Each field is anywhere on the sky, 2° to 30° wide, and so deep that it shows a given number of the catalogue's stars;
some of these are left out and others are added, as in every drawn field.  See README.md beside this file.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import reporting
from false_solutions import Bench

from novacli.demo.catalogue import Catalogue
from novacli.demo.drawing import draw
from novacli.demo.projection import Projection, direction
from novacli.demo.scene import Scene
from novacli.inputs import from_array
from novacli.pipeline.context import Context
from novacli.pipeline.solve import solve_field
from novacli.records.params import SolveParams
from novacli.solution.reading import Solution
from solvehost.engine.follow_up import FollowUps
from solvehost.indexes.sphere import separation_deg

#: Increases whenever the same number gives a different field than before.
DRAWING_VERSION = 1
#: Without follow-ups of candidates, and with them.
WAYS = ("without", "with")
_WIDTHS_DEG = (2.0, 30.0)
_SIZES_PX = ((800, 600), (1024, 768), (1280, 960))
#: The limiting magnitude is this much fainter than the last of the stars, so that it is detected.
_MARGIN_MAG = 0.9
#: A centre that is off by more than this fraction of the width is wrong.
_TOLERANCE = 0.1
_NEVER_S = 1e6


def sparse_scene(stars: int, number: int, catalogue: Catalogue) -> Scene:
    """Return a scene that shows ``stars`` stars of the catalogue; equal numbers give equal scenes."""
    rng = np.random.Generator(np.random.PCG64([DRAWING_VERSION, stars, number]))
    while True:
        low, high = _WIDTHS_DEG
        width_px, height_px = _SIZES_PX[rng.integers(len(_SIZES_PX))]
        scene = Scene(
            ra_deg=360 * rng.random(),
            dec_deg=math.degrees(math.asin(2 * rng.random() - 1)),
            width_deg=low * (high / low) ** rng.random(),
            width_px=width_px,
            height_px=height_px,
            rotation_deg=360 * rng.random(),
            mirrored=bool(rng.random() < 0.5),
            seed=int(rng.integers(2**31)),
            trail=False,
        )
        magnitudes = _magnitudes(scene, catalogue)
        if len(magnitudes) >= stars:
            return replace(scene, limit_mag=float(magnitudes[stars - 1]) + _MARGIN_MAG)


def _magnitudes(scene: Scene, catalogue: Catalogue) -> Any:
    """Return the magnitudes of the catalogue's stars in a scene, brightest first."""
    projection = Projection.of(scene)
    known = catalogue.around(direction(scene.ra_deg, scene.dec_deg), projection.reach_rad)
    x, y = projection.sky_to_pixel(known.directions)
    seen = np.isfinite(x) & (x > 1) & (y > 1) & (x < scene.width_px) & (y < scene.height_px)
    return np.sort(known.magnitudes[seen])


def trial(stars: int, number: int, bench: Bench) -> dict[str, Any]:
    """Solve one field in both ways; return for each solved, unsolved or wrong, and the CPU seconds of the engines."""
    scene = sparse_scene(stars, number, bench.catalogue)
    pixels = draw(scene, bench.catalogue).pixels.astype("f4")
    record: dict[str, Any] = {"stars": stars, "number": number, "width_deg": round(scene.width_deg, 2)}
    for name in WAYS:
        bench.last = None
        with contextlib.ExitStack() as changes, tempfile.TemporaryDirectory(dir=bench.folder) as jobs:
            if name == WAYS[0]:
                changes.enter_context(mock.patch.object(FollowUps, "find_winner", lambda _self: None))
            params = SolveParams(blind=True, timeout_s=_NEVER_S)
            solved = solve_field(from_array(pixels), params, Context(Path(jobs), bench))
        record[name] = _outcome(solved.answer, scene)
        record[f"{name}_cpu_s"] = 0.0 if bench.last is None else round(bench.last.cpu_s, 2)
    return record


def _outcome(answer: object, scene: Scene) -> str:
    if not isinstance(answer, Solution):
        return "unsolved"
    place = (answer.calibration.ra, answer.calibration.dec)
    apart_deg = separation_deg(place, (scene.ra_deg, scene.dec_deg))
    return "solved" if apart_deg < _TOLERANCE * scene.width_deg else "wrong"


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the results as a Markdown table."""
    rows = []
    for stars, group in itertools.groupby(sorted(records, key=lambda r: r["stars"]), key=lambda r: r["stars"]):
        of_stars = list(group)
        counts = [sum(r[way] == outcome for r in of_stars) for outcome in ("solved", "wrong") for way in WAYS]
        cpu_s = [f"{sum(r[f'{way}_cpu_s'] for r in of_stars) / len(of_stars):.2f}" for way in WAYS]
        rows.append([str(stars), str(len(of_stars)), *map(str, counts), *cpu_s])
    header = ["stars", "fields", *(f"{what} {way}" for what in ("solved", "wrong", "CPU s") for way in WAYS)]
    return reporting.markdown_table(header, rows)


def _read(state: Path) -> Iterator[dict[str, Any]]:
    if state.exists():
        yield from map(json.loads, state.read_text(encoding="utf-8").splitlines())


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--state", type=Path, required=True, help="file of JSON lines to which results are added")
    parser.add_argument("--stars", default="5,6,7,8,9", help="numbers of catalogue stars, separated by commas")
    parser.add_argument("--count", type=int, default=20, help="fields of each number of stars (20)")
    parser.add_argument("--cpu", type=float, default=10.0, help="engine CPU seconds of a solve (10)")
    given = parser.parse_args(argv)
    done = {(r["stars"], r["number"]) for r in _read(given.state)}
    with tempfile.TemporaryDirectory(prefix="sparse-") as folder:
        bench = Bench(Path(folder), 1, given.cpu)
        for number, stars in itertools.product(range(1, given.count + 1), map(int, given.stars.split(","))):
            if (stars, number) not in done:
                record = trial(stars, number, bench)
                with given.state.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(record) + "\n")
                print(record, file=sys.stderr, flush=True)
    print(table(list(_read(given.state))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
