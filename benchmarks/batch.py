#!/usr/bin/env python3
"""Measure the frames per second of ``nova batch``: on one core and on two, alone and on a Dask cluster.

``--against-solve-field`` also runs ``solve-field`` in ``xargs -P2`` on the same drawn nights.  See README.md beside
this file.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import json
import os
import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import measure
import nights
import programs
import reporting
from measure import geometric_mean, median
from truths import Place, Truth, error

ROOT = Path(__file__).resolve().parents[1]
_TIMEOUT_S = 7200.0
_CPU_LIMIT_S = 30
_SOLVE_FIELD = 'solve-field --no-plots --overwrite --cpulimit "$1" -D "$2" "$3" >/dev/null 2>&1 || true'


@dataclass(frozen=True, slots=True)
class Pass:
    """One run over some frames: seconds, and the outcome of each by its path; None if it is not solved."""

    wall_s: float
    answers: Mapping[str, Place | None]
    fates: Mapping[str, str]

    @property
    def solved(self) -> frozenset[str]:
        """The paths of the solved frames."""
        return frozenset(path for path, place in self.answers.items() if place is not None)


@dataclass(frozen=True, slots=True)
class Compared:
    """Two programs on the same frames, in pairs; ``ratio`` is the speed of the second relative to the first."""

    name: str
    frames: int
    firsts_s: tuple[float, ...]
    seconds_s: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Return the geometric mean over the pairs."""
        return geometric_mean(a / b for a, b in zip(self.firsts_s, self.seconds_s, strict=True))

    def row(self) -> list[str]:
        """Return a row of a table, in frames per second."""
        rates = [reporting.number(self.frames / median(times)) for times in (self.firsts_s, self.seconds_s)]
        return [self.name, str(self.frames), *rates, f"{self.ratio:.2f}×"]


HEADER = ("what", "frames", "first, frames/s", "second, frames/s", "second against first")


