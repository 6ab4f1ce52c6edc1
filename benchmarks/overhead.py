#!/usr/bin/env python3
"""Measure what ``nova`` costs beside the engine: CPU, wall clock and memory of ``nova submit``, and start-up.

Engine CPU is the ``timing.engine_cpu_s`` of the results.  Each engine starts as a child of ``nova`` that sets limits
and then becomes the engine; the CPU time of that start is measured separately and counted as nova's. See README.md
beside this file.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import measure
import reporting
from measure import Run, median
from programs import Nova, find_nova, last_json
from reporting import number

from solvehost.engine.process import EngineLimits, EngineProcess, wait_for_any

_TIMEOUT_S = 300.0
_BYTES_PER_PIXEL = 4  # float32
_SLOWEST_IMPORTS = 15
#: By the name of an image: (options of nova demo, divisor of the number of runs).
DRAWN = {
    "800 × 600 FITS": (("--size=800x600", "--width=12"), 1),
    "24 megapixels FITS": (("--size=6000x4000", "--width=12"), 2),
    "100 megapixels FITS": (("--size=12000x8400", "--width=12"), 4),
}
_POINTING = ("--ra=84", "--dec=-3", "--pointing")
_HINTS_OF_JPEG = ("--scale-est=12", "--scale-err=10", "--ra=84", "--dec=-3", "--radius=5")


@dataclass(frozen=True, slots=True)
class Picture:
    """An image to solve, with options that hint at its position."""

    name: str
    path: Path
    options: tuple[str, ...] = ()
    runs: int = 1


@dataclass(frozen=True, slots=True)
class Cost:
    """Medians over the runs of ``nova submit`` on one image.

    ``outside_cpu_s`` is all CPU time except the engines', ``outside_wall_s`` the wall-clock time except the winning
    engine's; ``peak_bytes`` is the peak memory of the largest process.
    """

    picture: str
    runs: int
    status: str
    wall_s: float
    cpu_s: float
    engine_cpu_s: float
    engines: float
    outside_cpu_s: float
    outside_wall_s: float
    peak_bytes: float
    pixels: int
    steps_s: dict[str, float]

    @property
    def peak_per_image(self) -> float:
        """Peak memory as a multiple of the image's size as float32."""
        return self.peak_bytes / (self.pixels * _BYTES_PER_PIXEL)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    nova = Nova(shlex.split(options.nova), _TIMEOUT_S, options=())
    indexes = reporting.installed_indexes()
    where = reporting.setting(indexes)
    measure.warm(indexes)
    helper_cpu_s = median(becoming_cpu_s() for _ in range(options.runs))
    starts = {" ".join(words): start_up(nova.command, words, options.runs) for words in STARTS}
    starts |= {f"python -c '{line}'": start_up([sys.executable, "-c"], [line], options.runs) for line in FLOORS}
    with tempfile.TemporaryDirectory(prefix="overhead-") as name:
        pictures = _pictures(options, nova.command, Path(name))
        costs = [cost(nova, picture, helper_cpu_s) for picture in pictures]
        imports = import_times(nova, pictures[0])[: options.imports]
    report = _Report(where, helper_cpu_s, measure.memory_floor_bytes(), starts, costs, imports)
    print(report.text())
    if options.json is not None:
        options.json.write_text(json.dumps(reporting.as_plain(report), indent=1) + "\n")
    if options.markdown is not None:
        options.markdown.write_text(report.markdown())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--image", type=Path, metavar="FILE", help="measure this image instead of the drawn ones")
    parser.add_argument("--hints", default="", metavar="TEXT", help="options with hints for --image")
    parser.add_argument("--runs", type=int, default=7, metavar="N", help="runs of each command; fewer for large images")
    parser.add_argument("--small-only", action="store_true", help="leave out the images of 24 and 100 megapixels")
    parser.add_argument("--imports", type=int, default=_SLOWEST_IMPORTS, metavar="N", help="list the N slowest imports")
    parser.add_argument(
        "--nova", default=find_nova(), metavar="COMMAND", help="the command (default: the one beside this Python)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a report to this file")
    return parser


# --- Pictures ----------------------------------------------------------------------------------------------------


