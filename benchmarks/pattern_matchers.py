#!/usr/bin/env python3
"""Compare nova, with and without its star patterns, with tetra3rs and cedar-solve on wide fields of unknown width.

Every program solves every picture twice in a process of its own: the first time it is cold, the second time warm.
See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import measure
import reporting
import truths
from cases import Case, drawn, from_corpus, from_paths
from measure import median
from programs import find_nova
from reporting import markdown_table, number
from truths import Place, Truth

#: An answer is right if centre (in widths of the field) and scale (as a fraction) are off by less: the matchers know no
#: distortion, and this is as near as a proposal must be.
_RIGHT_WITHIN = 0.05
#: Seconds after which a process is killed.
_TIMEOUT_S = 120.0
_CHILD = Path(__file__).with_name("pattern_programs.py")
RIGHT, WRONG, UNSOLVED = "right", "wrong", "unsolved"


@dataclass(frozen=True, slots=True)
class Program:
    """A contestant: its name in the report, the name that the child knows, its Python, database and environment."""

    name: str
    kind: str
    python: str
    database: str = ""
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """One program on one picture: the outcome, and the CPU seconds of a first and of a second solve."""

    program: str
    picture: str
    width_deg: float
    outcome: str
    cold_cpu_s: float
    warm_cpu_s: float


def wide_cases(cases: Sequence[Case], low_deg: float, high_deg: float) -> Iterator[tuple[Case, Truth]]:
    """Yield the cases whose true width is in a range, with their truth."""
    for case in cases:
        if case.truth is not None and low_deg <= _width_deg(case.truth) <= high_deg:
            yield case, case.truth


def _width_deg(truth: Truth) -> float:
    return truth.width_px * truth.place.pixscale_arcsec / 3600


def as_array(case: Case, truth: Truth, folder: Path) -> Path:
    """Write the pixels that nova reads as a NumPy file; its name says if the picture is mirrored."""
    code = (
        "import sys, numpy; from novacli.inputs import FileInput, open_field; "
        "numpy.save(sys.argv[2], open_field(FileInput(sys.argv[1])).pixels)"
    )
    target = folder / f"{case.name}{'.mirrored' if truth.place.parity < 0 else ''}.npy"
    made = measure.run([sys.executable, "-c", code, case.path, target], _TIMEOUT_S)
    if made.exit_status != 0:
        raise RuntimeError(f"{case.name} could not be read: {made.stderr.strip()}")
    return target


def try_program(program: Program, case: Case, truth: Truth, picture: Path, widths: str) -> Trial:
    """Run a program twice on a picture, in a process of its own."""
    path = case.path if program.kind == "nova" else picture
    command: list[str | Path] = [program.python, _CHILD, program.kind, widths, program.database]
    with measure.fresh_state() as (_, env):
        env |= dict(program.env)
        run = measure.run([*command, path, path], _TIMEOUT_S, env)
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    if len(answers) < 2:
        raise RuntimeError(f"{program.name} failed on {case.name}: {run.stderr.strip()[-500:]}")
    cold, warm = answers
    outcome = outcome_of(warm["place"], truth)
    return Trial(program.name, case.name, _width_deg(truth), outcome, cold["total_s"], warm["cpu_s"])


def outcome_of(place: Sequence[float] | None, truth: Truth) -> str:
    """Return whether an answer is right, wrong or missing."""
    if place is None:
        return UNSOLVED
    error = truths.error(Place(*place), truth)
    is_right = error.parity_is_right and error.center_widths < _RIGHT_WITHIN and abs(error.scale) < _RIGHT_WITHIN
    return RIGHT if is_right else WRONG


def report(trials: Sequence[Trial]) -> str:
    """Return the tables: a line for each program, then one for each picture."""
    names = list(dict.fromkeys(trial.program for trial in trials))
    by_name: Mapping[str, list[Trial]] = {name: [t for t in trials if t.program == name] for name in names}
    solved_by_all = set.intersection(*({t.picture for t in by_name[name] if t.outcome == RIGHT} for name in names))
    rows = []
    for name, own in by_name.items():
        common = [trial for trial in own if trial.picture in solved_by_all]
        outcomes = [trial.outcome for trial in own]
        rows.append(
            [
                name,
                f"{outcomes.count(RIGHT)} of {len(own)}",
                str(outcomes.count(WRONG)),
                number(median(trial.cold_cpu_s for trial in common)),
                number(median(trial.warm_cpu_s for trial in common), 3),
                number(sum(trial.warm_cpu_s for trial in own), 1),
            ]
        )
    header = ["program", "solved", "wrong", "cold, CPU s", "warm, CPU s", "warm, all fields, CPU s"]
    summary = markdown_table(header, rows)
    pictures = list(dict.fromkeys((trial.picture, trial.width_deg) for trial in trials))
    cells = {(trial.picture, trial.program): trial for trial in trials}
    lines = [
        [picture, f"{width:.1f}°", *(_cell(cells[picture, name]) for name in names)] for picture, width in pictures
    ]
    note = f"Medians are those of the {len(solved_by_all)} pictures that all programs solve."
    return f"{summary}\n\n{note}\n\n{markdown_table(['picture', 'width', *names], lines)}\n"


def _cell(trial: Trial) -> str:
    return {RIGHT: number(trial.warm_cpu_s, 3), WRONG: "wrong", UNSOLVED: f"– ({number(trial.warm_cpu_s, 1)})"}[
        trial.outcome
    ]


def _programs(options: argparse.Namespace, database: Path) -> list[Program]:
    cache = (("XDG_CACHE_HOME", str(database.parent.parent)), ("NOVA_TIMEOUT", f"{options.timeout:g}"))
    nova = Program("nova with star patterns", "nova", sys.executable, env=(*cache, ("NOVA_PATTERNS", "true")))
    plain = Program("nova without", "nova", sys.executable, env=(*cache, ("NOVA_PATTERNS", "false")))
    programs = [nova, plain, Program("tetra3rs", "tetra3rs", sys.executable, str(database))]
    if options.cedar_python:
        programs.append(Program("cedar-solve", "cedar-solve", options.cedar_python))
    return programs


def _cases(options: argparse.Namespace, folder: Path) -> Iterator[Case]:
    yield from from_paths(options.images)
    if options.corpus:
        yield from from_corpus(options.corpus)
    if options.drawn:
        yield from drawn([find_nova()], folder, options.drawn, options.seed, widths_deg=tuple(options.widths))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", nargs="*", type=Path, metavar="IMAGE", help="pictures with a truth beside them")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="a folder of pictures with a manifest.json")
    parser.add_argument("--drawn", type=int, default=0, metavar="N", help="draw N fields")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the drawn fields (default: 1)")
    parser.add_argument("--widths", type=float, nargs=2, default=[10.0, 34.0], metavar="DEG", help="widths of fields")
    parser.add_argument(
        "--timeout", type=float, default=20.0, metavar="S", help="nova's limit in seconds (default: 20)"
    )
    parser.add_argument("--cedar-python", default="", metavar="PATH", help="the Python of a venv with cedar-solve")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all trials")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the report")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the comparison that the command line asks for."""
    options = _parse(arguments)
    setting = reporting.setting(reporting.installed_indexes())
    low, high = options.widths
    trials: list[Trial] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = _programs(options, _database(folder))
        for case, truth in wide_cases(list(_cases(options, folder)), low, high):
            picture = as_array(case, truth, folder)
            trials += [try_program(one, case, truth, picture, f"{low},{high}") for one in programs]
            _write(options, setting, trials)  # after every picture, so that an interrupted run leaves its report
    print(report(trials))


def _write(options: argparse.Namespace, setting: reporting.Setting, trials: Sequence[Trial]) -> None:
    if options.json:
        content = {"setting": reporting.as_plain(setting), "trials": reporting.as_plain(list(trials))}
        options.json.write_text(json.dumps(content))
    if options.markdown:
        options.markdown.write_text(f"{setting.sentence()}\n\n{report(trials)}")


def _database(folder: Path) -> Path:
    """Make nova's database of star patterns in a cache of its own, and return its path."""
    env = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    made = measure.run([find_nova(), "doctor", "--fix"], _TIMEOUT_S, env)
    found = sorted((folder / "cache" / "nova").glob("patterns-*.bin"))
    if not found:
        raise RuntimeError(f"the database of star patterns could not be made: {made.stderr.strip() or made.stdout}")
    return found[0]


if __name__ == "__main__":
    main()