@dataclass(frozen=True, slots=True)
class Report:
    """The measurements, and remarks on the frames."""

    compared: Sequence[Compared]
    sentences: Sequence[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the results; raise SystemExit if frames are missing."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="benchmark-nights-") as name:
        folder = Path(name)
        drawn: list[str | Path] = [
            sys.executable,
            Path(nights.__file__),
            folder,
            f"--frames={options.frames}",
            f"--seed={options.seed}",
        ]
        only = [] if options.against_solve_field else [f"--only={nights.CLEAR}"]
        made = measure.run([*drawn, *only], _TIMEOUT_S)
        if made.exit_status:
            raise SystemExit(f"the nights could not be drawn: {made.stderr.strip()}")
        rows = {str(folder / row["name"]): row for row in json.loads((folder / "nights.json").read_text())}
        measure.warm([*map(Path, rows), *reporting.installed_indexes()])
        where = reporting.setting(reporting.installed_indexes())
        report = (_against_solve_field if options.against_solve_field else _by_itself)(options, rows, folder)
    _write(options, where, report)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=60, metavar="N", help="files of the three nights (60)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="equal seeds give equal nights (1)")
    parser.add_argument("--pairs", type=int, default=5, metavar="N", help="runs of each way (5)")
    parser.add_argument(
        "--skip", action="append", default=[], choices=["cores", "dask"], help="leave out this comparison"
    )
    parser.add_argument("--against-solve-field", action="store_true", help="measure against solve-field instead")
    parser.add_argument("--nova-options", type=shlex.split, default=[], help="more options for nova batch")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--markdown", type=Path, help="write a report to this file")
    return parser


# --- The ways ----------------------------------------------------------------------------------------------------


def _nova(paths: Sequence[str], options: Sequence[str], env: Mapping[str, str], cores: str = "0,1") -> Pass:
    """Run ``nova batch`` on some frames, in the state that ``env`` names."""
    command = ["taskset", "-c", cores, programs.find_nova(), "batch", "--json", "--settle=0", "--from=-", *options]
    ran = measure.run(command, _TIMEOUT_S, env, text_in="".join(f"{path}\0" for path in paths))
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    answers = {line["input"]: _place(line) for line in lines}
    lost = set(paths) - set(answers)
    if lost:
        raise SystemExit(f"{len(lost)} frames got lost, {sorted(lost)[0]} among them: {ran.stderr.strip()}")
    return Pass(ran.wall_s, answers, {line["input"]: line["status"] for line in lines})


def _place(line: Mapping[str, Any]) -> Place | None:
    sky = line["calibration"]
    return None if sky is None else Place(sky["ra"], sky["dec"], sky["pixscale"], sky["parity"])


def _fresh_nova(paths: Sequence[str], options: Sequence[str], cores: str = "0,1") -> Pass:
    with measure.fresh_state() as (_, env):
        return _nova(paths, options, env, cores)


def _fresh_dask(paths: Sequence[str], options: Sequence[str]) -> Pass:
    """Run ``nova batch`` on a new cluster of two workers that is ready before the clock starts."""
    with measure.fresh_state() as (folder, env), _cluster().start(folder, env) as cluster:
        return _nova(paths, ["--dask", cluster.address, *options], env)


def _cluster() -> ModuleType:
    """Return the module with which the tests start a Dask cluster."""
    folder = str(ROOT / "tests")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module("made_cluster")


def _solve_field(paths: Sequence[str]) -> Pass:
    """Run ``solve-field`` on some frames, two at a time."""
    with measure.fresh_state() as (folder, env):
        out = folder / "out"
        out.mkdir()
        command: list[str | Path] = [
            "xargs",
            "-0",
            "-P2",
            "-I{}",
            "sh",
            "-c",
            _SOLVE_FIELD,
            "sh",
            str(_CPU_LIMIT_S),
            out,
            "{}",
        ]
        ran = measure.run(command, _TIMEOUT_S, env, cwd=folder, text_in="".join(f"{path}\0" for path in paths))
        if ran.exit_status or ran.timed_out:
            raise SystemExit(f"solve-field could not be run: {ran.stderr.strip()}")
        stems = {path: out / Path(path).stem for path in paths}
        answers = {
            path: programs.read_wcs(stem.with_suffix(".wcs")) if stem.with_suffix(".solved").exists() else None
            for path, stem in stems.items()
        }
    return Pass(ran.wall_s, answers, {})


# --- What is compared --------------------------------------------------------------------------------------------


def _paired(
    name: str, paths: Sequence[str], first: Callable[[], Pass], second: Callable[[], Pass], pairs: int
) -> Compared:
    ones, others = measure.interleave(first, second, pairs)
    return Compared(name, len(paths), tuple(p.wall_s for p in ones), tuple(p.wall_s for p in others))


def _by_itself(options: argparse.Namespace, rows: Mapping[str, Any], _folder: Path) -> Report:
    paths, more = list(rows), options.nova_options
    compared = []
    if "cores" not in options.skip:
        one = [*more, "--workers=1"]
        two = [*more, "--workers=2"]
        ways = (lambda: _fresh_nova(paths, one, "0")), (lambda: _fresh_nova(paths, two))
        compared.append(_paired("one core, two cores", paths, *ways, options.pairs))
    if "dask" not in options.skip:
        ways = (lambda: _fresh_nova(paths, [*more, "--workers=2"])), (lambda: _fresh_dask(paths, more))
        compared.append(_paired("local pool, Dask with two workers", paths, *ways, options.pairs))
    return Report(compared, [])


def _against_solve_field(options: argparse.Namespace, rows: Mapping[str, Any], folder: Path) -> Report:
    """Run both on all frames once; then, by width, in pairs on those that both solve; cloudy frames separately."""
    with _killing(folder) as hook, measure.fresh_state() as (_, env):
        ours = _nova(list(rows), options.nova_options, {**env, "PYTHONPATH": str(hook)})
    pictures = [path for path, row in rows.items() if row["kind"] in (nights.CLEAR, nights.CLOUDED)]
    theirs = _solve_field(pictures)
    compared = []
    for name, group in _groups(rows, ours.solved & theirs.solved):
        theirs_again = functools.partial(_solve_field, group)
        ours_again = functools.partial(_fresh_nova, group, options.nova_options)
        compared.append(_paired(name, group, theirs_again, ours_again, options.pairs))
    return Report(compared, list(_sentences(rows, ours, theirs)))


@contextlib.contextmanager
def _killing(folder: Path) -> Iterator[Path]:
    """Make a file that crashes every worker that opens it."""
    home = folder / "home"
    home.mkdir()
    _cluster().environment(home)
    yield home / "hook"


def _groups(rows: Mapping[str, Any], both: frozenset[str]) -> Iterator[tuple[str, list[str]]]:
    for width_deg in sorted({row["width_deg"] for row in rows.values()}):
        alike = [p for p, row in rows.items() if row["width_deg"] == width_deg and row["kind"] == nights.CLEAR]
        group = [path for path in alike if path in both]
        if group:
            yield f"{width_deg:g}° wide", group
    clouded = [path for path, row in rows.items() if row["kind"] == nights.CLOUDED]
    if clouded:
        yield "clouded, whatever comes of them", clouded


def _sentences(rows: Mapping[str, Any], ours: Pass, theirs: Pass) -> Iterator[str]:
    kinds = Counter((rows[path]["kind"], fate) for path, fate in ours.fates.items())
    yield "nova: " + ", ".join(f"{count} {kind} {fate}" for (kind, fate), count in sorted(kinds.items())) + "."
    for name, done in (("nova", ours), ("solve-field", theirs)):
        wrong = [Path(path).name for path in sorted(done.solved) if not _is_right(done.answers[path], rows[path])]
        yield f"{name}: {len(done.solved)} solved in {done.wall_s:.0f} s, wrong: {', '.join(wrong) or 'none'}."
    alone = {"nova": ours.solved - theirs.solved, "solve-field": theirs.solved - ours.solved}
    for name, paths in alone.items():
        yield f"Solved by {name} alone: {', '.join(sorted(Path(path).name for path in paths)) or 'none'}."


def _is_right(answer: Place | None, row: Mapping[str, Any]) -> bool:
    if answer is None or "pixscale_arcsec" not in row:
        return False
    place = Place(row["ra_deg"], row["dec_deg"], row["pixscale_arcsec"], row["parity"])
    return error(answer, Truth(place, row["width_px"])).is_small


def _write(options: argparse.Namespace, where: reporting.Setting, report: Report) -> None:
    rows = [one.row() for one in report.compared]
    print(where.sentence())
    print(reporting.text_table(HEADER, rows), *report.sentences, sep="\n")
    if options.markdown:
        parts = [where.sentence(), reporting.markdown_table(HEADER, rows), *report.sentences]
        options.markdown.write_text("\n\n".join(parts) + "\n")
    if options.json:
        figures = [{**reporting.as_plain(one), "ratio": reporting.as_plain(one.ratio)} for one in report.compared]
        whole = {"setting": reporting.as_plain(where), "compared": figures, "sentences": list(report.sentences)}
        options.json.write_text(json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.exit(main())
