#!/usr/bin/env python3
"""Measure how often images without a real sky are solved: whole solves, and the tail of false matches.

``full`` solves images of ``nosky.py`` as ``nova submit`` does, until all attempts are made or the engines have used the
CPU time of a solve.  ``tail`` runs parts of the search with a lowered threshold for logging a match, or for accepting
one.  ``clumps`` accepts every match and weighs it as a race does (``falseclumps.py``), and ``followed`` follows every
match up (``falsefollowed.py``).  All modes continue from their state file; ``--summary`` prints the results.  See
README.md beside this file.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import math
import os
import random
import signal
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import falseclumps
import falsefollowed
import falserecords
import falsereport
import falsetext
import matchlines
import nosky
import reporting

from novacli.backends.base import SolveOutcome
from novacli.backends.local import engine_cpu_s
from novacli.demo.catalogue import Catalogue, find_index
from novacli.errors import UnavailableError
from novacli.extraction.extractor import StarExtractor
from novacli.inputs import from_array
from novacli.pipeline.context import Context
from novacli.pipeline.prepare import gather_hints
from novacli.pipeline.solve import solve_field
from novacli.records.budget import Budget
from novacli.records.params import Position, Scale, ScaleUnit, SolveParams
from novacli.records.progress import SILENT, Progress
from novacli.solution.reading import Solution
from novacli.strategy import attempts as strategy
from novacli.strategy.attempts import LEAST_STARS
from solvehost.engine import program, race, records
from solvehost.engine.records import RaceResult
from solvehost.engine.slots import Tokens
from solvehost.formats import axy, fitsfile, jobdir, match_lines, trees
from solvehost.indexes import index_set, selection
from solvehost.indexes.index_file import IndexFile
from solvehost.indexes.index_set import IndexSet

#: CPU seconds of engines in a whole solve, for any number of cores.
FULL_CPU_S = engine_cpu_s(SolveParams().limit_s)
#: Log-odds from which the engine logs matches if its own threshold for that (13.8) is lowered.
NAMED_FROM = 8.0
#: From these they are tuned up where that threshold is lowered: two, to see whether what it adds is the same.
TUNED_FROM = (8.0, 10.0)
#: Log-odds from which matches are accepted where that threshold (20.7) is lowered; trials take turns.
ACCEPTED_FROM = (3.0, 5.0, 8.0)
_HEARD_CPU_S, _ACCEPTED_CPU_S = 2.5, 1.0
#: A trial ends after this many times its CPU time, if other work slows it down.
_PATIENCE = 20.0
_NEVER_S = 1e6


class Bench:
    """The resources of trials: engine, index files, catalogue, engine tokens, a folder for jobs.

    It is also a backend: this machine, with a limit on CPU time and none on wall-clock time.
    """

    name = "local"

    def __init__(self, folder: Path, cores: int, cpu_s: float = FULL_CPU_S) -> None:
        self.folder, self.cpu_s = folder, cpu_s
        self.engine = program.find_engine()
        places = reporting.installed_indexes()
        self.indexes: IndexSet = index_set.scan(places)
        self.catalogue = Catalogue.open(find_index(places))
        self.tokens = Tokens(folder / "slots", cores)
        self.last: RaceResult | None = None

    def index_files(self) -> Sequence[IndexFile]:
        """Return the index files."""
        return self.indexes.files

    def notes(self) -> Sequence[str]:
        """Return no notes."""
        return ()

    def solve(
        self, job: jobdir.JobDir, numbers: Iterator[int | None], budget: Budget, progress: Progress = SILENT
    ) -> SolveOutcome:
        """Race the attempts until one solves or the CPU time is used up."""
        del progress
        terms = records.RaceTerms(
            self.engine, self.indexes, self.tokens, wall_s=budget.left_s, queue_wait_s=_NEVER_S, cpu_s=self.cpu_s
        )
        self.last = race.run(job, numbers, terms)
        return SolveOutcome(self.last)

    @contextlib.contextmanager
    def alone(
        self, data: bytes, files: tuple[IndexFile, ...], cpu_s: float
    ) -> Iterator[tuple[RaceResult, jobdir.JobDir]]:
        """Run one attempt with some index files; yield its outcome and its job, which exists within the context."""
        staged = jobdir.create(self.folder)
        staged.axy(1).write_bytes(data)
        job = jobdir.publish(staged)
        try:
            terms = records.RaceTerms(
                self.engine, IndexSet(files), self.tokens, wall_s=_PATIENCE * cpu_s, queue_wait_s=_NEVER_S, cpu_s=cpu_s
            )
            yield race.run(job, iter([1]), terms), job
        finally:
            trees.remove_tree(job.path)


# --- Whole solves ------------------------------------------------------------------------------------------------


def full_record(field: nosky.NoSky, bench: Bench, keep: Path | None = None) -> dict[str, Any]:
    """Solve an image as ``nova submit`` does and return the outcome."""
    bench.last = None
    with tempfile.TemporaryDirectory(dir=bench.folder) as jobs:
        params = SolveParams(timeout_s=_NEVER_S)
        solved = solve_field(from_array(field.pixels), params, Context(Path(jobs), bench))
        ended = bench.last
        logs = [path.read_bytes() for path in sorted(Path(jobs).glob(f"*/{jobdir.LOG}"))]
        heard = [match for log in logs for match in match_lines.read(log)]
        if keep is not None and isinstance(solved.answer, Solution):
            _keep(keep / field.name, solved.answer)
    record: dict[str, Any] = {
        "mode": "full",
        **_about(field),
        "status": solved.result.status,
        "reason": ended.reason if ended is not None else solved.result.reason,
        "cpu_s": 0.0 if ended is None else ended.cpu_s,
        "limit_cpu_s": bench.cpu_s,
        "attempts": [] if ended is None else [[a.label, a.outcome, a.cpu_s] for a in ended.attempts],
        "matches": [matchlines.as_list(match, field.truth) for match in heard],
    }
    if isinstance(solved.answer, Solution):
        match, place = solved.answer.match, solved.answer.calibration
        record["answer"] = {
            "logodds": match.logodds, "matched": match.n, "rms_arcsec": match.rms_arcsec, "index": match.index,
            "ra": place.ra, "dec": place.dec, "pixscale": place.pixscale,
            "is_true": field.truth is not None and field.truth.is_at(place.ra, place.dec, place.pixscale),
        }  # fmt: skip
    return record


def _keep(where: Path, answer: Solution) -> None:
    where.mkdir(parents=True, exist_ok=True)
    for name, data in (("wcs.fits", answer.files.wcs), ("corr.fits", answer.files.corr), ("job.axy", answer.files.axy)):
        if data is not None:
            (where / name).write_bytes(data)


def _about(field: nosky.NoSky) -> dict[str, Any]:
    height, width = field.pixels.shape
    return {"kind": field.kind, "number": field.number, "size": [width, height], "drawn": field.drawn}


# --- Parts of the search -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cell:
    """A part of the search: one attempt at one range of depths with some index files.

    ``accept_from`` is a lowered acceptance threshold; if it is None, matches are only logged, and ``tuned_from`` may be
    a lowered threshold of the tune-up.
    """

    attempt: axy.Attempt
    files: tuple[IndexFile, ...]
    accept_from: float | None
    tuned_from: float | None


def tail_records(field: nosky.NoSky, bench: Bench) -> Iterator[dict[str, Any]]:
    """Try parts of every member's search on an image, blind and with an invented hint."""
    chance = random.Random(f"{field.name} parts")
    extractor = StarExtractor(from_array(field.pixels))
    for params in (SolveParams(blind=True), _made_up_hint(chance)):
        hints = gather_hints(extractor.field, params)
        try:
            attempts = list(strategy.plan_attempts(extractor, params, hints, bench.indexes.files))
        except UnavailableError:
            continue
        for attempt in attempts:
            for cell in _cells(attempt, bench.indexes.files, chance):
                yield _tail_record(field, cell, bench)


