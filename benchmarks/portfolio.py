#!/usr/bin/env python3
"""Try every candidate member of the portfolio alone on every field, then choose those that race best together.

``measure`` appends one JSON line for each (field, member) to a file and skips those that the file already has;
``choose`` simulates races from these measurements.  See README.md beside this file.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cases
import measure
import races
import reporting
import truths
from candidates import CANDIDATES, SERVED_DEG, SHIPPED_ORDERS, Candidate
from cases import Case
from programs import find_nova

from novacli.errors import NovaError
from novacli.extraction.extractor import StarExtractor
from novacli.inputs import FileInput, open_field
from novacli.records.field import Image
from novacli.strategy.attempts import LEAST_STARS
from novacli.strategy.portfolio import BLIND, ImageSizes, Member
from novacli.wcs.header import read_wcs
from novacli.wcs.tansip import TanSip
from solvehost.engine import program, race, records
from solvehost.engine.slots import Tokens
from solvehost.formats import axy, jobdir, trees
from solvehost.indexes import index_set, selection
from solvehost.indexes.index_set import IndexSet


@dataclass(frozen=True, slots=True)
class Trial:
    """One member alone on one field, 0 to ``cpu_s`` CPU seconds: solved, wrong, exhausted, limited or unfit.

    A member is unfit if it has too few stars, or if its index files have no quads of the field's size.
    """

    field: str
    member: str
    width_deg: float
    outcome: str
    cpu_s: float = 0.0


class Bench:
    """The resources of trials: the engine, its index files, one engine token, a folder for jobs."""

    def __init__(self, folder: Path, limit_s: float) -> None:
        self.folder, self.limit_s = folder, limit_s
        self.engine = program.find_engine()
        self.indexes: IndexSet = index_set.scan(reporting.installed_indexes())
        self.tokens = Tokens(folder / "slots", 1)

    def trials(self, case: Case, members: Sequence[Candidate]) -> Iterator[Trial]:
        """Yield the outcome of each member on an image whose position is known."""
        if case.truth is None:
            return
        field = image_of(case)
        if field is None:
            return
        width_deg = case.truth.place.pixscale_arcsec * case.truth.width_px / 3600
        found = StarExtractor(field)
        for member in members:
            low, high = SERVED_DEG[member.window]
            outcome, cpu_s = "unfit", 0.0
            if low <= width_deg < high:
                outcome, cpu_s = self.solve(member.attempt(found), case.truth)
            yield Trial(case.name, member.name, round(width_deg, 3), outcome, cpu_s)

    def solve(self, attempt: axy.Attempt, truth: truths.Truth) -> tuple[str, float]:
        """Run the engine on one attempt; return the outcome and its CPU seconds."""
        if len(attempt.stars) < LEAST_STARS or not selection.select(attempt, self.indexes.files):
            return "unfit", 0.0
        staged = jobdir.create(self.folder)
        axy.write(attempt, staged.axy(1))
        job = jobdir.publish(staged)
        try:
            terms = records.RaceTerms(
                self.engine, self.indexes, self.tokens, wall_s=5 * self.limit_s, cpu_s=self.limit_s
            )
            result = race.run(job, iter([1]), terms)
            cpu_s = result.attempts[0].cpu_s
            if result.winner is None:
                return ("exhausted" if result.reason == "exhausted" else "limited"), cpu_s
            return ("solved" if _is_right(read_wcs(job.wcs), attempt, truth) else "wrong"), cpu_s
        finally:
            trees.remove_tree(job.path)


def image_of(case: Case) -> Image | None:
    """Return a case's image; None if it cannot be read, which is printed, or if it is a star list."""
    try:
        field = open_field(FileInput(str(case.path)))
    except NovaError as exc:
        print(f"{case.name}: {exc}", file=sys.stderr)
        return None
    return field if isinstance(field, Image) else None


def _is_right(answer: TanSip, attempt: axy.Attempt, truth: truths.Truth) -> bool:
    ra_deg, dec_deg = answer.pixel_to_sky((attempt.width + 1) / 2, (attempt.height + 1) / 2)
    place = truths.Place(ra_deg, dec_deg, truth.place.pixscale_arcsec, truth.place.parity)
    return truths.error(place, truth).center_widths < 5 * truths.CENTER_TOLERANCE


# --- Commands --------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    command: int = options.command(options)
    return command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True)
    tries = commands.add_parser("measure", help="try every member on every field")
    tries.add_argument("file", type=Path, help="file of JSON lines to add to")
    tries.add_argument("--corpus", type=Path, metavar="DIR", help="a folder with images and manifest.json")
    tries.add_argument("--drawn", type=int, default=0, metavar="N", help="draw N fields")
    tries.add_argument("--seed", type=int, default=2000, metavar="N", help="seed of the drawn fields (default: 2000)")
    tries.add_argument("--limit", type=float, default=2.0, metavar="S", help="CPU seconds of a trial (default: 2)")
    tries.add_argument("--only", default="", metavar="TEXT", help="members with TEXT in their name")
    tries.add_argument(
        "--nova", default=find_nova(), metavar="COMMAND", help="the command (default: the one beside this Python)"
    )
    tries.set_defaults(command=_measure)
    picks = commands.add_parser("choose", help="choose a schedule from the measurements")
    picks.add_argument("file", type=Path, nargs="+", help="JSON lines of measure")
    picks.add_argument("--cores", type=int, default=2, metavar="N", help="cores of the simulated machine (default: 2)")
    picks.add_argument("--most", type=int, default=8, metavar="N", help="members of the schedule (default: 8)")
    picks.add_argument(
        "--without", default=[], action="append", metavar="TEXT", help="leave out members with TEXT in their name"
    )
    picks.set_defaults(command=_choose)
    return parser