def _pictures(options: argparse.Namespace, nova: Sequence[str], folder: Path) -> list[Picture]:
    if options.image is not None:
        given = tuple(shlex.split(options.hints))
        return [Picture(options.image.name, options.image.absolute(), given, options.runs)]
    names = list(DRAWN)[:1] if options.small_only else list(DRAWN)
    pictures = [_draw(nova, name, folder / f"drawn-{n}.fits", options.runs) for n, name in enumerate(names)]
    small = pictures[0]
    jpeg = small.path.with_suffix(".jpg")
    _must(measure.run([sys.executable, Path(__file__).with_name("as_jpeg.py"), small.path, jpeg], _TIMEOUT_S))
    return [small, Picture("800 × 600 JPEG", jpeg, _HINTS_OF_JPEG, options.runs), *pictures[1:]]


def _draw(nova: Sequence[str], name: str, target: Path, runs: int) -> Picture:
    how, divisor = DRAWN[name]
    _must(measure.run([*nova, "demo", "--overwrite", *_POINTING, *how, target], _TIMEOUT_S))
    return Picture(name, target, (), max(1, runs // divisor))


def _must(run: Run) -> None:
    if run.exit_status != 0:
        raise RuntimeError(f"a picture could not be made: {run.stderr.strip()}")


# --- Costs -------------------------------------------------------------------------------------------------------


def cost(nova: Nova, picture: Picture, helper_cpu_s: float) -> Cost:
    """Return the cost of ``nova submit`` on an image; the first run is not counted."""
    runs = [_submit(nova, picture) for _ in range(picture.runs + 1)][1:]
    results = [last_json(run.stdout) for run in runs]
    return cost_of(picture.name, runs, results, helper_cpu_s)


def _submit(nova: Nova, picture: Picture) -> Run:
    with measure.fresh_state() as (_, env):
        return measure.run([*nova.argv(picture.path), *picture.options], _TIMEOUT_S, env)


def cost_of(name: str, runs: Sequence[Run], results: Sequence[dict[str, Any]], helper_cpu_s: float) -> Cost:
    """Return the medians of runs and of the figures in their results."""
    timings = [result.get("timing", {}) for result in results]
    engines = [_started(timing) for timing in timings]
    engine_cpu = [t.get("engine_cpu_s", 0.0) - n * helper_cpu_s for t, n in zip(timings, engines, strict=True)]
    source = results[0].get("source", {})
    steps = [key for key in timings[0] if key.endswith("_s") and key != "engine_cpu_s"]
    return Cost(
        picture=name,
        runs=len(runs),
        status="/".join(sorted({str(result.get("status")) for result in results})),
        wall_s=median(run.wall_s for run in runs),
        cpu_s=median(run.cpu_s for run in runs),
        engine_cpu_s=median(engine_cpu),
        engines=median(engines),
        outside_cpu_s=median(run.cpu_s - engine for run, engine in zip(runs, engine_cpu, strict=True)),
        outside_wall_s=median(run.wall_s - _winner_s(timing) for run, timing in zip(runs, timings, strict=True)),
        peak_bytes=median(run.peak_bytes for run in runs),
        pixels=(source.get("width") or 0) * (source.get("height") or 0),
        steps_s={key: median(timing.get(key, 0.0) for timing in timings) for key in steps},
    )


def _started(timing: dict[str, Any]) -> int:
    return sum(attempt["cpu_s"] > 0 for attempt in timing.get("attempts", []))


def _winner_s(timing: dict[str, Any]) -> float:
    seconds: list[float] = [a["seconds"] for a in timing.get("attempts", []) if a["outcome"] == "solved"]
    return sum(seconds)


def becoming_cpu_s() -> float:
    """Return the CPU seconds of a child until it becomes the engine; a trivial program stands in for the engine.

    The child is a fork that needs ctypes, which numpy has imported in nova before.
    """
    import_module("ctypes")
    program = shutil.which("true") or "/bin/true"
    with tempfile.TemporaryDirectory() as folder:
        child = EngineProcess([program], Path(folder), Path(folder, "log"), EngineLimits())
        while not child.poll():
            wait_for_any([child], 1)
    if child.exit_status != 0:
        raise RuntimeError(f"{program} ended with {child.exit_status}")
    return child.cpu_s


#: Commands whose start-up is measured.
STARTS = (("--version",), ("--help",), ("submit", "--help"), ("jobs",))
#: What a solve takes at least: Python, then the packages that it needs; nova freezes the garbage at its end as well.
FLOORS = ("pass", "import click", "import gc, numpy; gc.freeze()", "import gc, click, numpy, fitsio; gc.freeze()")


def start_up(nova: Sequence[str], words: Sequence[str], runs: int) -> tuple[float, float]:
    """Return medians of (wall, CPU) seconds of a command that solves nothing; the first run is not counted."""
    done = []
    for _ in range(runs + 1):
        with measure.fresh_state() as (_, env):
            env["OPENBLAS_NUM_THREADS"] = "1"  # as nova sets it
            done.append(measure.run([*nova, *words], 60, env))
    return _medians(done[1:])


def _medians(runs: Sequence[Run]) -> tuple[float, float]:
    return median(run.wall_s for run in runs), median(run.cpu_s for run in runs)


# --- Imports -----------------------------------------------------------------------------------------------------

_IMPORT_LINE = re.compile(r"^import time:\s+(\d+) \|\s+(\d+) \| (\s*)(\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ImportTime:
    """Milliseconds to import a module: by itself, and with everything that it imports first."""

    module: str
    own_ms: float
    cumulative_ms: float


def import_times(nova: Nova, picture: Picture) -> list[ImportTime]:
    """Return the imports of ``nova submit`` on an image as Python times them, slowest first."""
    command = [sys.executable, "-X", "importtime", "-m", "novacli", *nova.argv(picture.path)[len(nova.command) :]]
    with measure.fresh_state() as (_, env):
        return parse_import_times(measure.run([*command, *picture.options], _TIMEOUT_S, env).stderr)


def parse_import_times(text: str) -> list[ImportTime]:
    """Parse the output of ``python -X importtime``, slowest import first; other lines are skipped."""
    found = [ImportTime(m[4], int(m[1]) / 1000, int(m[2]) / 1000) for m in _IMPORT_LINE.finditer(text)]
    return sorted(found, key=lambda i: -i.cumulative_ms)


# --- Reports -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Report:
    setting: reporting.Setting
    helper_cpu_s: float
    memory_floor_bytes: int
    starts: dict[str, tuple[float, float]]
    costs: Sequence[Cost]
    imports: Sequence[ImportTime]

    _COST_HEADER = (
        "nova submit", "runs", "wall s", "CPU s", "engine CPU s", "outside: CPU s", "outside: wall s", "peak MB",
        "× float32", "status",
    )  # fmt: skip

    def _tables(self) -> list[tuple[str, Sequence[str], list[list[str]]]]:
        """Return the tables: title, header, rows."""
        starts = [[name, number(wall, 3), number(cpu, 3)] for name, (wall, cpu) in self.starts.items()]
        imports = [[i.module, number(i.cumulative_ms, 1), number(i.own_ms, 1)] for i in self.imports]
        steps = [[c.picture, ", ".join(f"{k} {number(v, 3)}" for k, v in c.steps_s.items())] for c in self.costs]
        return [
            ("Cost beside the engine", self._COST_HEADER, [_cost_row(c) for c in self.costs]),
            ("Where the wall clock went, by nova's own account", ("nova submit", "seconds"), steps),
            ("Start-up", ("command", "wall s", "CPU s"), starts),
            ("Slowest imports of nova submit", ("module", "with what it imports, ms", "itself, ms"), imports),
        ]

    def _intro(self) -> str:
        return (
            f"Medians; {self.setting.sentence()}. Becoming the engine costs {self.helper_cpu_s * 1000:.1f} ms of CPU "
            f"an attempt, counted as outside the engine. A program that does nothing shows "
            f"{self.memory_floor_bytes / 1e6:.0f} MB of peak memory here."
        )

    def text(self) -> str:
        """Return the report for a terminal."""
        tables = [f"{title}\n{reporting.text_table(header, rows)}" for title, header, rows in self._tables()]
        return "\n\n".join([self._intro(), *tables])

    def markdown(self) -> str:
        """Return the report for a document."""
        tables = [f"### {title}\n\n{reporting.markdown_table(head, rows)}" for title, head, rows in self._tables()]
        return "\n\n".join([self._intro(), *tables]) + "\n"


def _cost_row(c: Cost) -> list[str]:
    seconds = (c.wall_s, c.cpu_s, c.engine_cpu_s, c.outside_cpu_s, c.outside_wall_s)
    multiple = number(c.peak_per_image, 1) if c.pixels else "–"
    return [c.picture, str(c.runs), *(number(s, 3) for s in seconds), f"{c.peak_bytes / 1e6:.0f}", multiple, c.status]


if __name__ == "__main__":
    sys.exit(main())