def _made_up_hint(chance: random.Random) -> SolveParams:
    """Return a random scale (within 20 %) and position (within 15 degrees), as a header might state them."""
    width_deg = 1.5 * 40 ** chance.random()
    scale = Scale(0.8 * width_deg, 1.2 * width_deg, ScaleUnit.DEG_WIDTH)
    dec_deg = math.degrees(math.asin(2 * chance.random() - 1))
    return SolveParams(blind=True, fallback=False, scale=scale, position=Position(360 * chance.random(), dec_deg))


def _cells(attempt: axy.Attempt, files: Sequence[IndexFile], chance: random.Random) -> Iterator[Cell]:
    """Yield random parts: two whose matches are logged, one of them tuned up, and two with lowered acceptance."""
    served = selection.select(attempt, files)
    lowered = [(chance.choice(ACCEPTED_FROM), None) for _ in range(2)]
    for accept_from, tuned_from in ((None, None), (None, chance.choice(TUNED_FROM)), *lowered):
        chosen = served if attempt.schedule.parallel else (chance.choice(served),)
        # Uniform in the logarithm, because a whole solve spends more of its time on the first stars than on the last.
        star = LEAST_STARS * (len(attempt.stars) / LEAST_STARS) ** chance.random()
        depth = next((d for d in attempt.depths if d[1] >= star), attempt.depths[-1])
        # How the distortion is fitted comes after acceptance; without it no second look follows either.
        part = replace(
            attempt,
            depths=(depth,),
            tweak_order=0,
            odds_to_solve=None if accept_from is None else math.exp(accept_from),
        )
        yield Cell(part, chosen, accept_from, tuned_from)