def _measure(options: argparse.Namespace) -> int:
    members = [m for m in CANDIDATES if options.only in m.name]
    done = {(t.field, t.member) for t in read_trials([options.file])} if options.file.exists() else set()
    with tempfile.TemporaryDirectory(prefix="portfolio-") as name, options.file.open("a") as out:
        folder = Path(name)
        bench = Bench(folder, options.limit)
        measure.warm(reporting.installed_indexes())
        pictures = [] if options.corpus is None else cases.from_corpus(options.corpus)
        drawn = cases.drawn([options.nova], folder, options.drawn, options.seed)
        for case in (*pictures, *drawn):
            todo = [m for m in members if (case.name, m.name) not in done]
            trials = list(bench.trials(case, todo))
            out.writelines(json.dumps(reporting.as_plain(trial)) + "\n" for trial in trials)
            out.flush()
            solved = sum(t.outcome == "solved" for t in trials)
            print(f"{case.name}: {solved} of {len(trials)} members solve it", flush=True)
            if case.path.is_relative_to(folder):
                case.path.unlink()
    return 0


def read_trials(files: Sequence[Path]) -> list[Trial]:
    """Return the records that ``measure`` wrote."""
    return [Trial(**json.loads(line)) for file in files for line in file.read_text().splitlines()]


def as_fields(trials: Sequence[Trial]) -> dict[str, dict[str, races.Alone]]:
    """Return the outcome of each member on each field, as simulated races need it."""
    fields: dict[str, dict[str, races.Alone]] = {}
    for t in trials:
        solved_s = t.cpu_s if t.outcome == "solved" else None
        gave_up_s = t.cpu_s if t.outcome in ("exhausted", "unfit") else math.inf
        fields.setdefault(t.field, {})[t.member] = races.Alone(solved_s, gave_up_s, _extraction_of(t.member))
    return fields


def _extraction_of(member: str) -> str:
    return next(word for word in member.split() if word.startswith("bin"))


def _choose(options: argparse.Namespace) -> int:
    trials = read_trials(options.file)
    members = list(dict.fromkeys(t.member for t in trials))
    every = as_fields(trials)
    fields = {name: field for name, field in every.items() if len(field) == len(members)}
    trials = [t for t in trials if t.field in fields]
    print(f"{len(fields)} of {len(every)} fields on which every member was tried\n")
    print(_member_table(trials, fields, members))
    allowed = [m for m in members if not any(text in m for text in options.without)]
    chosen = races.choose(fields, allowed, options.most, options.cores)
    for title, schedule in (("chosen", chosen), ("shipped", shipped())):
        for cores in sorted({options.cores, 1}, reverse=True):
            print(f"\n{title}, on {cores} cores: {_words(races.score(schedule, fields, cores))}")
        print("\n".join(f"  after {e.delay_s:g} s: {e.member}" for e in schedule))
    wrong = [f"{t.field} by {t.member}" for t in trials if t.outcome == "wrong"]
    print(f"\nwrong answers: {', '.join(wrong) or 'none'}")
    return 0


def _member_table(trials: Sequence[Trial], fields: dict[str, dict[str, races.Alone]], members: Sequence[str]) -> str:
    best = {
        name: min((a.solved_s or math.inf for a in field.values()), default=math.inf) for name, field in fields.items()
    }
    rows = []
    for member in members:
        times = {t.field: t.cpu_s for t in trials if t.member == member and t.outcome == "solved"}
        first = sum(seconds <= best[name] + 0.02 for name, seconds in times.items())
        tried = sum(t.member == member and t.outcome != "unfit" for t in trials)
        median_s = measure.median(times.values())
        rows.append([member, str(tried), str(len(times)), reporting.number(median_s, 3), str(first)])
    return reporting.text_table(("member", "tried", "solved", "median s", "within 20 ms of the best"), rows)


def _words(s: races.Score) -> str:
    lost = f"; loses {', '.join(s.lost)}" if s.lost else ""
    return f"{s.mean_s:.3f} s (geometric mean), worst {s.worst_s:.2f} s, {s.over_best:.2f} times the best member{lost}"


def shipped() -> list[races.Entry]:
    """Return those members of nova's portfolio that are candidates here."""
    names = {_what_is_tried(c.member): c.name for c in CANDIDATES if c.order in SHIPPED_ORDERS}
    entries = []
    for member in BLIND:
        name = names.get(_what_is_tried(member))
        if name is None:
            print(f"no candidate is like the shipped member {member.label!r}", file=sys.stderr)
        else:
            entries.append(races.Entry(name, member.delay_s, member.slice_s or math.inf))
    return entries


def _what_is_tried(member: Member) -> Member:
    """Return a member without its name, its start in the schedule and its image sizes."""
    return dataclasses.replace(member, label="", image_sizes=ImageSizes.ANY, delay_s=0.0, slice_s=None)


if __name__ == "__main__":
    sys.exit(main())