def _tail_record(field: nosky.NoSky, cell: Cell, bench: Bench) -> dict[str, Any]:
    # As somebody else's attempt where any match is taken: one of nova's the race would judge.
    data = axy.to_bytes(cell.attempt if cell.accept_from is None else replace(cell.attempt, schedule=axy.Schedule()))
    listens = cell.accept_from is None
    if listens:
        data = naming_from(data, NAMED_FROM, cell.tuned_from)
    with bench.alone(data, cell.files, _HEARD_CPU_S if listens else _ACCEPTED_CPU_S) as (ended, job):
        log = (job.path / jobdir.LOG).read_bytes()
    return {
        "mode": "tail",
        **_about(field),
        "member": cell.attempt.schedule.label,
        "settings": f"{zlib.crc32(settings_text(cell.attempt).encode()):08x}",
        "depth": list(cell.attempt.depths[0]),
        "index": cell.files[0].path.name.split(".")[0] if len(cell.files) == 1 else f"{len(cell.files)} files",
        "stars": len(cell.attempt.stars),
        "named_from": NAMED_FROM if listens else None,
        "tuned_from": cell.tuned_from,
        "accept_from": cell.accept_from,
        "end": "solved" if ended.winner else ended.reason,
        "cpu_s": round(ended.cpu_s, 2),
        "matches": [matchlines.as_list(match, field.truth) for match in match_lines.read(log)],
    }


def settings_text(attempt: axy.Attempt) -> str:
    """Return a description of an attempt's search settings, independent of the image."""
    schedule = attempt.schedule
    return (
        f"window {schedule.quads_arcmin} coarse {schedule.coarse_first} parallel {schedule.parallel} "
        f"tolerance {attempt.code_tolerance} uniformize {attempt.verify_uniformize} dedup {attempt.verify_dedup} "
        f"error {attempt.position_error_px} fraction {attempt.quad_fraction}"
    )


def naming_from(data: bytes, named_from: float, tuned_from: float | None = None) -> bytes:
    """Return an axy whose engine logs every match above a log-odds, and accepts matches as usual.

    With ``tuned_from`` the engine also fits each such match again (tune-up), as it usually does from 13.8 on, and logs
    the result.  The cards replace two that the engine ignores.
    """
    wanted = {b"NVDELAY ": ("ANODDSPR", named_from)}
    if tuned_from is not None:
        wanted[b"NVRANK  "] = ("ANODDSTU", tuned_from)
    for ignored, (keyword, logodds) in wanted.items():
        old = next(data[at : at + 80] for at in range(0, len(data), 80) if data[at : at + 8] == ignored)
        data = data.replace(old, fitsfile.card(keyword, math.exp(logodds)), 1)
    return data


# --- The command -------------------------------------------------------------------------------------------------


def _share(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not (part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r} is no share such as 1/2")
    return int(part) - 1, int(parts)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("mode", choices=("full", "tail", "clumps", "followed"))
    parser.add_argument("--state", type=Path, required=True, help="file of JSON lines to which results are added")
    parser.add_argument("--also", type=Path, action="append", default=[], help="more such files for the summary")
    parser.add_argument("--kinds", default=",".join(nosky.KINDS), help="kinds of images, separated by commas (all)")
    parser.add_argument("--count", type=int, default=10**9, help="stop after N images")
    parser.add_argument("--for", dest="for_s", type=float, default=math.inf, help="start no image after S seconds")
    parser.add_argument("--share", type=_share, default=(0, 1), help="take part M/N of the images (1/1)")
    parser.add_argument("--cores", type=int, default=2, help="engines at a time in a whole solve (2)")
    parser.add_argument("--cpu", type=float, default=FULL_CPU_S, help="engine CPU seconds of a whole solve (120)")
    parser.add_argument("--keep", type=Path, help="keep the files of solved images in this folder")
    parser.add_argument("--summary", action="store_true", help="run nothing: print the results in the state file")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--markdown", type=Path, help="write a report to this file")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    given = _arguments().parse_args(argv)
    kinds = given.kinds.split(",")
    unknown = [kind for kind in kinds if kind not in nosky.KINDS]
    if unknown:
        print(f"unknown kinds {', '.join(unknown)}: choose among {', '.join(nosky.KINDS)}", file=sys.stderr)
        return 64
    if not given.summary:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        run(given, kinds)
    records = [r for path in (given.state, *given.also) for r in falserecords.read(path)]
    modes = {"clumps": (falseclumps.summary, falseclumps), "followed": (falsefollowed.summary, falsefollowed)}
    summarise, words = modes.get(given.mode, (falsereport.summary, falsetext))
    summary = summarise(records)
    print(words.text(summary))
    if given.json:
        given.json.write_text(json.dumps(reporting.as_plain(summary), indent=1) + "\n", encoding="utf-8")
    if given.markdown:
        given.markdown.write_text(words.markdown(summary), encoding="utf-8")
    return 0


def run(given: argparse.Namespace, kinds: Sequence[str]) -> None:
    """Try images until the time or the count is reached."""
    began = time.monotonic()
    given.state.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="false-") as folder:
        bench = Bench(Path(folder), given.cores if given.mode == "full" else 1, given.cpu)
        todo = falserecords.to_do(given.mode, kinds, given.share, given.state)
        for kind, number in itertools.islice(todo, given.count):
            if time.monotonic() - began >= given.for_s:
                break
            field = nosky.draw(kind, number, bench.catalogue)
            if given.mode == "full":
                records = [full_record(field, bench, given.keep)]
            elif given.mode == "clumps":
                records = [{"mode": "clumps", **_about(field), **falseclumps.record(field, bench)}]
            elif given.mode == "followed":
                records = [{"mode": "followed", **_about(field), **falsefollowed.record(field, bench, naming_from)}]
            else:
                records = list(tail_records(field, bench)) or [{"mode": "tail", **_about(field), "end": "no-stars"}]
            falserecords.append(given.state, records)
            print(f"{field.name}: {falsetext.one_line(records)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    os.environ.pop("NOVA_DEBUG", None)
    sys.exit(main())
